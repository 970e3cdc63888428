// What reports of tests say, run by run: on a real project, by the command line.
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { TestHistory } from "#api";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

/** Fails `a › twice` in every first attempt, and where files `odd` or `wobbly` are there the tests of that name. */
const SCRIPT = `import { existsSync, writeFileSync } from "node:fs";
const first = !existsSync(process.env.MARK + process.env.ESTEIRA_PIPELINE_RUN);
writeFileSync(process.env.MARK + process.env.ESTEIRA_PIPELINE_RUN, "");
const failing = [...(first ? ["twice"] : []), ...(existsSync("odd") ? ["&quot;odd&quot; &lt;name&gt;"] : []), ...(existsSync("wobbly") ? ["wobbly"] : [])];
const of = (name) => failing.includes(name) ? '<failure message="no: ' + name + '"/>' : "";
writeFileSync("junit.xml", "<testsuite>" + ["steady", "twice", "&quot;odd&quot; &lt;name&gt;", "wobbly"].map((name) => '<testcase classname="a" name="' + name + '">' + of(name) + "</testcase>").join("") + '<testcase name="left out"><skipped/></testcase></testsuite>');
process.exit(failing.length === 0 ? 0 : 1);
`;

it("tests of a report are told run by run, also of commands that fail, with what is flaky and what may fail", async () => {
  const folder = await temporaryFolder();
  const mark = join(await temporaryFolder(), "mark-");
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: shop\nisolation: none\n");
  await writeFile(join(folder, "t.mjs"), SCRIPT);
  await writeFile(
    join(folder, "pipelines/web.yaml"),
    `steps:
  test:
    run: node t.mjs
    report: junit.xml
    unreliable: ["a › wob*"]
    retry: { times: 1, delay: 0s }
    env: { MARK: "${mark}" }
`,
  );
  const esteira = (...words: string[]) => runEsteira(folder, words);
  const history = async (): Promise<TestHistory> => {
    const { stdout, stderr } = await esteira("pipeline", "tests", "web", "--json");
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout) as TestHistory;
  };
  const run = async (code: number): Promise<void> => {
    const ended = await esteira("run", "web");
    assert.equal(ended.code, code, ended.stderr + ended.stdout);
  };

  await writeFile(join(folder, "pipelines/bare.yaml"), "steps: { plain: { run: 'true' } }\n");
  await run(0);
  assert.match((await esteira("pipeline", "tests", "bare")).stdout, /No report of tests in the last 0 runs of bare/);
  await writeFile(join(folder, "odd"), "");
  await run(1);
  await writeFile(join(folder, "wobbly"), "");
  await run(1);
  const failing = await history();
  assert.equal(failing.looked, 3);
  assert.deepEqual(
    failing.runs.map(({ step, status, tests, failed, excused, flaky, skipped }) => [
      step,
      status,
      tests,
      failed,
      excused,
      flaky,
      skipped,
    ]),
    [
      ["test", "succeeded", 5, 0, 0, 1, 1],
      ["test", "failed", 5, 1, 0, 1, 1],
      ["test", "failed", 5, 1, 1, 1, 1],
    ],
  );
  assert.deepEqual(
    failing.tests.map(({ name, failed, retried, of, isFailing, isFlaky }) => [
      name,
      failed,
      retried,
      of,
      isFailing,
      isFlaky,
    ]),
    [
      ['a › "odd" <name>', 2, 0, 3, true, false],
      ["a › twice", 0, 3, 3, false, true],
    ],
  );
  assert.equal(failing.tests[0]?.message, 'no: "odd" <name>');

  await rm(join(folder, "odd"));
  await run(0);
  const excused = await history();
  assert.deepEqual([excused.runs.at(-1)?.excused, excused.runs.at(-1)?.status], [1, "succeeded"]);
  assert.deepEqual(
    excused.tests.map(({ isFailing }) => isFailing),
    [false, false],
  );
  const shown = await esteira("pipeline", "tests", "web");
  assert.match(shown.stdout, /0 and 1 excused/);
  assert.match(shown.stdout, /a › twice +test +flaky +0 of 4, 4 passed at a further attempt/);
  assert.match((await esteira("pipeline", "tests", "web", "--runs", "x")).stderr, /--runs is "x"; expected 1 to 500/);
  assert.match((await esteira("pipeline", "tests", "none")).stderr, /PIPELINE_UNKNOWN|no pipeline/i);

  await writeFile(join(folder, "pipelines/web.yaml"), "steps: { test: { run: 'true', unreliable: [a] } }\n");
  assert.match((await esteira("lint")).stdout, /unreliable names tests of a report, and there is no report/);
});
