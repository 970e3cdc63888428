import assert from "node:assert/strict";
import { it } from "node:test";
import { getPipelineRun, readLog } from "#engine";
import type { PipelineRunDetail } from "#engine";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

async function submit(project: TestProject, pipeline = "p") {
  await project.register();
  const engine = project.engine();
  return { engine, id: await engine.submit({ pipeline, actor: "ana" }) };
}

async function runTo(project: TestProject) {
  const { engine, id } = await submit(project);
  const run = await engine.runToEnd(id);
  return { engine, id, run, detail: await getPipelineRun(project.store, id) };
}

/** The items of a step as text, each with its status. */
function itemsOf({ stepRuns }: PipelineRunDetail, step: string): readonly string[] {
  return stepRuns
    .filter((each) => each.step === step && each.matrix !== undefined)
    .map(({ matrix, status, cached }) => `${JSON.stringify(matrix?.["item"])} ${cached ? "cached" : status}`);
}

async function logOf(project: TestProject, { stepRuns }: PipelineRunDetail, step: string): Promise<string> {
  const { pieces } = await readLog(project, {
    stepRunId: stepRuns.findLast((each) => each.step === step)?.id ?? "",
  });
  return pieces.map(({ text }) => text).join("");
}

describeStores("a step for each item", (kind) => {
  it("runs once per entry of an output, and what follows has the results of all", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  list: { run: 'echo "shards=[\\"a\\",\\"b b\\",{\\"n\\":3}]" >> "$ESTEIRA_OUTPUT"', outputs: shards }
  work:
    for_each: \${{ steps.list.outputs.shards }}
    run: 'echo "size=\${#ESTEIRA_ITEM}" >> "$ESTEIRA_OUTPUT"; echo "$ESTEIRA_ITEM_INDEX: $ITEM"'
    env: { ITEM: '\${{ item }}' }
  join: { run: 'echo "$SIZES"; echo "$ITEMS"', env: { SIZES: '\${{ steps.work.outputs.size }}', ITEMS: '\${{ steps.work.items }}' } }
`,
    });
    const { run, detail } = await runTo(project);
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.deepEqual(itemsOf(detail, "work"), ['"a" succeeded', '"b b" succeeded', '{"n":3} succeeded']);
    assert.equal(await logOf(project, detail, "work"), '3: {"n":3}\n');
    const [sizes = "", items = ""] = (await logOf(project, detail, "join")).split("\n");
    assert.deepEqual(JSON.parse(sizes), ["1", "3", "7"]);
    assert.deepEqual(JSON.parse(items).at(-1), { item: { n: 3 }, status: "succeeded", outputs: { size: "7" } });
  });

  it("takes literal lists, lines and files, and reuses what an item made whatever its place", async () => {
    const project = await createTestProject(kind, {
      "data/one.csv": "1",
      "data/two.csv": "2",
      "pipelines/p.yaml": `
steps:
  lines: { run: 'printf "names<<E\\nx\\n\\n y \\nE\\n" >> "$ESTEIRA_OUTPUT"' }
  of_lines: { for_each: { lines: '\${{ steps.lines.outputs.names }}' }, run: 'echo \${{ item }}' }
  of_list: { for_each: [1, 2], run: 'echo \${{ item }}', when: item != 2 }
  of_files: { for_each: { files: data/*.csv }, run: 'cat "$ESTEIRA_ITEM"', files: data/* }
  none: { for_each: { files: nothing/*.csv }, run: exit 1 }
  after: { run: echo done, needs: [none, of_list] }
`,
    });
    const { run, detail } = await runTo(project);
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.deepEqual(itemsOf(detail, "of_lines"), ['"x" succeeded', '"y" succeeded']);
    assert.deepEqual(itemsOf(detail, "of_list"), ["1 succeeded", "2 skipped"]);
    assert.deepEqual(itemsOf(detail, "of_files"), ['"data/one.csv" succeeded', '"data/two.csv" succeeded']);
    const statusOf = (step: string) => detail.stepRuns.find((each) => each.step === step)?.status;
    assert.deepEqual([statusOf("none"), statusOf("after")], ["succeeded", "skipped"]);
    const again = await runTo(project);
    assert.deepEqual(itemsOf(again.detail, "of_files"), ['"data/one.csv" cached', '"data/two.csv" cached']);
  });

  it("gives what reads the outputs of no items empty lists, in expressions, conditions and for_each", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  none: { for_each: { files: nothing/*.csv }, run: 'echo n=1 >> "$ESTEIRA_OUTPUT"' }
  read: { run: 'echo "$N $ALL $ITEMS"', env: { N: '\${{ steps.none.outputs.n }}', ALL: '\${{ steps.none.outputs }}', ITEMS: '\${{ steps.none.items }}' } }
  more: { for_each: '\${{ steps.none.outputs.n }}', run: exit 1 }
  declared: { for_each: { files: nothing/*.csv }, run: exit 1, outputs: [size] }
  whole: { run: 'echo "$ALL"', env: { ALL: '\${{ steps.declared.outputs }}' } }
`,
    });
    const { run, detail } = await runTo(project);
    assert.equal(run.status, "succeeded", JSON.stringify(run.error ?? detail.stepRuns.map(({ error }) => error)));
    assert.equal(await logOf(project, detail, "read"), '[] {"n":[]} []\n');
    assert.deepEqual(itemsOf(detail, "more"), []);
    assert.equal(await logOf(project, detail, "whole"), '{"size":[]}\n');
  });

  it("runs failed items alone again when the run is resumed, and lists anew what comes from a step before", async () => {
    const project = await createTestProject(kind, {
      "list.json": '["a","b","c"]',
      "pipelines/p.yaml": `
steps:
  list: { run: 'echo "l=$(cat list.json)" >> "$ESTEIRA_OUTPUT"' }
  work: { for_each: '\${{ steps.list.outputs.l }}', run: 'test "$ESTEIRA_ITEM" != b || test -f fixed' }
  join: { run: echo joined, needs: work }
`,
    });
    const { engine, id, run, detail } = await runTo(project);
    assert.equal(run.status, "failed");
    assert.deepEqual(itemsOf(detail, "work"), ['"a" succeeded', '"b" failed', '"c" succeeded']);
    await project.write("fixed", "");
    assert.equal(await engine.resume(id, { actor: "ana" }), 2);
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
    const resumed = await getPipelineRun(project.store, id);
    assert.deepEqual(
      resumed.stepRuns.filter(({ step }) => step === "work").map(({ attemptCount }) => attemptCount),
      [1, 1, 2, 1],
    );
    await project.write("list.json", '["c","d"]');
    await engine.resume(id, { actor: "ana", from: "list" });
    assert.equal((await engine.runToEnd(id)).status, "succeeded");
    const relisted = await getPipelineRun(project.store, id);
    assert.deepEqual(itemsOf(relisted, "work").toSorted(), [
      '"a" skipped',
      '"b" skipped',
      '"c" succeeded',
      '"d" succeeded',
    ]);
  });

  it("keeps to max_parallel, and ends the rest at the first failure where it is to", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  three: { for_each: [1, 2, 3, 4, 5, 6, 7], max_parallel: 2, run: 'sleep 0.05' }
  pair: { matrix: { n: [1, 2, 3] }, max_parallel: 1, run: 'sleep 0.05' }
`,
      "pipelines/fast.yaml": `
steps:
  quick:
    for_each: [1, 2, 3, 4, 5, 6]
    max_parallel: 2
    fail_fast: true
    run: 'if [ "$ESTEIRA_ITEM" = 1 ]; then exit 7; fi; sleep 60'
  after: { run: echo never, needs: quick }
`,
    });
    const { run, detail } = await runTo(project);
    assert.equal(run.status, "succeeded");
    for (const [step, most] of [
      ["three", 2],
      ["pair", 1],
    ] as const) {
      const spans = detail.stepRuns.filter((each) => each.step === step && each.matrix !== undefined);
      const atOnce = spans.map(
        (one) =>
          spans.filter(
            (other) =>
              (other.startedAtMs ?? 0) <= (one.startedAtMs ?? 0) && (other.finishedAtMs ?? 0) > (one.startedAtMs ?? 0),
          ).length,
      );
      assert.ok(Math.max(...atOnce) <= most, `${step}: ${atOnce.join()}`);
    }
    const { engine, id } = await submit(project, "fast");
    assert.equal((await engine.runToEnd(id)).status, "failed");
    const quick = await getPipelineRun(project.store, id);
    assert.deepEqual(itemsOf(quick, "quick"), ["1 failed", ...[2, 3, 4, 5, 6].map((item) => `${item} cancelled`)]);
    assert.equal(quick.stepRuns.at(-1)?.status, "skipped");
  });

  it("fails clearly when there is no list, or far too long a one", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  list: { run: 'echo "text=a,b" >> "$ESTEIRA_OUTPUT"; echo "many=[0$(seq -s , 1 10000 | sed s/^/,/)]" >> "$ESTEIRA_OUTPUT"' }
  text: { for_each: '\${{ steps.list.outputs.text }}', run: 'true' }
  many: { for_each: '\${{ steps.list.outputs.many }}', run: 'true' }
  none: { for_each: '\${{ steps.list.outputs.nothing }}', run: 'true' }
`,
    });
    const { detail } = await runTo(project);
    const said = (step: string) => detail.stepRuns.find((each) => each.step === step)?.error?.message ?? "";
    assert.match(said("text"), /for_each of step "text" found a,b, expected a JSON list/);
    assert.match(said("many"), /found 10001 items, at most 10000 are allowed/);
    assert.match(said("none"), /gave no output "nothing"; it gave text, many/);
  });

  it("is refused by lint where it cannot work", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  a: { run: 'true', outputs: [list] }
  b: { for_each: '\${{ steps.a.outputs.lost }}', run: 'true' }
  c: { for_each: words, run: 'true' }
  d: { for_each: { files: x, lines: y }, run: 'true' }
  e: { run: 'echo \${{ item }}' }
  f: { for_each: [1], matrix: { n: [1] }, run: 'true' }
  g: { run: 'true', max_parallel: 3 }
  h: { for_each: [1], run: 'true', makes: { report: out } }
  i: { for_each: '\${{ item }}', run: 'true' }
  j: { for_each: [], run: 'true' }
`,
    });
    const { problems } = await project.load();
    const said = problems.map(({ line, message }) => `${line}: ${message}`).join("\n");
    for (const expected of [
      /^4: .*step "a" has no output "lost"/m,
      /^5: found the text "words", expected a list or an expression/m,
      /^6: found lines and files|^6: found files and lines/m,
      /^7: .*the step has no items/m,
      /^8: the step has a matrix and for_each/m,
      /^9: max_parallel says how combinations or items run, and the step has neither/m,
      /^10: step "h" has for_each and makes "h"/m,
      /^11: .*an item is known only when the items were listed/m,
      /^12: /m,
    ])
      assert.match(said, expected);
  });
});
