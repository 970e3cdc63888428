// What runs after a failure or a cancel: conditions that ask for the status of the run, and `finally`.
import assert from "node:assert/strict";
import { access, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { z } from "zod";
import { createPastRuns, cancelPipelineRun, getPipelineRun } from "#engine";
import { plan, why } from "#pipeline";
import { listEvents, type MetadataStore } from "#metadata-store";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

type Kind = Parameters<typeof createTestProject>[0];

async function open(kind: Kind, text: string): Promise<TestProject> {
  const project = await createTestProject(kind, { "pipelines/p.yaml": text });
  await project.register();
  return project;
}

async function statuses(store: MetadataStore, id: string): Promise<Record<string, string>> {
  const { run, stepRuns } = await getPipelineRun(store, id);
  return {
    run: run.status,
    ...Object.fromEntries(
      stepRuns.map((step) => [step.matrixIndex === 0 ? step.step : `${step.step}.${step.matrixIndex}`, step.status]),
    ),
  };
}

async function until(store: MetadataStore, holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()))
    await new Promise<void>((resolve) => {
      const stop = store.onChange(() => (stop(), resolve()));
      setTimeout(() => (stop(), resolve()), 200);
    });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

describeStores("what runs after a failure", (kind) => {
  it(
    "is decided by conditions that combine the run's status with params and with what steps did",
    { timeout: 120_000 },
    async () => {
      const project = await open(
        kind,
        `params: { notify: true }
steps:
  build: { run: "true" }
  bad: { run: "exit 3", needs: build, matrix: { n: [1, 2], exclude: [] }, retry: { times: 1, delay: 10ms } }
  publish: { run: "true", needs: bad }
  tell: { run: "echo told >> trace", needs: publish, when: "failure() && params.notify" }
  mute: { run: "true", needs: publish, when: "\${{ failure() && !params.notify }}" }
  sum: { run: "echo build=$BUILD bad=$BAD publish=$PUBLISH >> trace", needs: publish, when: always(), env: { BUILD: "\${{ steps.build.status }}", BAD: "\${{ steps.bad.status }}", PUBLISH: "\${{ steps.publish.status }}" } }
  good: { run: "true", needs: publish, when: "success() || steps.publish.status == 'skipped'" }
finally:
  last: { run: "echo last >> trace" }
  told: { run: "true", needs: last, when: "steps.tell.status == 'succeeded'" }
`,
      );
      const engine = project.engine();
      const id = await engine.submit({ pipeline: "p", actor: "ana" });
      const run = await engine.runToEnd(id);
      assert.deepEqual(await statuses(project.store, id), {
        run: "failed",
        build: "succeeded",
        bad: "failed",
        "bad.1": "failed",
        publish: "skipped",
        tell: "succeeded",
        mute: "skipped",
        sum: "succeeded",
        good: "succeeded",
        last: "succeeded",
        told: "succeeded",
      });
      assert.equal(run.error?.step, "bad");
      const { stepRuns } = await getPipelineRun(project.store, id);
      assert.equal(
        stepRuns.find(({ step }) => step === "publish")?.reason,
        "bad failed",
        "the whole error is told once, at the step that failed",
      );
      assert.equal(stepRuns.find(({ step }) => step === "bad")?.attemptCount, 2);
      const trace = (await readFile(join(project.projectFolder, "trace"), "utf8")).trim().split("\n");
      assert.deepEqual(
        [trace.toSorted(), trace.at(-1)],
        [["build=succeeded bad=failed publish=skipped", "last", "told"], "last"],
      );
    },
  );

  it("runs again when the run is resumed, and not where nothing failed any more", { timeout: 120_000 }, async () => {
    const project = await open(
      kind,
      `steps:
  one: { run: "echo one >> trace" }
  bad: { run: "test -e repaired", needs: one }
  tell: { run: "echo tell >> trace", needs: bad, when: failure() }
  always: { run: "echo always >> trace", needs: bad, when: always() }
  behind: { run: "echo behind >> trace", needs: always }
  other: { run: "echo other >> trace", needs: one, when: always() }
finally:
  last: { run: "echo last >> trace" }
`,
    );
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    await engine.runToEnd(id);
    assert.deepEqual(await statuses(project.store, id), {
      run: "failed",
      one: "succeeded",
      bad: "failed",
      tell: "succeeded",
      always: "succeeded",
      behind: "succeeded",
      other: "succeeded",
      last: "succeeded",
    });
    await writeFile(join(project.projectFolder, "repaired"), "");
    await writeFile(join(project.projectFolder, "trace"), "");
    await engine.resume(id, { actor: "ana" });
    await engine.runToEnd(id);
    assert.deepEqual(await statuses(project.store, id), {
      run: "succeeded",
      one: "succeeded",
      bad: "succeeded",
      tell: "skipped",
      always: "succeeded",
      behind: "succeeded",
      other: "succeeded",
      last: "succeeded",
    });
    assert.deepEqual((await readFile(join(project.projectFolder, "trace"), "utf8")).trim().split("\n"), [
      "always",
      "behind",
      "last",
    ]);
  });

  it(
    "runs after a cancel too, which ends the rest; a second cancel ends it as well",
    { timeout: 120_000 },
    async () => {
      const project = await open(
        kind,
        `concurrency: 10
steps:
  long: { run: "touch started; sleep 300" }
  next: { run: "true", needs: long }
  failing: { run: "true", needs: next, when: failure() }
  clean: { run: "echo clean >> trace", needs: next, when: always() }
  asked: { run: "true", needs: long, when: cancelled() }
  not: { run: "true", needs: long, when: "!cancelled()" }
finally:
  last: { run: "echo last >> trace; touch ending; test ! -e hold || sleep 300" }
`,
      );
      const engine = project.engine();
      const start = async (): Promise<{ id: string; ended: Promise<unknown> }> => {
        const id = await engine.submit({ pipeline: "p", actor: "ana" });
        const ended = engine.runToEnd(id);
        await until(project.store, () => exists(join(project.projectFolder, "started")));
        return { id, ended };
      };
      const { id, ended } = await start();
      await cancelPipelineRun(project.store, { id, actor: "rui", atMs: Date.now() });
      await ended;
      assert.deepEqual(await statuses(project.store, id), {
        run: "cancelled",
        long: "cancelled",
        next: "cancelled",
        failing: "skipped",
        clean: "succeeded",
        asked: "succeeded",
        not: "cancelled",
        last: "succeeded",
      });
      assert.deepEqual((await readFile(join(project.projectFolder, "trace"), "utf8")).trim().split("\n"), [
        "clean",
        "last",
      ]);

      await writeFile(join(project.projectFolder, "hold"), "");
      for (const name of ["started", "ending"]) await rm(join(project.projectFolder, name));
      const second = await start();
      await cancelPipelineRun(project.store, { id: second.id, actor: "rui", atMs: Date.now() });
      await until(project.store, () => exists(join(project.projectFolder, "ending")));
      await cancelPipelineRun(project.store, { id: second.id, actor: "rui", atMs: Date.now() });
      await second.ended;
      const found = await statuses(project.store, second.id);
      assert.deepEqual([found["run"], found["last"], found["long"]], ["cancelled", "cancelled", "cancelled"]);
      const events = await project.store.read((transaction) =>
        listEvents(transaction, { project: "p", after: 0, limit: 1000 }),
      );
      assert.equal(
        events.filter(({ type, subject }) => type === "pipeline_run.cancelled" && subject === second.id).length,
        1,
      );
    },
  );

  it(
    "goes on in another engine when the first one falls silent in the middle of it",
    { timeout: 120_000 },
    async () => {
      const project = await open(
        kind,
        `steps:
  bad: { run: "exit 1" }
finally:
  last: { run: "touch ending; test -e go || sleep 300; echo last >> trace" }
`,
      );
      const first = project.engine();
      const id = await first.submit({ pipeline: "p", actor: "ana" });
      void first.runToEnd(id).catch(() => {});
      await until(project.store, () => exists(join(project.projectFolder, "ending")));
      await writeFile(join(project.projectFolder, "go"), "");
      await first.stop();
      assert.equal((await statuses(project.store, id))["run"], "interrupted");
      const second = project.engine();
      await second.resume(id, { actor: "ana" });
      await second.runToEnd(id);
      assert.deepEqual(await statuses(project.store, id), { run: "failed", bad: "failed", last: "succeeded" });
    },
  );

  it("is told by plan and why", async () => {
    const project = await open(
      kind,
      `params: { notify: true }
steps:
  one: { run: "true" }
  tell: { run: "true", needs: one, when: "failure() && params.notify" }
  always: { run: "true", needs: one, when: always() }
  never: { run: "true", needs: one, when: "failure() && !params.notify" }
finally:
  last: { run: "true" }
`,
    );
    const loaded = await project.load();
    const { steps } = await plan({ past: createPastRuns(project.store), loaded, pipeline: "p" });
    assert.deepEqual(steps.map(({ step, action, reason }) => `${step} ${action}: ${reason}`).slice(1), [
      "tell depends: it runs only after a failure: failure() && params.notify",
      "always run: when holds: always()",
      "never skip: when is false: failure() && !params.notify",
      "last run: it runs after all others, whatever happened",
    ]);
    assert.equal(
      (await why({ past: createPastRuns(project.store), loaded, step: "tell" })).next.reason,
      "it runs only after a failure: failure() && params.notify",
    );
  });
});

describeStores("a resumed run", (kind) => {
  it("leaves skipped what a verdict holds back", async () => {
    const refuse = {
      name: "refuse",
      load: "code",
      schema: z.strictObject({ refuse: z.string() }),
      describe: () => "refuse",
      analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], cacheable: false, problems: [] }),
      execute: () => Promise.resolve({ status: "succeeded", made: [], blocks: { reason: "too bad" } }),
    };
    const project = await createTestProject(
      kind,
      {
        "pipelines/p.yaml": `steps:\n  verdict: { refuse: it }\n  ship: { run: "touch shipped", needs: verdict }\n  bad: { run: "test -e repaired" }\n  join: { run: "true", needs: [ship, bad] }\n`,
      },
      [refuse as never],
    );
    await project.register();
    const engine = project.engine();
    const id = await engine.submit({ pipeline: "p", actor: "ana" });
    await engine.runToEnd(id);
    await writeFile(join(project.projectFolder, "repaired"), "");
    await engine.resume(id, { actor: "ana" });
    await engine.runToEnd(id);
    assert.deepEqual(await statuses(project.store, id), {
      run: "succeeded",
      verdict: "succeeded",
      ship: "skipped",
      bad: "succeeded",
      join: "skipped",
    });
    assert.equal(await exists(join(project.projectFolder, "shipped")), false);
  });
});

describeStores("mistakes in conditions", (kind) => {
  it("are told with their place", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `steps:
  one: { run: "true" }
  never: { run: "true", when: "steps.one.status == 'failed'" }
  word: { run: "true", when: "always() && steps.one.status == 'failure'" }
  name: { run: "true", when: whenever() }
  outside: { run: "echo \${{ failure() }}" }
  waits: { run: "true", needs: last }
finally:
  last: { run: "true", when: "steps.one.status == 'failed'" }
  one: { run: "true" }
`,
    });
    const { problems } = await project.load();
    assert.deepEqual(
      problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
      [
        "3:31 steps.one.status is never 'failed' here: this step is skipped when \"one\" did not succeed",
        "4:30 a step is never 'failure'",
        '5:30 The expression ${{ whenever() }} cannot be read: there is no function "whenever"',
        "6:19 ${{ failure() }}: failure() can only be asked in when",
        '7:32 step "waits" waits for "last", which stands in finally and runs after all others',
        '10:8 "one" stands in steps and in finally',
      ],
    );
  });
});
