import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { listBackfillPartitions } from "#metadata-store/engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const FILES = {
  "work.sh": "echo v1\n",
  "pipelines/p.yaml": `
partitions: { every: day, start: 2026-01-01, end: 2026-01-13 }
steps:
  s: { run: 'echo "$ESTEIRA_PARTITION" >> seen; test -f fixed || test "$ESTEIRA_PARTITION" != 2026-01-05', files: work.sh }
`,
};

describeStores("a backfill", (kind) => {
  it("makes what lacks, lets no failure stop the others, is retried by partition, and then finds nothing to do", async () => {
    const project = await createTestProject(kind, FILES);
    await project.register();
    const { backfills, ...engine } = project.engine();
    const request = { pipeline: "p", actor: "ana" };
    const seen = async () => (await readFile(join(project.projectFolder, "seen"), "utf8")).trim().split("\n");
    await engine.runToEnd(await engine.submit({ ...request, partition: "2026-01-02" }));
    const preview = await backfills.preview(request);
    assert.deepEqual([preview.partitions.length, preview.leftOut, preview.partitions[0]], [11, 1, "2026-01-01"]);
    assert.ok((preview.medianMs ?? -1) >= 0);
    const id = await backfills.start({ ...request, maxParallel: 3 });
    let most = 0;
    const ended = await backfills.toEnd(id, ({ counts }) => (most = Math.max(most, counts.running)));
    assert.equal(ended.backfill.status, "failed");
    assert.deepEqual([ended.counts.succeeded, ended.counts.failed], [10, 1]);
    assert.ok(most >= 1 && most <= 3, String(most));
    assert.deepEqual(
      (await seen()).toSorted(),
      [...Array(12).keys()].map((day) => `2026-01-${String(day + 1).padStart(2, "0")}`),
    );
    await project.write("fixed", "");
    assert.deepEqual((await backfills.preview({ ...request, failed: true })).partitions, ["2026-01-05"]);
    await assert.rejects(backfills.retry(id, { actor: "ana", partitions: ["2026-01-04"] }), (error) =>
      isEsteiraError(error, "PIPELINE_BACKFILL_PARTITION_UNKNOWN"),
    );
    assert.equal(await backfills.retry(id, { actor: "ana", partitions: ["2026-01-05"] }), 1);
    assert.equal((await backfills.toEnd(id)).backfill.status, "succeeded");
    assert.equal((await seen()).length, 13);
    await assert.rejects(backfills.start(request), (error) => isEsteiraError(error, "PIPELINE_BACKFILL_EMPTY"));
    // A file that the step reads is another: all partitions are stale, and a range of them is made.
    await project.write("work.sh", "echo v2\n");
    assert.equal((await backfills.preview(request)).partitions.length, 12);
    const range = await backfills.start({ ...request, from: "2026-01-03", to: "2026-01-04" });
    await backfills.toEnd(range);
    assert.equal((await backfills.preview(request)).partitions.length, 10);
  });

  it("is paused and resumed, ends at the first failure where it is to, and two at once make each partition once", async () => {
    const project = await createTestProject(kind, FILES);
    await project.register();
    const engine = project.engine();
    const { backfills } = engine;
    const request = { pipeline: "p", actor: "ana" };
    const paused = await backfills.start({ ...request, maxParallel: 1 });
    const state = await backfills.toEnd(paused, ({ counts, backfill }) => {
      if (counts.succeeded === 2 && backfill.status === "running") void backfills.pause(paused, "ana");
    });
    assert.equal(state.backfill.status, "paused");
    assert.ok(state.counts.pending > 0 && state.counts.running === 0);
    await backfills.resume(paused, "ana");
    const two = await backfills.start({ ...request, all: true, maxParallel: 4 });
    const both = await Promise.all([backfills.toEnd(paused), backfills.toEnd(two)]);
    assert.deepEqual(
      both.map(({ counts }) => counts.succeeded + counts.failed),
      [12, 12],
    );
    const seen = (await readFile(join(project.projectFolder, "seen"), "utf8")).trim().split("\n");
    const good = seen.filter((name) => name !== "2026-01-05");
    assert.equal(good.length, new Set(good).size, "the second of two runs of a partition reuses the first");
    const fast = await backfills.start({ ...request, all: true, failFast: true, maxParallel: 1 });
    const { counts, backfill } = await backfills.toEnd(fast);
    assert.deepEqual([backfill.status, counts.failed, counts.cancelled], ["failed", 1, 7]);
    const cancelled = await backfills.start({ ...request, all: true });
    await backfills.cancel(cancelled, "ana");
    assert.equal((await backfills.toEnd(cancelled)).backfill.status, "cancelled");
    const left = await project.store.read((transaction) =>
      listBackfillPartitions(transaction, { backfillId: cancelled, status: "pending" }),
    );
    assert.deepEqual(left, []);
    await assert.rejects(backfills.resume(cancelled, "ana"), (error) =>
      isEsteiraError(error, "PIPELINE_BACKFILL_ENDED"),
    );
    await assert.rejects(backfills.pause("none", "ana"), (error) => isEsteiraError(error, "PIPELINE_BACKFILL_UNKNOWN"));
  });
});
