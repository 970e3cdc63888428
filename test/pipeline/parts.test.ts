import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { createNodeKind, createRunKind } from "#executors";
import { formatProblems } from "#base";
import { digestOfDefinition, loadProjectPipelines, type LoadedProject, type StepKind } from "#pipeline";

const kinds = [createRunKind(), createNodeKind()] as unknown as readonly StepKind<never>[];

async function load(files: Readonly<Record<string, string>>): Promise<LoadedProject> {
  const projectFolder = await mkdtemp(join(tmpdir(), "esteira-parts-"));
  after(() => rm(projectFolder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(projectFolder, path)), { recursive: true });
    await writeFile(join(projectFolder, path), content);
  }
  return loadProjectPipelines({ project: "p", projectFolder, kinds });
}

const mistakesOf = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> =>
  formatProblems((await load(files)).problems)
    .split("\n")
    .filter((line) => line !== "");

async function stepsOf(files: Readonly<Record<string, string>>) {
  const { problems, pipelines } = await load(files);
  assert.equal(formatProblems(problems), "");
  return new Map(pipelines.flatMap(({ steps }) => steps.map((step) => [step.name, step] as const)));
}

const LOAD = `inputs:
  table: { type: string }
  depth: { type: number, default: 6 }
  mode: { enum: [fast, full], default: fast }
step:
  run: load \${{ inputs.table }} --depth \${{ inputs.depth }} --mode=\${{ inputs.mode }}
  timeout: 5m
  outputs: rows
`;
const SHIP = `inputs: { target: { type: string }, ready: { type: string, required: false } }
outputs: { address: "\${{ steps.push.outputs.url }}" }
steps:
  build: { run: "make \${{ inputs.target }}" }
  push: { run: "push \${{ inputs.target }}", needs: build, outputs: url, when: "inputs.ready != 'no'" }
`;

describe("a part with one step", () => {
  it("is the step itself, with its inputs in place and keys of the use on top", async () => {
    const steps = await stepsOf({
      "pipelines/parts/load.yaml": LOAD,
      "pipelines/p.yaml": `steps:
  orders: { uses: ./pipelines/parts/load.yaml, with: { table: orders, mode: full }, timeout: 10m }
  after: { run: "echo \${{ steps.orders.outputs.rows }}" }
`,
    });
    assert.equal(steps.get("orders")?.declaration["run"], "load orders --depth 6 --mode=full");
    assert.equal(steps.get("orders")?.timeoutMs, 600_000);
    assert.deepEqual(steps.get("after")?.needs, ["orders"]);
    assert.deepEqual(steps.get("orders")?.from, {
      part: "pipelines/parts/load.yaml",
      line: 5,
      uses: [{ file: "pipelines/p.yaml", line: 2, step: "orders" }],
    });
  });

  it("takes lists, maps and expressions as they are, and refuses what a shell would interpret", async () => {
    const part = `inputs: { command: { type: list }, env: { type: map }, who: any, times: { type: list } }
step:
  run: \${{ inputs.command }}
  env: { FIRST: "\${{ inputs.env.first }}", WHO: "for \${{ inputs.who }}" }
  for_each: \${{ inputs.times }}
`;
    const steps = await stepsOf({
      "pipelines/parts/a.yaml": part,
      "pipelines/p.yaml": `params: { name: x }
steps:
  one:
    uses: ./pipelines/parts/a.yaml
    with: { command: [echo, "a b", "it's"], env: { first: 1st }, who: "\${{ params.name }}", times: [1, 2] }
`,
    });
    assert.deepEqual(steps.get("one")?.declaration["run"], ["echo", "a b", "it's"]);
    assert.deepEqual(steps.get("one")?.env, { FIRST: "1st", WHO: "for ${{ params.name }}" });
    assert.deepEqual(steps.get("one")?.forEach, { items: [1, 2] });
    assert.deepEqual(
      await mistakesOf({
        "pipelines/parts/load.yaml": LOAD,
        "pipelines/p.yaml": `steps:\n  orders: { uses: ./pipelines/parts/load.yaml, with: { table: "x; rm -rf /" } }\n`,
      }),
      [
        'pipelines/parts/load.yaml:6:8  the text "x; rm -rf /" stands in a shell line, and a shell would interpret it (used in pipelines/p.yaml:2)',
        '    Pass it through env: { NAME: "${{ … }}" } and write "$NAME" in the command.',
      ],
    );
  });
});

describe("a part with several steps", () => {
  it("has steps named after the use, outputs, and waits as a whole", async () => {
    const steps = await stepsOf({
      "pipelines/parts/ship.yaml": SHIP,
      "pipelines/p.yaml": `steps:
  first: { run: ls, outputs: ok }
  app:
    uses: ./pipelines/parts/ship.yaml
    with: { target: app, ready: "\${{ steps.first.outputs.ok }}" }
    needs: first
    when: trigger.kind == 'manual'
  told: { run: "echo \${{ steps.app.outputs.address }}" }
  last: { run: ls, needs: app }
`,
    });
    assert.deepEqual([...steps.keys()].toSorted(), ["app_build", "app_push", "first", "last", "told"]);
    assert.deepEqual(steps.get("app_build")?.needs, ["first"]);
    assert.deepEqual(steps.get("app_push")?.needs, ["app_build", "first"]);
    assert.equal(steps.get("app_push")?.when, "(trigger.kind == 'manual') && ((steps.first.outputs.ok != 'no'))");
    assert.equal(steps.get("told")?.declaration["run"], "echo ${{ steps.app_push.outputs.url }}");
    assert.deepEqual(steps.get("told")?.needs, ["app_push"]);
    assert.deepEqual(steps.get("last")?.needs, ["app_build", "app_push"]);
  });

  it("uses other parts, gives one step the name of the use, and knows its own names", async () => {
    const steps = await stepsOf({
      "pipelines/parts/load.yaml": LOAD,
      "pipelines/parts/more/table.yaml": `inputs: { name: { type: string } }
makes: clean
outputs: { rows: "\${{ steps.raw.outputs.rows }}" }
steps:
  raw: { uses: ./pipelines/parts/load.yaml, with: { table: "\${{ inputs.name }}", depth: 1 } }
  clean: { run: "clean \${{ part.steps.raw }} \${{ part.name }}", needs: raw, outputs: [bad] }
`,
      "pipelines/p.yaml": `steps:
  orders: { uses: ./pipelines/parts/more/table.yaml, with: { name: orders } }
  report: { run: "echo \${{ steps.orders.outputs.rows }} \${{ steps.orders.outputs.bad }} \${{ steps.orders_raw.status }}" }
finally:
  swept: { uses: ./pipelines/parts/load.yaml, with: { table: tmp } }
`,
    });
    assert.equal(steps.get("orders_raw")?.declaration["run"], "load orders --depth 1 --mode=fast");
    assert.equal(steps.get("orders")?.declaration["run"], "clean orders_raw orders");
    assert.equal(
      steps.get("report")?.declaration["run"],
      "echo ${{ steps.orders_raw.outputs.rows }} ${{ steps.orders.outputs.bad }} ${{ steps.orders_raw.status }}",
    );
    assert.equal(steps.get("swept")?.finally, true);
    assert.deepEqual(
      steps.get("orders_raw")?.from?.uses.map(({ file, line }) => `${file}:${line}`),
      ["pipelines/parts/more/table.yaml:5", "pipelines/p.yaml:2"],
    );
  });
});

describe("mistakes of parts", () => {
  it("name the part and every use, whatever is wrong", async () => {
    assert.deepEqual(
      await mistakesOf({
        "pipelines/parts/a.yaml": `inputs: { n: { type: number }, mode: { enum: [x, y] } }
steps:
  one: { rum: ls }
  two: { run: "echo \${{ inputs.m }} \${{ params.p }} \${{ steps.nine.status }}", needs: [one, six] }
`,
        "pipelines/p.yaml": `params: { p: 1 }
steps:
  u: { uses: ./pipelines/parts/a.yaml, with: { n: many, mode: z, k: 1 }, timeout: 3 }
  v: { uses: ./pipelines/parts/b.yaml }
  w: { uses: ../outside.yaml, run: ls }
  x: { run: "echo \${{ steps.u.status }}" }
`,
      }),
      [
        'pipelines/p.yaml:3:51  input "n" is a number, found "many" (declared in pipelines/parts/a.yaml:1)',
        "    Give it a number.",
        'pipelines/p.yaml:3:63  input "mode" cannot be "z" (declared in pipelines/parts/a.yaml:1)',
        '    It takes "x", "y".',
        'pipelines/p.yaml:3:69  pipelines/parts/a.yaml has no input "k"',
        '    Did you mean "n"?',
        'pipelines/p.yaml:3:74  unknown key "timeout" beside uses',
        "    The part has several steps: make it an input, or set it in the part.",
        'pipelines/p.yaml:4:14  there is no part "./pipelines/parts/b.yaml"',
        '    Did you mean "./pipelines/parts/a.yaml"?',
        'pipelines/p.yaml:5:14  "../outside.yaml" is no part',
        "    Write uses: ./pipelines/parts/NAME.yaml, a file of the project.",
        'pipelines/p.yaml:6:13  ${{ steps.u.status }}: "u" uses a part of 2 steps, which have no status together',
        "    Read one of its steps: u_one, u_two; or one of its outputs.",
        'pipelines/parts/a.yaml:3:10  unknown key "rum" (used in pipelines/p.yaml:3)',
        '    Did you mean "run"?',
        'pipelines/parts/a.yaml:4:15  ${{ inputs.m }}: the part has no input "m" (used in pipelines/p.yaml:3)',
        '    Did you mean "n"?',
        "pipelines/parts/a.yaml:4:15  ${{ params.p }}: a part does not see the params of its pipeline (used in pipelines/p.yaml:3)",
        "    Make it an input, and give it: with: { … }.",
        'pipelines/parts/a.yaml:4:15  ${{ steps.nine.status }}: there is no step "nine" (used in pipelines/p.yaml:3)',
        "    Steps: one, two.",
        'pipelines/parts/a.yaml:4:93  there is no step "six" in this part (used in pipelines/p.yaml:3)',
        "    Steps: one, two.",
      ],
    );
  });

  it("refuse parts that use each other, with the path", async () => {
    assert.deepEqual(
      await mistakesOf({
        "pipelines/parts/a.yaml": "steps:\n  x: { uses: ./pipelines/parts/b.yaml }\n",
        "pipelines/parts/b.yaml": "step:\n  uses: ./pipelines/parts/a.yaml\n",
        "pipelines/p.yaml": "steps:\n  one: { uses: ./pipelines/parts/a.yaml }\n  two: { run: ls, needs: one }\n",
      }),
      [
        "pipelines/parts/b.yaml:2:9  these parts use each other: pipelines/parts/a.yaml:2 → pipelines/parts/b.yaml:2 → pipelines/parts/a.yaml",
        "    Take one of these uses out.",
      ],
    );
  });

  it("are told of parts that nobody uses, and of growth without end", async () => {
    const found = await mistakesOf({
      "pipelines/parts/none.yaml": "inputs: { a: { type: number, default: six } }\nsteps: {}\n",
      ...Object.fromEntries(
        ["a", "b", "c", "d", "e"].map((name, index, all) => [
          `pipelines/parts/${name}.yaml`,
          `steps:\n${Array.from({ length: 12 }, (_, nth) => `  s${nth}: ${index + 1 < all.length ? `{ uses: ./pipelines/parts/${all[index + 1]}.yaml }` : "{ run: ls }"}\n`).join("")}`,
        ]),
      ),
      "pipelines/p.yaml": "steps:\n  one: { uses: ./pipelines/parts/a.yaml }\n",
    });
    assert.match(found.join("\n"), /more than 10000 steps with this part/);
    assert.match(found.join("\n"), /none.yaml:1:.*input "a" is a number, found "six"/);
    assert.match(found.join("\n"), /none.yaml:2:.*the part has no step/);
  });
});

describe("the digest of a pipeline", () => {
  const pipeline = "steps:\n  orders: { uses: ./pipelines/parts/load.yaml, with: { table: orders } }\n";
  const digest = async (part: string, text = pipeline) => {
    const [definition] = (await load({ "pipelines/parts/load.yaml": part, "pipelines/p.yaml": text })).pipelines;
    assert.ok(definition);
    return digestOfDefinition(definition);
  };

  it("follows its parts, and not the lines on which they stand", async () => {
    assert.equal(await digest(LOAD), await digest(`# a remark\n${LOAD}`, `# another\n${pipeline}`));
    assert.notEqual(await digest(LOAD), await digest(LOAD.replace("default: 6", "default: 7")));
  });
});
