import assert from "node:assert/strict";
import { it } from "node:test";
import { systemClock } from "#base";
import { listEvents } from "#metadata-store";
import { logMetrics, findRun } from "#metadata-store/tracking";
import { createTracking, type NewStepRun } from "#tracking";
import { describeStores, openTestStore } from "../setup/stores.ts";

const facts: NewStepRun = {
  project: "flights",
  pipeline: "delay",
  step: "delay",
  stepRunId: "s1",
  pipelineRunId: "p1",
  attemptId: "a1",
  actor: "ana",
  commit: "abc123",
  source: { name: "notebooks/train.ipynb", kind: "NOTEBOOK" },
  inputs: [{ name: "training_set", version: 3, digest: `sha256:${"d".repeat(64)}`, context: "training" }],
  params: { max_depth: 6, name: "x" },
};

describeStores("the run of a step", (kind) => {
  it("knows its pipeline run, commit, params and input versions", async () => {
    const { store } = await openTestStore(kind);
    const tracking = createTracking({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" });
    const opened = await tracking.openRun(facts);
    assert.match(opened.runId, /^[0-9a-f]{32}$/);
    assert.equal(opened.artifactUri, `mlflow-artifacts:/${opened.experimentId}/${opened.runId}/artifacts`);
    const run = await tracking.getRun(opened.runId);
    const tags = new Map(run?.tags.map(({ key, value }) => [key, value]));
    assert.equal(tags.get("mlflow.source.git.commit"), "abc123");
    assert.equal(tags.get("esteira.pipeline_run"), "p1");
    assert.equal(tags.get("mlflow.source.type"), "NOTEBOOK");
    assert.deepEqual(run?.params, [
      { key: "max_depth", value: "6" },
      { key: "name", value: "x" },
    ]);
    assert.equal(run?.datasets[0]?.name, "training_set");
    assert.equal(JSON.parse(run?.datasets[0]?.source ?? "{}").version, 3);
    assert.equal(run?.info.userId, "ana");
  });

  it("is opened once per attempt, also by several at the same time, in one experiment per pipeline", async () => {
    const { store } = await openTestStore(kind);
    const tracking = createTracking({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" });
    const first = await tracking.openRun(facts);
    const again = await Promise.all(Array.from({ length: 5 }, () => tracking.openRun(facts)));
    assert.deepEqual(new Set(again.map(({ runId }) => runId)), new Set([first.runId]));
    const other = await tracking.openRun({ ...facts, attemptId: "a2" });
    assert.notEqual(other.runId, first.runId);
    assert.equal(other.experimentId, first.experimentId);
  });

  it("is ended as KILLED when its engine is gone, and keeps the end that it had", async () => {
    const { store } = await openTestStore(kind);
    const tracking = createTracking({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" });
    const kill = (attemptId: string) =>
      store.write((transaction) => tracking.killRunOf(transaction, { attemptId, atMs: 7_000 }));
    const { runId } = await tracking.openRun(facts);
    const ended = await tracking.openRun({ ...facts, attemptId: "a2" });
    await tracking.closeRun(ended.runId, "FINISHED");
    for (const attemptId of ["a1", "a1", "a2", "unheard"]) await kill(attemptId);
    const killed = (await tracking.getRun(runId))?.info;
    assert.deepEqual([killed?.status, killed?.endTimeMs], ["KILLED", 7_000]);
    assert.equal((await tracking.getRun(ended.runId))?.info.status, "FINISHED");
  });

  it("ends with its status, and says so in the event log", async () => {
    const { store } = await openTestStore(kind);
    const tracking = createTracking({
      store,
      clock: { ...systemClock, now: () => 5_000 },
      artifactRoot: "mlflow-artifacts:/",
    });
    const { runId } = await tracking.openRun(facts);
    await tracking.closeRun(runId, "FINISHED");
    const info = (await tracking.getRun(runId))?.info;
    assert.deepEqual([info?.status, info?.endTimeMs], ["FINISHED", 5_000]);
    const events = await store.read((tx) => listEvents(tx, { subjectKind: "run" }));
    assert.deepEqual(
      events.map(({ type }) => type),
      ["run.created", "run.finished"],
    );
    await assert.rejects(tracking.closeRun("f".repeat(32), "FAILED"), { code: "TRACKING_RUN_MISSING" });
  });

  it("answers its latest metrics by step, then time, then value; NaN stays NaN", async () => {
    const { store } = await openTestStore(kind);
    const tracking = createTracking({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" });
    const { runId } = await tracking.openRun(facts);
    await store.write(async (tx) => {
      const run = await findRun(tx, runId);
      const number = run?.number ?? 0;
      await logMetrics(
        tx,
        number,
        [
          { key: "auc", value: 0.9, timestampMs: 5, step: 5 },
          { key: "bad", value: NaN, timestampMs: 1, step: 0 },
        ],
        1,
      );
      await logMetrics(
        tx,
        number,
        [
          { key: "auc", value: 0.1, timestampMs: 99, step: 1 },
          { key: "auc", value: 0.95, timestampMs: 5, step: 5 },
        ],
        2,
      );
    });
    const metrics = await tracking.latestMetrics(runId);
    assert.deepEqual(
      [...metrics],
      [
        ["auc", 0.95],
        ["bad", NaN],
      ],
    );
  });
});
