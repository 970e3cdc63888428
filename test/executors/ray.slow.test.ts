// Steps as tasks of a real Ray of two nodes, started from PyPI's package.
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { isEsteiraError, newId } from "#base";
import { createIsolation } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { openTestServer } from "../setup/opened-server.ts";
import { startRay } from "../setup/ray.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ray = await startRay();
const { level } = await createIsolation().report();

async function open(address = ray.address) {
  const opened = await openTestServer({
    yaml: `executors:
  cluster:
    ray:
      address: ${address}
      python: ${ray.python}
      command: ${resolve(import.meta.dirname, "../../bin/esteira")}
      folder: ${join(await temporaryFolder(), "nodes")}
      lease: 30s
`,
  });
  const whole = await opened.platform.whole();
  const cluster = whole.executors.find(({ name }) => name === "cluster");
  assert.ok(cluster !== undefined);
  return { ...opened, cluster };
}

const { cluster } = await open();
after(() => ray.stop());

describeExecutor("ray", () => cluster, { isSandboxed: level === "sandbox" });

describe("an executor on Ray", { timeout: 1_200_000 }, () => {
  const run = async (shell: string) => {
    let said = "";
    const handle = await cluster.submit(
      { attemptId: newId(), command: { shell }, workingFolder: await temporaryFolder(), environment: {} },
      (_, text) => void (said += text),
    );
    return { ...(await handle.ended), said };
  };

  it("says what its largest node has, and why there is none", async () => {
    const began = performance.now();
    assert.equal((await cluster.offer()).cpus, 8);
    console.log(`driver ready after ${Math.round(performance.now() - began)} ms`);
    const away = await open("http://127.0.0.1:9");
    await assert.rejects(away.cluster.offer(), (error) => isEsteiraError(error, "EXECUTORS_RAY_UNREACHABLE"));
    await away.cluster.close?.();
  });

  it("runs steps one after the other, and many at once", async () => {
    await run("true");
    for (const count of [5, 100]) {
      const began = performance.now();
      const results = await Promise.all(Array.from({ length: count }, (_, index) => run(`echo ${index}`)));
      assert.ok(results.every(({ exitCode, said }, index) => exitCode === 0 && said.includes(`${index}\n`)));
      console.log(`${count} at once: ${Math.round((performance.now() - began) / count)} ms each`);
    }
    const began = performance.now();
    for (let turn = 0; turn < 5; turn++) await run("true");
    console.log(`one by one: ${Math.round((performance.now() - began) / 5)} ms each`);
  });

  it("gives up what ran on a node that is gone, for the engine to start again", async () => {
    // More than one node has room for: some are on each.
    const running = Array.from({ length: 12 }, () =>
      run("sleep 45; echo end").then(
        () => "ended",
        (error: unknown) => error,
      ),
    );
    await new Promise((done) => setTimeout(done, 15_000));
    ray.killNode();
    const outcomes = await Promise.all(running);
    const lost = outcomes.filter((outcome) => isEsteiraError(outcome, "PIPELINE_PLACE_LOST"));
    assert.ok(lost.length > 0 && lost.length < 12, `${lost.length} of 12 were lost`);
    assert.ok(outcomes.every((outcome) => outcome === "ended" || isEsteiraError(outcome, "PIPELINE_PLACE_LOST")));
  });
});
