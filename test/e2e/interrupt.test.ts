import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { listProcessesOf, runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

/**
 * A step that has ended, one that stands still with a child in the background until there is a file `go`, and one after
 * it.
 */
const pipelineOf = (place: string): string => `steps:
  first: { run: "echo 1 >> ${place}/first" }
  long: { run: "test -f ${place}/go || { sleep 600 & echo $$ > ${place}/pid; wait; }", needs: first }
  last: { run: "echo 1 >> ${place}/last", needs: long }
`;

async function createProject(): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\nisolation: none\n");
  await writeFile(join(folder, "pipelines/work.yaml"), pipelineOf(folder));
  return folder;
}

/** Waits until the long step is at work. */
async function waitForLong(folder: string): Promise<void> {
  while ((await readFile(join(folder, "pid"), "utf8").catch(() => "")) === "") await delay(20);
}

async function statusOf(folder: string): Promise<string> {
  const { stdout } = await runEsteira(folder, ["status", "--json"]);
  return /"status": "(\w+)"/.exec(stdout)?.[1] ?? stdout;
}

async function finish(folder: string): Promise<void> {
  await writeFile(join(folder, "go"), "");
  const { code, stdout, stderr } = await runEsteira(folder, ["run", "--resume"]);
  assert.equal(code, 0, stdout + stderr);
  assert.deepEqual(
    [await readFile(join(folder, "first"), "utf8"), await readFile(join(folder, "last"), "utf8")],
    ["1\n", "1\n"],
  );
}

describe("a run that is interrupted", () => {
  it("by Ctrl-C ends its children, says how to go on, and is finished by run --resume", async () => {
    const folder = await createProject();
    const { child, ended } = startEsteira(folder, ["run", "work"]);
    await waitForLong(folder);
    signalGroup(child, "SIGINT");
    const { code, stdout } = await ended;
    assert.equal(code, 130);
    assert.match(stdout, /Interrupted\. Finish it with: esteira run --resume [0-9A-Z]{26}/);
    assert.deepEqual(await listProcessesOf(folder), []);
    assert.equal(await statusOf(folder), "interrupted");
    await finish(folder);
  });

  it("by SIGTERM to esteira up is left without waiting for its steps, and goes on when it is up again", async () => {
    const folder = await createProject();
    const { child, ended } = startEsteira(folder, ["up", "--port", "0", "--json"]);
    const url = await new Promise<string>((found) =>
      child.stdout?.once("data", (piece: Buffer) => found((JSON.parse(piece.toString()) as { url: string }).url)),
    );
    await fetch(`${url}/api/v1/pipelines/work/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await waitForLong(folder);
    // The long step would wait for ever: nothing says "go".
    child.kill("SIGTERM");
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(await listProcessesOf(folder), []);
    await finish(folder);
  });
});
