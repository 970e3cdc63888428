import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { digestOf } from "#base";
import { getAssetVersion, listEvents } from "#metadata-store";
import {
  createPastRuns,
  cancelPipelineRun,
  type Engine,
  fireTrigger,
  followLog,
  getPipelineRun,
  getStepRun,
  listPipelineRuns,
  openGate,
  readLog,
  refuseGate,
} from "#engine";
import { plan, type StepKind, type StepOutcome, why } from "#pipeline";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

interface Act {
  readonly act: string;
  readonly reads?: readonly string[] | undefined;
  readonly value?: string | number | undefined;
}

/**
 * A step in this process: `make` makes data of its value, `train` a model, `score` takes nothing but models, `gate`
 * waits for a gate, `block` refuses what depends on it.
 */
function createActKind(state: { readonly open: Set<string>; onGate?: () => Promise<void> }): StepKind<Act> {
  return {
    name: "act",
    load: "data",
    schema: z.strictObject({
      act: z.string(),
      reads: z.array(z.string()).optional(),
      value: z.union([z.string(), z.number()]).optional(),
    }),
    describe: ({ act }) => act,
    analyse: ({ act, reads }, context) =>
      Promise.resolve({
        inputs: (reads ?? []).map((asset, index) => ({ asset, role: "input", path: ["reads", index] })),
        makes:
          act === "make" || act === "train" ? [{ asset: context.step, kind: act === "make" ? "data" : "model" }] : [],
        files: act === "make" ? [`${context.step}.sql`] : [],
        cacheable: act === "make" || act === "block",
        problems:
          act === "score"
            ? (reads ?? []).flatMap((asset) => {
                const found = context.knownAssets.get(asset) ?? "nothing";
                return found === "model" ? [] : [{ path: ["reads"], message: `${asset} is ${found}, expected model` }];
              })
            : [],
      }),
    async execute(attempt): Promise<StepOutcome> {
      const { act, value } = attempt.declaration;
      if (act === "gate" && !state.open.has(attempt.step)) {
        await state.onGate?.();
        return { status: "waiting", gate: { key: `approval:${attempt.step}`, reason: "needs an approval" } };
      }
      if (act === "block") return { status: "succeeded", made: [], blocks: { reason: "roc_auc 0.61 is below 0.70" } };
      if (act !== "make" && act !== "train") return { status: "succeeded", made: [], facts: { value: value ?? null } };
      const content = `${attempt.step} ${String(value)} ${[...attempt.inputs.values()].map((input) => input.digest).join()}`;
      return {
        status: "succeeded",
        made: [
          {
            asset: attempt.step,
            kind: act === "make" ? "data" : "model",
            digest: digestOf(content),
            content: { content },
            rowCount: 1,
          },
        ],
        facts: { value: value ?? null },
      };
    },
  };
}

interface Setting {
  readonly project: TestProject;
  readonly engine: Engine;
  readonly state: { readonly open: Set<string>; onGate?: () => Promise<void> };
  run(pipeline: string, options?: { from?: string; only?: string; params?: Record<string, unknown> }): Promise<string>;
  steps(id: string): Promise<Record<string, string>>;
  trace(): Promise<string>;
}

type Kind = Parameters<typeof createTestProject>[0];

async function set(kind: Kind, pipelines: Readonly<Record<string, string>>): Promise<Setting> {
  const state: Setting["state"] = { open: new Set() };
  const files = Object.fromEntries(Object.entries(pipelines).map(([name, text]) => [`pipelines/${name}.yaml`, text]));
  const project = await createTestProject(kind, files, [createActKind(state) as StepKind<never>]);
  await project.register();
  const engine = project.engine();
  return {
    project,
    engine,
    state,
    async run(pipeline, options = {}) {
      const id = await engine.submit({ pipeline, actor: "ana", ...options });
      await engine.runToEnd(id, undefined, { untilWaiting: true });
      return id;
    },
    async steps(id) {
      const { run, stepRuns } = await getPipelineRun(project.store, id);
      return {
        run: run.status,
        ...Object.fromEntries(
          stepRuns.map((step) => [
            step.matrixIndex === 0 ? step.step : `${step.step}.${step.matrixIndex}`,
            step.cached ? "cached" : step.status,
          ]),
        ),
      };
    },
    trace: () => readFile(join(project.projectFolder, "trace"), "utf8").catch(() => ""),
  };
}

const CYCLE = `
params: { depth: 6 }
steps:
  raw: { act: make, value: 1 }
  clean: { act: make, reads: [raw] }
  model: { act: make, reads: [clean], value: "\${{ params.depth }}" }
  say: { act: do, reads: [model] }
`;

describeStores("what a user of pipelines expects", (kind) => {
  it("knows of what kind the assets of other pipelines are", async () => {
    const { run, steps } = await set(kind, {
      training: "steps:\n  risk: { act: train, value: 1 }\n",
      scoring: "steps:\n  scores: { act: score, reads: [risk] }\n",
    });
    await run("training");
    assert.deepEqual(await steps(await run("scoring")), { run: "succeeded", scores: "succeeded" });
  });

  it("reuses what did not change, and says what did", async () => {
    const { project, run, steps } = await set(kind, { cycle: CYCLE });
    const sees = async (params?: Record<string, unknown>) => {
      const planned = await plan({
        past: createPastRuns(project.store),
        loaded: await project.load(),
        pipeline: "cycle",
        ...(params === undefined ? {} : { params }),
      });
      return planned.steps.map((step) => step.action);
    };
    assert.deepEqual(await sees(), ["run", "run", "run", "run"]);
    await run("cycle");
    assert.deepEqual(await steps(await run("cycle")), {
      run: "succeeded",
      raw: "cached",
      clean: "cached",
      model: "cached",
      say: "succeeded",
    });
    assert.deepEqual(await sees({ depth: "8" }), ["cached", "cached", "run", "run"]);
    assert.deepEqual(await steps(await run("cycle", { params: { depth: "8" } })), {
      run: "succeeded",
      raw: "cached",
      clean: "cached",
      model: "succeeded",
      say: "succeeded",
    });
    assert.deepEqual(
      (await why({ past: createPastRuns(project.store), loaded: await project.load(), step: "model" })).changes,
      ["value: 8 → 6"],
    );
    await project.write("clean.sql", "select 2");
    assert.deepEqual(await sees({ depth: 8 }), ["cached", "run", "depends", "run"]);
    const explained = await why({ past: createPastRuns(project.store), loaded: await project.load(), step: "clean" });
    assert.deepEqual([explained.next.action, explained.changes], ["run", ["file clean.sql is new"]]);
    // The file changes nothing of what the step makes: what reads it is reused.
    assert.deepEqual(await steps(await run("cycle", { params: { depth: 8 } })), {
      run: "succeeded",
      raw: "cached",
      clean: "succeeded",
      model: "cached",
      say: "succeeded",
    });
    await project.write("pipelines/cycle.yaml", CYCLE.replace("value: 1", "value: 2"));
    await project.register();
    const id = await run("cycle", { params: { depth: 8 } });
    assert.deepEqual(await steps(id), {
      run: "succeeded",
      raw: "succeeded",
      clean: "succeeded",
      model: "succeeded",
      say: "succeeded",
    });
    const clean = (await getPipelineRun(project.store, id)).stepRuns.find((step) => step.step === "clean");
    assert.equal(clean?.reason, "input raw: version 1 → 2");
    const detail = await getStepRun(project.store, clean.id);
    assert.deepEqual(
      [
        detail.inputs.map((input) => `${input.asset} ${input.version}`),
        detail.outputs.map((output) => `${output.asset} ${output.version} ${output.created}`),
      ],
      [["raw 2"], ["clean 2 true"]],
    );
  });

  it("runs a part: from a step on, or one alone, with the latest versions", async () => {
    const { project, engine, run, steps } = await set(kind, { cycle: CYCLE });
    await assert.rejects(
      engine.submit({ pipeline: "cycle", from: "claen", actor: "ana" }),
      /has no step "claen"; it has: raw, clean, model, say/,
    );
    const early = await run("cycle", { only: "clean" });
    assert.equal((await getPipelineRun(project.store, early)).run.error?.code, "PIPELINE_INPUT_MISSING");
    await run("cycle");
    assert.deepEqual(await steps(await run("cycle", { from: "model", params: { depth: 7 } })), {
      run: "succeeded",
      model: "succeeded",
      say: "succeeded",
    });
    await assert.rejects(
      engine.submit({ pipeline: "cycle", params: { dept: 1 }, actor: "ana" }),
      /has no param "dept"/,
    );
    await assert.rejects(
      engine.submit({ pipeline: "cycle", params: { depth: "deep" }, actor: "ana" }),
      /is "deep", expected a number/,
    );
    await assert.rejects(
      engine.submit({ pipeline: "cycles", actor: "ana" }),
      /There is no pipeline "cycles"; known: cycle/,
    );
  });

  it("runs the step again that --from or --only names, and reuses what follows when it came out unchanged", async () => {
    const { project, run, steps } = await set(kind, { cycle: CYCLE });
    await run("cycle");
    const sees = async (selection: { from?: string; only?: string }) =>
      (
        await plan({
          past: createPastRuns(project.store),
          loaded: await project.load(),
          pipeline: "cycle",
          ...selection,
        })
      ).steps.map(({ action, reason }) => `${action}: ${reason}`);
    assert.deepEqual((await sees({ from: "clean" })).slice(0, 2), [
      "run: the run was asked for from this step on",
      "depends: reused if clean comes out unchanged",
    ]);
    assert.deepEqual(await steps(await run("cycle", { from: "clean" })), {
      run: "succeeded",
      clean: "succeeded",
      model: "cached",
      say: "succeeded",
    });
    assert.deepEqual(await sees({ only: "raw" }), ["run: this step was asked for"]);
    const only = await run("cycle", { only: "raw" });
    assert.deepEqual(await steps(only), { run: "succeeded", raw: "succeeded" });
    assert.equal((await getPipelineRun(project.store, only)).stepRuns[0]?.reason, "this step was asked for");
    assert.deepEqual(await steps(await run("cycle")), {
      run: "succeeded",
      raw: "cached",
      clean: "cached",
      model: "cached",
      say: "succeeded",
    });
  });

  it("tries again by the step's rule, and counts a timeout as a failure that ends the processes", async () => {
    const { project, run, steps } = await set(kind, {
      retry: `
steps:
  flaky: { run: "echo x >> flaky; test $(wc -l < flaky) -ge 3", retry: { times: 3, delay: [10ms, 20ms] } }
  picky: { run: "echo x >> picky; exit 3", retry: { times: 5, delay: 0, on: exit 75 } }
  slow: { run: "sleep 60 & sleep 60", timeout: 300ms, needs: flaky }
`,
    });
    const id = await run("retry");
    assert.deepEqual(await steps(id), { run: "failed", flaky: "succeeded", picky: "failed", slow: "failed" });
    const { stepRuns } = await getPipelineRun(project.store, id);
    assert.deepEqual(
      stepRuns.map((step) => [step.step, step.attemptCount]),
      [
        ["flaky", 3],
        ["picky", 1],
        ["slow", 1],
      ],
    );
    assert.equal(stepRuns[2]?.error?.code, "PIPELINE_STEP_TIMED_OUT");
  });

  it("runs every combination of a matrix, within the limit of its group", async () => {
    const { run, steps, trace, project } = await set(kind, {
      fan: `
steps:
  each: { run: "echo b >> trace; until test $(grep -c b trace) -ge 2; do sleep 0.01; done; echo e >> trace", matrix: { a: [1, 2, 3, 4], b: [x, y], exclude: [{ a: 4, b: y }] }, concurrency: 2 }
  all: { run: "true", needs: each }
`,
    });
    const id = await run("fan");
    const { stepRuns } = await getPipelineRun(project.store, id);
    assert.equal(stepRuns.length, 8);
    assert.equal((await steps(id))["all"], "succeeded");
    let active = 0;
    let most = 0;
    for (const line of (await trace()).trim().split("\n")) most = Math.max(most, (active += line === "b" ? 1 : -1));
    assert.equal(most, 2);
  });

  it("holds back what depends on a refusal, and says why without failing", async () => {
    const { project, run, steps } = await set(kind, {
      verdict:
        "steps:\n  model: { act: make, value: 1 }\n  verdict: { act: block, reads: [model] }\n  serve: { act: do, needs: verdict }\n",
    });
    const id = await run("verdict");
    assert.deepEqual(await steps(id), { run: "succeeded", model: "succeeded", verdict: "succeeded", serve: "skipped" });
    const { run: ended, stepRuns } = await getPipelineRun(project.store, id);
    assert.equal(ended.blocked, "verdict refused: roc_auc 0.61 is below 0.70");
    assert.equal(stepRuns[2]?.reason, "verdict refused: roc_auc 0.61 is below 0.70");
    // A reused refusal refuses again.
    assert.deepEqual(await steps(await run("verdict")), {
      run: "succeeded",
      model: "cached",
      verdict: "cached",
      serve: "skipped",
    });
  });

  it("waits for a gate, holding nothing, and goes on or fails when it is moved", async () => {
    const { project, engine, run, steps, state } = await set(kind, {
      ship: "steps:\n  gate: { act: gate }\n  next: { act: do, needs: gate }\n",
    });
    const move = { project: "p", key: "approval:gate", atMs: Date.now(), actor: "rui" };
    const refused = await run("ship");
    assert.deepEqual(await steps(refused), { run: "waiting", gate: "waiting", next: "pending" });
    await project.store.write((transaction) => refuseGate(transaction, { ...move, reason: "not tested" }));
    assert.deepEqual(await steps(refused), { run: "failed", gate: "failed", next: "skipped" });
    const opened = await run("ship");
    state.open.add("gate");
    await project.store.write((transaction) => openGate(transaction, move));
    await engine.runToEnd(opened);
    assert.deepEqual(await steps(opened), { run: "succeeded", gate: "succeeded", next: "succeeded" });
  });

  it("holds no place while it waits for a gate, and takes one again when it goes on", async () => {
    const { project, engine, run, steps, state } = await set(kind, {
      ship: 'steps:\n  gate: { act: gate, when: "params.gated" }\n  next: { run: sleep 0.2 }\nparams: { gated: true }\n',
    });
    const waiting = await run("ship");
    assert.equal((await steps(waiting))["run"], "waiting");
    const other = await engine.submit({ pipeline: "ship", params: { gated: false }, actor: "ana" });
    assert.equal((await steps(other))["run"], "running");
    state.open.add("gate");
    await project.store.write((transaction) =>
      openGate(transaction, { project: "p", key: "approval:gate", atMs: Date.now(), actor: "rui" }),
    );
    assert.equal((await steps(waiting))["run"], "queued");
    await engine.runToEnd(other);
    await engine.runToEnd(waiting);
    assert.deepEqual(
      [await steps(waiting), (await steps(other))["run"]],
      [{ run: "succeeded", gate: "succeeded", next: "succeeded" }, "succeeded"],
    );
  });

  it(
    "works on an older run that holds the place which its run waits for, and says so",
    { timeout: 180_000 },
    async () => {
      const { project, state, run, steps } = await set(kind, {
        ship: "steps:\n  serve: { act: gate }\n  after: { act: say, value: 1, needs: serve }\n",
      });
      const older = await run("ship");
      const newer = await run("ship");
      state.open.add("serve");
      await project.store.write((transaction) =>
        openGate(transaction, { project: "p", key: "approval:serve", actor: "bo", atMs: Date.now() }),
      );
      assert.deepEqual(
        [await steps(older), await steps(newer)].map((one) => one["run"]),
        ["running", "queued"],
      );
      const told: string[] = [];
      await project.engine().runToEnd(newer, undefined, {
        untilWaiting: true,
        onAhead: (ahead) => told.push(`${ahead.run.id} ${ahead.worker?.pid ?? "here"}`),
      });
      assert.deepEqual(told, [`${older} here`]);
      assert.deepEqual(
        [await steps(older), await steps(newer)].map((one) => one["run"]),
        ["succeeded", "succeeded"],
      );
    },
  );

  it("leaves a run that another engine works on alone, and says who does", { timeout: 180_000 }, async () => {
    const { project, engine, steps } = await set(kind, {
      one: 'steps:\n  only: { run: "touch started; while [ ! -e go ]; do sleep 0.02; done" }\n',
    });
    const first = await engine.submit({ pipeline: "one", actor: "ana" });
    const firstEnd = engine.runToEnd(first);
    while ((await steps(first))["only"] !== "running") await delay(5);
    const second = await engine.submit({ pipeline: "one", actor: "ana" });
    const told: string[] = [];
    const secondEnd = project
      .engine()
      .runToEnd(second, undefined, { onAhead: ({ run, worker }) => told.push(`${run.id} ${worker?.pid ?? "here"}`) });
    while (told.length === 0) await delay(5);
    await project.write("go", "");
    assert.equal((await firstEnd).status, "succeeded");
    assert.equal((await secondEnd).status, "succeeded");
    assert.deepEqual(told, [`${first} ${process.pid}`]);
  });

  it("does not miss a gate that opens while the step looks at it", async () => {
    const { project, engine, steps, state } = await set(kind, { ship: "steps:\n  gate: { act: gate }\n" });
    state.onGate = async () => {
      state.open.add("gate");
      await project.store.write((transaction) =>
        openGate(transaction, { project: "p", key: "approval:gate", atMs: Date.now(), actor: "rui" }),
      );
    };
    const id = await engine.submit({ pipeline: "ship", actor: "ana" });
    await engine.runToEnd(id);
    assert.deepEqual(await steps(id), { run: "succeeded", gate: "succeeded" });
  });

  it("cancels what runs with its processes, and never starts what had not begun", async () => {
    const { project, engine, steps, trace } = await set(kind, {
      long: "steps:\n  long: { run: \"echo started; (trap '' TERM; sleep 60) & sleep 60\", retry: 5 }\n  after: { run: echo after >> trace, needs: long }\n",
    });
    const id = await engine.submit({ pipeline: "long", actor: "ana" });
    const ended = engine.runToEnd(id);
    const long = (await getPipelineRun(project.store, id)).stepRuns[0]?.id ?? "";
    for await (const piece of followLog(project, { stepRunId: long })) {
      if (!piece.text.includes("started")) continue;
      await cancelPipelineRun(project.store, { id, actor: "ana", atMs: Date.now() });
    }
    assert.equal((await ended).status, "cancelled");
    assert.deepEqual(await steps(id), { run: "cancelled", long: "cancelled", after: "cancelled" });
    assert.equal(await trace(), "");
    const queued = await engine.submit({ pipeline: "long", actor: "ana" });
    await cancelPipelineRun(project.store, { id: queued, actor: "ana", atMs: Date.now() });
    assert.equal((await engine.runToEnd(queued)).status, "cancelled");
    assert.deepEqual(
      (await getStepRun(project.store, (await getPipelineRun(project.store, queued)).stepRuns[0]?.id ?? "")).attempts,
      [],
    );
  });

  it("starts what subscribes to a new version, an alert, a push: in the same transaction, and nothing by a changed definition", async () => {
    const { project, engine, run } = await set(kind, {
      cycle: CYCLE,
      after:
        'on: { data: mod*, alert: "delay.*", push: main }\nsteps:\n  read: { act: do, reads: [model], value: "${{ trigger.subject }}" }\n',
    });
    assert.deepEqual(await listPipelineRuns(project.store, { project: "p" }), []);
    const cycle = await run("cycle");
    const runs = await listPipelineRuns(project.store, { project: "p", pipeline: "after" });
    assert.deepEqual(
      runs.map(({ trigger, status }) => [trigger.kind, trigger.subject, trigger.cause["pipelineRunId"], status]),
      [["data", "model", cycle, "running"]],
    );
    await engine.runToEnd(runs[0]?.id ?? "");
    assert.equal((await getPipelineRun(project.store, runs[0]?.id ?? "")).stepRuns[0]?.facts?.["value"], "model");
    await run("cycle");
    assert.equal(
      (await listPipelineRuns(project.store, { project: "p", pipeline: "after" })).length,
      1,
      "an unchanged version starts nothing",
    );
    const fire = (subject: string) =>
      project.store.write((transaction) =>
        fireTrigger(transaction, {
          project: "p",
          on: "alert",
          subject,
          cause: { value: 0.3 },
          atMs: Date.now(),
          actor: "engine",
        }),
      );
    const [first] = await fire("delay.drift");
    assert.deepEqual(
      [await fire("other.drift"), await fire("delay.psi")],
      [[], [first]],
      "a further alert joins the run that has not begun",
    );
    await engine.runToEnd(first ?? "");
    assert.notDeepEqual(await fire("delay.auc"), [first], "one that has begun is not joined");
    await assert.rejects(
      project.store.write(async (transaction) => {
        await fireTrigger(transaction, {
          project: "p",
          on: "push",
          subject: "main",
          cause: {},
          atMs: Date.now(),
          actor: "ana",
        });
        throw new Error("undone");
      }),
      /undone/,
    );
    assert.equal((await listPipelineRuns(project.store, { project: "p", pipeline: "after" })).length, 3);
  });

  it("runs schedules that are due, with the rule for missed ticks", async () => {
    const { project } = await set(kind, {});
    const minutes = 60_000;
    let now = Date.UTC(2026, 0, 5, 12, 0, 30);
    const clock = { now: () => now, monotonic: () => performance.now() };
    const schedule = (missed: string) =>
      `on: { schedule: { cron: "*/10 * * * *", missed: ${missed} } }\nconcurrency: 10\nsteps: { s: { act: do } }\n`;
    for (const rule of ["skip", "once", "all"]) await project.write(`pipelines/${rule}.yaml`, schedule(rule));
    const loaded = await project.load();
    const { registerPipelines } = await import("#engine");
    await registerPipelines(project.store, { project: "p", pipelines: loaded.pipelines, actor: "ana", atMs: now });
    now += 35 * minutes;
    const engine = project.engine({ clock });
    await engine.start();
    const count = async (pipeline: string) =>
      (await listPipelineRuns(project.store, { project: "p", pipeline })).length;
    assert.deepEqual([await count("skip"), await count("once"), await count("all")], [0, 1, 3]);
    await engine.stop();
  });

  it("gives a process only what was declared, and masks secrets in the log also when they come in pieces", async () => {
    const { project, run } = await set(kind, {
      env: `
steps:
  env:
    run: "env | cut -d= -f1 | sort | tr '\\\\n' ' '; echo; echo token=$TOKEN; printf s3cr; sleep 0.05; printf 'et-value\\\\n'"
    env: { COLOR: "\${{ params.color }}" }
    secrets: [TOKEN]
params: { color: blue }
`,
    });
    const id = await run("env");
    const { stepRuns } = await getPipelineRun(project.store, id);
    const text = (await readLog(project, { stepRunId: stepRuns[0]?.id ?? "" })).pieces
      .map((piece) => piece.text)
      .join("");
    const names = (text.split("\n")[0] ?? "")
      .trim()
      .split(" ")
      .filter((name) => !/^(ESTEIRA_|MLFLOW_|PYTHON|OMP_)/.test(name));
    assert.deepEqual(names, ["COLOR", "HOME", "LANG", "PATH", "PWD", "TMPDIR", "TOKEN"]);
    assert.match(text, /token=\*\*\*\n\*\*\*\n$/);
  });

  it("refuses values that a shell would interpret", async () => {
    const { project, run } = await set(kind, {
      shell: 'params: { name: x }\nsteps: { s: { run: "echo ${{ params.name }}" } }\n',
    });
    assert.equal(
      (await getPipelineRun(project.store, await run("shell", { params: { name: "plain-1.0" } }))).run.status,
      "succeeded",
    );
    assert.equal(
      (await getPipelineRun(project.store, await run("shell", { params: { name: "$(touch owned)" } }))).run.error?.code,
      "PIPELINE_VALUE_UNSAFE",
    );
  });

  it("keeps what a step makes as a tree and passes it on in place", async () => {
    const { project, run } = await set(kind, {
      build:
        'steps:\n  app: { run: mkdir -p dist/sub && echo hi > dist/sub/a.txt, makes: { code: dist }, files: pipelines/*.yaml }\n  use: { run: \'cat "$(sed -n "s/.*\\"path\\": \\"\\(.*\\)\\".*/\\1/p" $ESTEIRA_CONTEXT)/sub/a.txt"\', inputs: [app] }\n',
    });
    const id = await run("build");
    const { run: ended, stepRuns } = await getPipelineRun(project.store, id);
    assert.equal(ended.status, "succeeded", JSON.stringify(ended.error));
    assert.equal(
      (await readLog(project, { stepRunId: stepRuns[1]?.id ?? "" })).pieces.map((piece) => piece.text).join(""),
      "hi\n",
    );
    const version = await project.store.read((transaction) =>
      getAssetVersion(transaction, { project: "p", asset: "app" }),
    );
    assert.deepEqual([version?.kind, version?.sizeBytes, version?.stepRunId], ["code", 3, stepRuns[0]?.id]);
  });

  it("lets one run of a pipeline work at a time, the next one starting in the transaction that ends it", async () => {
    const { project, engine } = await set(kind, { one: "steps: { s: { run: sleep 0.1 } }\n" });
    const first = await engine.submit({ pipeline: "one", actor: "ana" });
    const second = await engine.submit({ pipeline: "one", actor: "ana" });
    assert.equal((await getPipelineRun(project.store, second)).run.status, "queued");
    await engine.runToEnd(first);
    assert.equal((await getPipelineRun(project.store, second)).run.status, "running");
    await engine.runToEnd(second);
    const types = (
      await project.store.read((transaction) =>
        listEvents(transaction, { subjectKind: "pipeline_run", subject: second }),
      )
    ).map((event) => event.type);
    assert.deepEqual(types, ["pipeline_run.queued", "pipeline_run.started", "pipeline_run.succeeded"]);
  });

  it("two engines on one store share the work without running anything twice", async () => {
    const { project, engine } = await set(kind, {
      fan: `steps:\n  each: { run: 'echo "$ESTEIRA_STEP" >> trace; sleep 0.02', matrix: { n: [${Array.from({ length: 24 }, (_, index) => index).join(", ")}] } }\n`,
    });
    await mkdir(project.projectFolder, { recursive: true });
    await writeFile(join(project.projectFolder, "trace"), "");
    const other = project.engine();
    const id = await engine.submit({ pipeline: "fan", actor: "ana" });
    const [first, second] = await Promise.all([engine.runToEnd(id), other.runToEnd(id)]);
    assert.deepEqual([first.status, second.status], ["succeeded", "succeeded"]);
    assert.equal((await readFile(join(project.projectFolder, "trace"), "utf8")).trim().split("\n").length, 24);
    await delay(0);
  });
});
