// A pipeline of thousands of steps: nothing of its run is left out, and what is done to it takes a few statements.
import assert from "node:assert/strict";
import { it } from "node:test";
import { getPipelineRun } from "#engine";
import type { MetadataStore } from "#metadata-store";
import { listStepRuns } from "#metadata-store/engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const STEPS = 5200;
const PIPELINE = `steps:\n${Array.from({ length: STEPS }, (_, index) => `  s${index}: { run: "true"${index < 10 ? "" : `, needs: [s${index - 10}]`} }`).join("\n")}\n`;

/** Counts the statements of a piece of work by its transaction's executor. */
async function statementsOf({ urgent: store }: MetadataStore, work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const original = store.write;
  const counting: MetadataStore["write"] = (inner) =>
    original((transaction) => {
      const executor = transaction.getExecutor();
      const run = executor.executeQuery.bind(executor);
      executor.executeQuery = ((query, options) => {
        count++;
        return run(query, options);
      }) as typeof executor.executeQuery;
      return inner(transaction).finally(() => delete (executor as { executeQuery?: unknown }).executeQuery);
    });
  Object.assign(store, { write: counting });
  try {
    await work();
  } finally {
    Object.assign(store, { write: original });
  }
  assert.ok(count > 0);
  return count;
}

describeStores("a run of 5,200 steps", (kind) => {
  it(
    "is queued, cancelled and resumed in a few statements, and shows each of its steps and edges",
    { timeout: 180_000 },
    async () => {
      const project = await createTestProject(kind, { "pipelines/many.yaml": PIPELINE });
      await project.register();
      const engine = project.engine();
      const { store } = project;
      let id = "";
      assert.ok(
        (await statementsOf(store, async () => (id = await engine.submit({ pipeline: "many", actor: "ana" })))) < 60,
      );
      const { stepRuns, steps, counts } = await getPipelineRun(store, id);
      assert.deepEqual(
        [stepRuns.length, steps.length, steps.flatMap(({ dependents }) => dependents).length, counts],
        [STEPS, STEPS, STEPS - 10, { queued: 10, pending: STEPS - 10 }],
      );
      assert.deepEqual(
        stepRuns.map(({ position }) => position),
        stepRuns.map((_, index) => index),
      );
      const page = await store.read((transaction) =>
        listStepRuns(transaction, { pipelineRunId: id, status: "queued", limit: 7 }),
      );
      assert.equal(page.length, 7);
      assert.ok((await statementsOf(store, () => engine.cancel(id, "ana"))) < 60);
      assert.deepEqual((await getPipelineRun(store, id)).counts, { cancelled: STEPS });
      assert.ok((await statementsOf(store, () => engine.resume(id, { actor: "ana" }))) < 60);
      const again = await getPipelineRun(store, id);
      assert.deepEqual([again.run.status, again.counts], ["running", { queued: 10, pending: STEPS - 10 }]);
      await engine.cancel(id, "ana");
    },
  );
});
