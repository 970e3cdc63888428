import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findPodTrouble, judgeWorkload } from "../../src/delivery/kubernetes/workload-state.ts";

const workload = (kind: string, spec: object, status: object, generation = 2) => ({
  apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
  kind,
  metadata: { name: "web", generation },
  spec,
  status: { observedGeneration: 2, ...status },
});
const pod = (status: object) => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1" }, status });

describe("the state of a workload", () => {
  it("is ready when its controller has seen it and every pod is new and available", () => {
    const all = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3 };
    for (const [kind, spec, status, isDone] of [
      ["Deployment", { replicas: 3 }, all, true],
      ["Deployment", { replicas: 3 }, { ...all, observedGeneration: 1 }, false],
      ["Deployment", { replicas: 3 }, { ...all, replicas: 4 }, false],
      ["Deployment", { replicas: 3 }, { ...all, availableReplicas: 2 }, false],
      ["Deployment", { replicas: 0 }, {}, true],
      ["Deployment", {}, { replicas: 1, updatedReplicas: 1, availableReplicas: 1 }, true],
      ["StatefulSet", { replicas: 3 }, { ...all, currentRevision: "a", updateRevision: "b" }, false],
      ["StatefulSet", { replicas: 3 }, { ...all, currentRevision: "b", updateRevision: "b" }, true],
      [
        "StatefulSet",
        { replicas: 3, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } },
        { ...all, updatedReplicas: 1, currentRevision: "a", updateRevision: "b" },
        true,
      ],
      ["StatefulSet", { replicas: 3, updateStrategy: { type: "OnDelete" } }, {}, true],
      ["DaemonSet", {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 }, false],
      ["DaemonSet", {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }, true],
      ["Job", {}, { active: 1 }, false],
      ["Job", {}, { conditions: [{ type: "Complete", status: "True" }] }, true],
      ["Job", { suspend: true }, {}, true],
    ] as const) {
      const state = judgeWorkload(workload(kind, spec, status));
      assert.equal(state.isDone, isDone, `${kind} ${JSON.stringify(spec)} ${JSON.stringify(status)}: ${state.text}`);
      assert.equal(state.failure, undefined);
    }
  });

  it("fails when its deadline has passed in this rollout, not in the one before, and when a job gives up", () => {
    const late = (at: string) => ({
      conditions: [
        { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "x", lastUpdateTime: at },
      ],
    });
    const [before, now] = [workload("Deployment", {}, late("1")), workload("Deployment", {}, late("2"))];
    assert.match(judgeWorkload(now).failure ?? "", /ProgressDeadlineExceeded/);
    assert.match(judgeWorkload(now, before).failure ?? "", /ProgressDeadlineExceeded/);
    assert.equal(judgeWorkload(before, before).failure, undefined);
    assert.match(judgeWorkload(workload("Deployment", { paused: true }, {})).failure ?? "", /paused/);
    const job = {
      conditions: [{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "no more" }],
    };
    assert.equal(judgeWorkload(workload("Job", {}, job)).failure, "BackoffLimitExceeded: no more");
  });

  it("of a pod says what is wrong with which container, and whether it passes by itself", () => {
    const of = (state: object, more: object = {}) =>
      findPodTrouble(pod({ containerStatuses: [{ name: "app", state, ...more }] }));
    assert.equal(of({ running: {} }), undefined);
    assert.equal(of({ waiting: { reason: "ContainerCreating" } }), undefined);
    assert.equal(of({ waiting: { reason: "ErrImagePull", message: "m" } })?.isFatal, false);
    assert.equal(of({ waiting: { reason: "ImagePullBackOff", message: "m" } })?.isFatal, true);
    assert.equal(of({ waiting: { reason: "CrashLoopBackOff" } }, { restartCount: 1 })?.isFatal, false);
    assert.equal(of({ waiting: { reason: "CrashLoopBackOff" } }, { restartCount: 3 })?.isFatal, true);
    assert.equal(of({ terminated: { exitCode: 0, reason: "Completed" } }), undefined);
    assert.match(of({ terminated: { exitCode: 137, reason: "OOMKilled" } })?.text ?? "", /137 \(OOMKilled\)/);
    const init = { initContainerStatuses: [{ name: "migrate", state: { waiting: { reason: "InvalidImageName" } } }] };
    assert.match(findPodTrouble(pod(init))?.text ?? "", /container migrate: InvalidImageName/);
    const full = {
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" }],
    };
    assert.match(findPodTrouble(pod(full))?.text ?? "", /Unschedulable: 0\/3 nodes/);
    assert.equal(findPodTrouble(pod({})), undefined);
  });
});
