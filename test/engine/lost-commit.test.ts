// A commit whose answer is lost leaves no step that nobody runs, and makes no step failed that succeeded.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { getPipelineRun, getStepRun } from "#engine";
import { openMetadataStore } from "#metadata-store";
import { openCuttingProxy } from "../setup/cutting-proxy.ts";
import { createTestProject } from "../setup/engine.ts";
import { storeKinds } from "../setup/stores.ts";

const noPostgres = storeKinds.includes("postgres") ? false : "STORES leaves PostgreSQL out";
const PIPELINE = "steps: { a: { run: 'echo a' }, b: { run: 'echo b', needs: [a] } }\n";

async function runWithCut(first: string) {
  const project = await createTestProject("postgres", { "pipelines/two.yaml": PIPELINE });
  await project.register();
  const proxy = await openCuttingProxy(project.address);
  const store = await openMetadataStore(proxy.address);
  after(() => store.close());
  const engine = project.engine({ store, leaseMs: 4000 });
  const id = await engine.submit({ pipeline: "two", actor: "ana" });
  proxy.cut("commit", first);
  const { status } = await engine.runToEnd(id);
  await engine.stop();
  assert.equal(proxy.count(), 1, "a commit was cut");
  const { stepRuns } = await getPipelineRun(project.store, id);
  const attempts = new Map<string, readonly string[]>();
  for (const step of stepRuns)
    attempts.set(
      step.step,
      (await getStepRun(project.store, step.id)).attempts.map((attempt) => attempt.status),
    );
  return { status, attempts };
}

describe("an engine whose connection to PostgreSQL ends while it commits", { skip: noPostgres }, () => {
  it("gives up what it claimed without hearing of it, and runs it again", { timeout: 120_000 }, async () => {
    const { status, attempts } = await runWithCut('insert into "attempt"');
    assert.equal(status, "succeeded");
    assert.deepEqual(attempts.get("a"), ["lost", "succeeded"]);
    assert.deepEqual(attempts.get("b"), ["succeeded"]);
  });

  it("keeps the end of a step that succeeded, and runs what it claimed with it", { timeout: 120_000 }, async () => {
    const { status, attempts } = await runWithCut('update "attempt" set "status"');
    assert.equal(status, "succeeded");
    assert.deepEqual(attempts.get("a"), ["succeeded"]);
    assert.deepEqual(attempts.get("b"), ["lost", "succeeded"]);
  });
});
