// The grids of a pipeline run with items and of a pipeline with partitions, and what is chosen in them run again.
import assert from "node:assert/strict";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { type ApiCall, callApi } from "#server";
import type { CallName } from "#api";
import { openPartitionedProject, type PartitionedProject } from "../setup/partitioned-project.ts";
import { describeStores } from "../setup/stores.ts";

const identity = { name: "ana", kind: "local" as const, roles: [{ project: "*", role: "admin" as const }] };
const FILES = {
  "pipelines/items.yaml": `
steps:
  before: { run: 'true' }
  work: { run: 'test -f fixed || test $(($ESTEIRA_ITEM % 4)) != 3', for_each: [0, 1, 2, 3, 4, 5, 6, 7], needs: before }
  both: { run: 'true', matrix: { a: [1, 2], b: [x] } }
  after: { run: 'true', needs: work }
`,
  "pipelines/days.yaml": `
partitions: { every: day, start: 2026-01-01, end: 2026-01-05 }
steps:
  load: { run: 'test -f fixed || test "$ESTEIRA_PARTITION" != 2026-01-03' }
  parts: { run: 'test "$ESTEIRA_PARTITION" != 2026-01-02 || test "$ESTEIRA_ITEM" = 1', for_each: [1, 2], needs: load }
`,
};

const caller =
  ({ platform }: PartitionedProject) =>
  <Name extends CallName>(name: Name, request: Partial<ApiCall<Name>["request"]>) =>
    callApi(platform, name, { identity, signal: AbortSignal.timeout(60_000), ...request });

describeStores("a grid of states", (kind) => {
  it("has a letter and an id for each item of a run, of which some are tried again", async () => {
    const project = await openPartitionedProject(kind, FILES);
    const call = caller(project);
    const id = await project.platform.engine.submit({ pipeline: "items", actor: "ana" });
    await project.platform.engine.runToEnd(id);
    const grid = await call("getPipelineRunGrid", { params: { id } });
    assert.deepEqual(
      grid.steps.map(({ step, states }) => [step, states]),
      [
        ["before", "s"],
        ["both", "ss"],
        ["work", "sssfsssf"],
        ["after", "k"],
      ],
    );
    assert.deepEqual([grid.columns, grid.pipelineRuns], [[], ""]);
    const ids = grid.steps.find(({ step }) => step === "work")?.ids ?? "";
    assert.equal(ids.length, 8 * 26);
    await project.write("fixed", "");
    await call("resumePipelineRun", { params: { id }, body: { stepRuns: [ids.slice(7 * 26)] } });
    await project.platform.engine.runToEnd(id);
    const again = await call("getPipelineRunGrid", { params: { id } });
    assert.equal(again.steps.find(({ step }) => step === "work")?.states, "sssfssss");
    assert.equal(again.steps.find(({ step }) => step === "work")?.ids, ids);
    await assert.rejects(call("getPipelineRunGrid", { params: { id: "none" } }), (error) =>
      isEsteiraError(error, "SERVER_RESOURCE_MISSING"),
    );
  });

  it("has the newest run of each partition, of several step runs the state that needs looking at", async () => {
    const project = await openPartitionedProject(kind, FILES);
    const call = caller(project);
    const nothing = await call("getPartitionGrid", { params: { name: "days" } });
    assert.deepEqual(
      nothing.steps.map(({ step, states }) => [step, states]),
      [
        ["load", "----"],
        ["parts", "----"],
      ],
    );
    for (const day of ["2026-01-01", "2026-01-02", "2026-01-03"]) await project.run("days", day);
    const grid = await call("getPartitionGrid", { params: { name: "days" } });
    assert.deepEqual(grid.columns, ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]);
    assert.deepEqual(
      grid.steps.map(({ step, states }) => [step, states]),
      [
        ["load", "ssf-"],
        ["parts", "sfk-"],
      ],
    );
    assert.match(grid.pipelineRuns, /^[0-9A-Z]{78} {26}$/);
    assert.equal((await call("getPipeline", { params: { name: "days" } })).hasPartitions, true);
    await project.write("fixed", "");
    const backfill = await call("createBackfill", {
      params: { name: "days" },
      body: { partitions: ["2026-01-01", "2026-01-03"], all: true },
    });
    await project.platform.engine.backfills.toEnd(backfill.id);
    const again = await call("getPartitionGrid", { params: { name: "days" } });
    assert.equal(again.steps[0]?.states, "sss-");
    assert.notEqual(again.pipelineRuns.slice(0, 26), grid.pipelineRuns.slice(0, 26));
    assert.equal(again.pipelineRuns.slice(26, 52), grid.pipelineRuns.slice(26, 52));
    const none = await call("getPartitionGrid", { params: { name: "items" } });
    assert.deepEqual([none.columns, none.pipelineRuns], [[], ""]);
  });
});
