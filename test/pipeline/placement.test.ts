import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createNodeKind, createRunKind } from "#executors";
import { type KnownExecutor, type LoadedProject, loadProjectPipelines, type StepKind } from "#pipeline";
import { temporaryFolder } from "../setup/stores.ts";

const engineKind = {
  ...createNodeKind(),
  name: "computed",
  schema: createRunKind().schema,
  workspace: undefined,
  analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], problems: [] }),
} as unknown as StepKind<never>;

const stayingKind = { ...createRunKind(), name: "run", travels: undefined } as unknown as StepKind<never>;

async function load(
  text: string,
  executors?: readonly KnownExecutor[],
  kinds: readonly StepKind<never>[] = [createRunKind() as StepKind<never>, engineKind],
): Promise<LoadedProject> {
  const projectFolder = await temporaryFolder();
  await mkdir(join(projectFolder, "pipelines"));
  await writeFile(join(projectFolder, "pipelines/p.yaml"), text);
  return loadProjectPipelines({ project: "p", projectFolder, kinds, executors });
}

const told = ({ problems }: LoadedProject): readonly string[] =>
  problems.map(({ line, column, message, hint }) => `${line}:${column} ${message} | ${hint ?? ""}`);

const EXECUTORS = [
  { name: "heavy", isRemote: false },
  { name: "cluster", isRemote: true },
] as const;

describe("where a step runs", () => {
  it("is kept in its definition, the step's own before its pipeline's", async () => {
    const loaded = await load(
      "executor: heavy\nsteps:\n  a: { run: 'true' }\n  b: { run: 'true', executor: cluster, resources: { cpus: 4, gpus: 1, memory: 16GB } }\n  c: { run: 'true', executor: local, resources: { memory: 1.5 GiB } }\n",
      EXECUTORS,
    );
    assert.deepEqual(told(loaded), []);
    assert.deepEqual(
      loaded.pipelines[0]?.steps.map(({ name, executor, resources }) => [name, executor, resources]),
      [
        ["a", "heavy", undefined],
        ["b", "cluster", { cpus: 4, gpus: 1, memoryBytes: 16e9 }],
        ["c", "local", { memoryBytes: 1.5 * 1024 ** 3 }],
      ],
    );
  });

  it("is nothing that the definition of other steps knows of", async () => {
    const loaded = await load("steps: { a: { run: 'true' } }\n", EXECUTORS);
    assert.deepEqual(
      Object.keys(loaded.pipelines[0]?.steps[0] ?? {}).filter((key) => ["executor", "resources"].includes(key)),
      [],
    );
  });

  it("is named with its place where there is no such executor, with the nearest", async () => {
    assert.deepEqual(told(await load("steps:\n  a:\n    run: 'true'\n    executor: clusters\n", EXECUTORS)), [
      '4:15 there is no executor "clusters" | Did you mean "cluster"?',
    ]);
    assert.deepEqual(told(await load("executor: gpu\nsteps:\n  a: { run: 'true' }\n", EXECUTORS)), [
      '1:11 there is no executor "gpu" | Declare it under executors in esteira.yaml. There are: local, heavy, cluster.',
    ]);
  });

  it("is refused for steps that have no process, and for those that need this machine", async () => {
    assert.deepEqual(
      told(await load("steps:\n  a: { computed: x, run: y, executor: heavy }\n", EXECUTORS, [engineKind])).length > 0,
      true,
    );
    assert.deepEqual(told(await load("steps:\n  a: { run: 'true', executor: cluster }\n", EXECUTORS, [stayingKind])), [
      '2:31 a run step runs on the engine\'s own machine, and "cluster" is others | Use executor: local; run, node and python steps can run there.',
    ]);
    const whole = await load("executor: cluster\nsteps:\n  a: { run: 'true' }\n", EXECUTORS, [stayingKind]);
    assert.deepEqual([told(whole), whole.pipelines[0]?.steps[0]?.executor], [[], undefined]);
  });

  it("refuses resources that mean nothing", async () => {
    const found = told(
      await load("steps:\n  a: { run: 'true', resources: { cpus: 0, memory: much, disk: 1 } }\n", EXECUTORS),
    );
    assert.equal(found.length, 3, found.join("\n"));
    assert.match(found.join("\n"), /expected a size such as "16 GB"/);
  });
});
