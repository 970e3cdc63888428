import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { getPipelineRun, getStepRun, readLog } from "#engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

describeStores("the engine", (kind) => {
  it("runs a chain in order and tells what each step did", async () => {
    const project = await createTestProject(kind, {
      "pipelines/chain.yaml": `
steps:
  first: { run: "echo one >> trace; echo hello" }
  second: { run: echo two >> trace, needs: first }
  third: { run: echo three >> trace, needs: second }
`,
    });
    await project.register();
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "chain", actor: "ana" });
    const run = await engine.runToEnd(id);
    assert.equal(run.status, "succeeded");
    assert.equal(await readFile(join(project.projectFolder, "trace"), "utf8"), "one\ntwo\nthree\n");
    const { stepRuns } = await getPipelineRun(project.store, id);
    assert.deepEqual(
      stepRuns.map((step) => [step.step, step.status, step.attemptCount]),
      [
        ["first", "succeeded", 1],
        ["second", "succeeded", 1],
        ["third", "succeeded", 1],
      ],
    );
    const log = await readLog(project, { stepRunId: stepRuns[0]?.id ?? "" });
    assert.deepEqual([log.pieces.map((piece) => piece.text).join(""), log.ended], ["hello\n", true]);
  });

  it("skips what depends on a failed step, with the reason, and resumes after the repair", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  good: { run: echo good >> trace }
  bad: { run: "test -f fixed || { echo it broke >&2; exit 7; }" }
  after: { run: echo after >> trace, needs: [bad, good] }
  last: { run: echo last >> trace, needs: after }
`,
    });
    await project.register();
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    const failed = await engine.runToEnd(id);
    assert.equal(failed.status, "failed");
    assert.match(failed.error?.message ?? "", /exit 7; it said last: it broke/);
    const { stepRuns } = await getPipelineRun(project.store, id);
    const last = stepRuns.find((step) => step.step === "last");
    assert.equal(last?.status, "skipped");
    assert.equal(last?.reason, "bad failed");
    await project.write("fixed", "");
    assert.equal(await engine.resume(id, { actor: "ana" }), 3);
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
    assert.equal(await readFile(join(project.projectFolder, "trace"), "utf8"), "good\nafter\nlast\n");
    const bad = (await getPipelineRun(project.store, id)).stepRuns.find((step) => step.step === "bad");
    assert.deepEqual(
      (await getStepRun(project.store, bad?.id ?? "")).attempts.map((attempt) => attempt.status),
      ["failed", "succeeded"],
    );
  });
});
