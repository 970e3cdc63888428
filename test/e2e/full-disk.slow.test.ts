import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira, startEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

function run(command: string, ...words: readonly string[]): boolean {
  return spawnSync(command, words, { stdio: "ignore" }).status === 0;
}

/** A project whose store lies on a disk of that size; undefined where none can be mounted. */
async function createProject(sizeKiB: number, files: Readonly<Record<string, string>>): Promise<string | undefined> {
  let store: string | undefined;
  // Hooks run in the order they are given: the disk goes before the folder that holds it.
  after(() => store === undefined || run("umount", store));
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "data", "sql", ".esteira"]) await mkdir(join(folder, name));
  for (const [path, content] of Object.entries({ "esteira.yaml": "name: p\n", ...files }))
    await writeFile(join(folder, path), content);
  if (!run("mount", "-t", "tmpfs", "-o", `size=${sizeKiB}k`, "tmpfs", join(folder, ".esteira"))) return undefined;
  store = join(folder, ".esteira");
  return folder;
}

const grow = (folder: string): boolean => run("mount", "-o", "remount,size=200m", join(folder, ".esteira"));
const NO_MOUNT = "no small disk can be mounted here (it needs Linux and root)";

describe("a disk that is full", () => {
  it("while a dataset is written: nothing is published, and the run goes on from there when there is room", async (context) => {
    const folder = await createProject(4096, {
      "data/a.csv": `id,amount\n${Array.from({ length: 200_000 }, (_, id) => `${id},${id * 7}`).join("\n")}\n`,
      "pipelines/a.yaml": 'steps:\n  raw: { capture: { files: "data/*.csv" } }\n  wide: { sql: sql/wide.sql }\n',
      "sql/wide.sql": "SELECT id, amount, md5(id || 'x') AS text FROM raw\n",
    });
    if (folder === undefined) return context.skip(NO_MOUNT);
    const { code, stderr } = await runEsteira(folder, ["run", "a"]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Cannot write .*datasets\/wide\/.*No space left on device; nothing was published/);
    assert.match(stderr, /The disk is full: free some space/);
    assert.ok(grow(folder));
    const resumed = await runEsteira(folder, ["run", "--resume"]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /wide .*rows 200,000/);
  });

  it("while the metadata is written: it says so once, and goes on by itself when there is room", async (context) => {
    const folder = await createProject(5120, {
      "pipelines/a.yaml":
        'steps:\n  loud: { run: "yes hello | head -c 30000000" }\n  after: { run: "echo ok", needs: loud }\n',
    });
    if (folder === undefined) return context.skip(NO_MOUNT);
    const { child, ended } = startEsteira(folder, ["run", "a"]);
    let said = "";
    child.stderr?.on("data", (piece: Buffer) => (said += piece.toString()));
    for (let tries = 0; !said.includes("the end of an attempt could not be written"); tries++) {
      assert.ok(tries < 1500, said);
      await delay(20);
    }
    assert.ok(grow(folder));
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.equal(stderr.split("log could not be written").length, 2, stderr);
  });

  it("before the store is made: it says so", async (context) => {
    const folder = await createProject(100, { "pipelines/a.yaml": 'steps:\n  a: { run: "true" }\n' });
    if (folder === undefined) return context.skip(NO_MOUNT);
    const { code, stderr } = await runEsteira(folder, ["run", "a"]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot be opened: database or disk is full/);
    assert.match(stderr, /free some space/);
  });
});
