import assert from "node:assert/strict";
import { it } from "node:test";
import { claimStepRuns, databaseNow, endAttempt, holdAttempt, renewLeases } from "#metadata-store/engine";
import { getPipelineRun, getStepRun } from "#engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

describeStores("leases", (kind) => {
  it("end without a heartbeat: another engine takes over, the slot returns, and the late result is refused", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": "steps: { s: { run: 'true', concurrency: 1 } }\n",
    });
    await project.register();
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    const claim = { project: "p", owner: "ghost", limit: 5, leaseMs: 3_600_000, atMs: Date.now() };
    const [ghost] = await project.store.write((transaction) => claimStepRuns(transaction, claim));
    assert.equal(ghost?.token, 1);
    assert.deepEqual(
      await project.store.write((transaction) => claimStepRuns(transaction, { ...claim, owner: "other" })),
      [],
      "one claim at a time",
    );
    // An hour passes without a heartbeat.
    await project.store.write((transaction) => renewLeases(transaction, { id: "ghost", leaseMs: -1 }));
    const run = await engine.runToEnd(id);
    assert.equal(run.status, "succeeded");
    const before = await getPipelineRun(project.store, id);
    const late = await project.store.write(async (transaction) => {
      const held = await holdAttempt(transaction, { attemptId: ghost.attemptId, token: ghost.token });
      if (held !== undefined)
        await endAttempt(transaction, held, {
          attempt: "failed",
          stepRun: "failed",
          end: "failed",
          atMs: await databaseNow(transaction),
        });
      return held;
    });
    assert.equal(late, undefined);
    assert.deepEqual((await getPipelineRun(project.store, id)).stepRuns, before.stepRuns);
    const { attempts } = await getStepRun(project.store, before.stepRuns[0]?.id ?? "");
    assert.deepEqual(
      attempts.map((attempt) => attempt.status),
      ["lost", "succeeded"],
    );
  });
});
