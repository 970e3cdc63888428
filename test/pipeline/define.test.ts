import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { z } from "zod";
import { createNodeKind, createRunKind } from "#executors";
import { formatProblems } from "#base";
import { digestOfDefinition, jsonSchemas, loadProjectPipelines, type LoadedProject, type StepKind } from "#pipeline";

/** Stands for kinds of other modules: reads the assets it lists and makes its own. */
const makeKind: StepKind<{ make: readonly string[]; depth?: number | undefined; python?: string | undefined }> = {
  name: "make",
  load: "data",
  schema: z.strictObject({ make: z.array(z.string()), depth: z.number().optional(), python: z.string().optional() }),
  describe: ({ make }) => `make from ${make.join(", ")}`,
  analyse: (declaration, context) =>
    Promise.resolve({
      inputs: declaration.make.map((asset, index) => ({ asset, role: "input", path: ["make", index] })),
      makes: [{ asset: context.step, kind: "data" }],
      files: [],
      problems: [],
    }),
  execute: () => Promise.reject(new Error("not run here")),
};
const pythonKind: StepKind<{ python: string }> = {
  name: "python",
  load: makeKind.load,
  schema: z.strictObject({ python: z.string() }),
  describe: () => "",
  analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], problems: [] }),
  execute: () => Promise.reject(new Error("not run here")),
};
const kinds = [createRunKind(), createNodeKind(), makeKind, pythonKind] as unknown as readonly StepKind<never>[];

async function load(files: Readonly<Record<string, string>>): Promise<LoadedProject> {
  const projectFolder = await mkdtemp(join(tmpdir(), "esteira-define-"));
  after(() => rm(projectFolder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(projectFolder, path)), { recursive: true });
    await writeFile(join(projectFolder, path), content);
  }
  return loadProjectPipelines({ project: "p", projectFolder, kinds });
}

const mistakesOf = async (pipeline: string, more: Readonly<Record<string, string>> = {}): Promise<string> =>
  formatProblems((await load({ "pipelines/p.yaml": pipeline, ...more })).problems);

describe("pipeline files", () => {
  it("report every mistake of every file at once, with place, finding, expectation and nearest name", async () => {
    const { problems } = await load({
      "pipelines/a.yaml": 'on: { schedul: "0 4 * * *" }\nsteps:\n  one: { run: true }\n',
      "pipelines/b.yaml":
        "steps:\n  one: { rum: ls }\n  two: { run: ls, nedes: one, retry: many }\n  three: { make: [ones] }\n  four: { run: ls, needs: twoo }\n  five: {make: [six]}\n",
    });
    assert.equal(
      formatProblems(problems),
      [
        'pipelines/a.yaml:1:7  unknown key "schedul"\n    Did you mean "schedule"?',
        'pipelines/b.yaml:2:10  unknown key "rum"\n    Did you mean "run"?',
        'pipelines/b.yaml:3:19  unknown key "nedes"\n    Did you mean "needs"?',
        'pipelines/b.yaml:3:38  found the text "many", expected a number or a map',
        'pipelines/b.yaml:5:27  there is no step "twoo" in this pipeline\n    Did you mean "two"?',
      ].join("\n"),
    );
  });

  it("name what no step makes once every pipeline can be read", async () => {
    const reader = "on: { data: [ones] }\nsteps:\n  three: { make: [ones] }\n";
    const told = async (maker: string): Promise<string> =>
      formatProblems((await load({ "pipelines/a.yaml": maker, "pipelines/b.yaml": reader })).problems);
    assert.equal(
      await told("steps:\n  ones: { make: [] }\n  ones: { make: [] }\n"),
      "pipelines/a.yaml:3:3  ones stands twice in the same place\n    Keep one of the two.",
    );
    const missed = await told("steps:\n  one: { make: [] }\n");
    assert.match(missed, /b\.yaml:1:14 {2}no step makes "ones", so this never starts the pipeline/);
    assert.match(missed, /b\.yaml:3:19 {2}no step makes "ones", which step "three" reads/);
  });

  it("name pools that there are, and no more slots than they have", async () => {
    const folder = (
      await load({
        "pipelines/p.yaml":
          "steps:\n  a: { run: ls, pool: wharehouse }\n  b: { run: ls, pool: warehouse, slots: 3 }\n  c: { run: ls, slots: 2 }\n  d: { run: ls, pool: warehouse, slots: 2, priority: -5 }\n",
      })
    ).projectFolder;
    const pools = { warehouse: { slots: 2 } };
    const { problems } = await loadProjectPipelines({ project: "p", projectFolder: folder, kinds, pools });
    assert.equal(
      formatProblems(problems),
      [
        'pipelines/p.yaml:2:23  there is no pool "wharehouse"\n    Did you mean "warehouse"?',
        'pipelines/p.yaml:3:41  the step asks for 3 slots, and pool "warehouse" has 2\n    It could never begin: ask for fewer, or give the pool more in esteira.yaml.',
        "pipelines/p.yaml:4:24  slots are those of a pool, and the step names none\n    Add pool: NAME.",
      ].join("\n"),
    );
  });

  it("infer edges from what is read, in topological order", async () => {
    const { pipelines, problems } = await load({
      "pipelines/p.yaml":
        "steps:\n  last: { make: [middle, first] }\n  middle: { make: [first] }\n  first: { make: [] }\n  alone: { run: ls, needs: last }\n",
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      pipelines[0]?.steps.map((step) => [step.name, step.needs]),
      [
        ["first", []],
        ["middle", ["first"]],
        ["last", ["first", "middle"]],
        ["alone", ["last"]],
      ],
    );
  });

  it("show a cycle as the path that makes it", async () => {
    assert.match(
      await mistakesOf("steps:\n  a: { make: [c] }\n  b: { make: [a] }\n  c: { make: [b] }\n"),
      /^pipelines\/p\.yaml:2:3 {2}these steps wait for each other: a \(line 2\) → needs c \(line 4\) → needs b \(line 3\) → needs a \(line 2\)\n    /,
    );
  });

  it("refuse what YAML forbids or abuses, with a place", async () => {
    assert.match(await mistakesOf("steps:\n  a: { run: ls }\n  a: { run: ls }\n"), /3:3 {2}a stands twice/);
    assert.match(await mistakesOf("steps:\n\ta: { run: ls }\n"), /2:\d+ {2}(A tab indents this line|Not valid YAML)/);
    assert.match(await mistakesOf(""), /1:1 {2}The file is empty/);
    assert.match(
      await mistakesOf("steps:\n  22: { run: ls }\n"),
      /2:3 {2}The key 22 is not text\n    Write it in quotes: "22"/,
    );
    assert.match(
      await mistakesOf(`# ${"x".repeat(1_000_001)}\n`),
      /The file has 1000\d\d\d bytes, at most 1000000 are read/,
    );
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e"].map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${"abcd"[index]}`).join(",")}]`).join("\n")}\n`;
    assert.match(await mistakesOf(bomb), /repeats its anchors/);
  });

  it("check expressions: params, matrix and steps by name", async () => {
    const text = await mistakesOf(
      'params: { depth: 6 }\nsteps:\n  a: { run: "echo ${{ params.dept }} ${{ matrix.node }}", matrix: { nodes: [1] } }\n  b: { run: "echo ${{ steps.aa.facts.x }} ${{ 1 + 1 }}" }\n  c: { make: [], depth: "${{ params.depth }}" }\n',
    );
    assert.match(text, /3:13 {2}\$\{\{ params\.dept \}\}: there is no param "dept"\n    Did you mean "depth"\?/);
    assert.match(text, /there is no matrix key "node"\n    Did you mean "nodes"\?/);
    assert.match(text, /there is no step "aa"/);
    assert.match(text, /The expression \$\{\{ 1 \+ 1 \}\} cannot be read/);
    assert.doesNotMatch(text, /depth: /);
  });

  it("take what only a run knows, what a caller sent or how a step ended, where a text belongs", async () => {
    const { problems } = await load({
      "pipelines/p.yaml":
        'steps:\n  a: { run: "${{ trigger.body.shop.name }}" }\n  b: { run: "${{ steps.a.status }}" }\n',
    });
    assert.deepEqual(problems, []);
  });

  it("find the kind of a step that holds the names of two kinds", async () => {
    const { pipelines, problems } = await load({
      "pipelines/p.yaml": "steps:\n  a: { make: [], python: requirements.txt }\n  b: { python: x.py }\n",
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      pipelines[0]?.steps.map((step) => step.kind),
      ["make", "python"],
    );
    assert.match(await mistakesOf("steps:\n  a: { run: ls, make: [] }\n"), /the step is of 2 kinds at once: run, make/);
  });

  it("refuse schedules that cannot be read, and triggers that run for ever or never", async () => {
    assert.match(
      await mistakesOf('on: { schedule: "61 4 * * *" }\nsteps: { a: { run: ls } }\n'),
      /1:17 {2}the schedule "61 4 \* \* \*" cannot be read/,
    );
    assert.match(
      await mistakesOf('on: { schedule: { cron: "0 4 * * *", timezone: Europe/Lisboa } }\nsteps: { a: { run: ls } }\n'),
      /unknown time zone "Europe\/Lisboa"/,
    );
    assert.match(
      await mistakesOf("on: { data: fligths }\nsteps: { flights: { make: [] } }\n"),
      /1:13 {2}no step makes "fligths", so this never starts the pipeline\n    Did you mean "flights"\?/,
    );
    assert.match(
      await mistakesOf("on: { data: b }\nsteps: { a: { make: [] } }\n", {
        "pipelines/q.yaml": "on: { data: a }\nsteps: { b: { make: [] } }\n",
      }),
      /these pipelines would start each other for ever: p → q → p/,
    );
  });

  it("keep their digest when comments, descriptions or the order of keys change, also with a jittered delay", async () => {
    const digest = async (text: string): Promise<string | undefined> => {
      const [definition] = (await load({ "pipelines/p.yaml": text })).pipelines;
      return definition === undefined ? undefined : digestOfDefinition(definition);
    };
    const first = await digest("steps:\n  a: { run: ls, retry: { times: 3, delay: 10s, jitter: 0.5 } }\n");
    assert.equal(
      await digest(
        "# why\ndescription: says why\nsteps:\n  a: { retry: { jitter: 0.5, delay: 10, times: 3 }, run: ls, description: lists }\n",
      ),
      first,
    );
    assert.notEqual(await digest("steps:\n  a: { run: ls -l, retry: { times: 3, delay: 10s, jitter: 0.5 } }\n"), first);
  });

  it("have deadlines: a duration, or for a pipeline a time of the day in a time zone that there is", async () => {
    const steps = "steps: { a: { run: ls } }\n";
    assert.equal(await mistakesOf(`deadline: 30m\n${steps}`), "");
    assert.equal(await mistakesOf(`deadline: 08:30 America/Sao_Paulo\n${steps}`), "");
    assert.match(await mistakesOf(`deadline: 8:30 Mars/Olympus\n${steps}`), /1:11  unknown time zone "Mars\/Olympus"/);
    assert.match(await mistakesOf(`deadline: 24:00\n${steps}`), /1:11  found the text "24:00", expected a deadline/);
    assert.match(await mistakesOf(`deadline: 0\n${steps}`), /1:11  found 0, expected more than nothing/);
    assert.match(
      await mistakesOf("steps: { a: { run: ls, deadline: 08:30 } }\n"),
      /1:34  the deadline of a step is a duration, found a time of the day/,
    );
  });

  it("have JSON Schemas that know every kind", () => {
    const schema = jsonSchemas(kinds)["pipeline.schema.json"] as {
      properties: { steps: { additionalProperties: { anyOf: { title: string; properties: object }[] } } };
    };
    const steps = schema.properties.steps.additionalProperties.anyOf;
    assert.deepEqual(
      steps.map((step) => step.title),
      ["run step", "node step", "make step", "python step", "use of a part"],
    );
    assert.ok(steps.every((step) => "needs" in step.properties && "retry" in step.properties));
  });
});
