import { visibleText } from "#base";
import type { TestHistory, TestRun, UnsteadyTest } from "#api";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatDuration, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

const RUNS_SHOWN = 10;
const MOST_RUNS = 500;

export const command: Command = {
  usage: "pipeline tests NAME [--runs N]",
  summary: "Show how the tests of a pipeline went, and which are flaky",
  description:
    "Reads what the reports (`report:` of a step) of the last pipeline runs said. A test is flaky when it passed where it had failed: in a further attempt of its step, or in another run of the same commit.",
  options: {
    ...commonOptions,
    runs: { type: "string", value: "N", help: "Pipeline runs that are looked at, 1 to 500; default 50." },
  },
  examples: [
    { line: "esteira pipeline tests web", does: "The last runs, what fails now, what is flaky" },
    { line: "esteira pipeline tests web --runs 500 --json", does: "For machines, over 500 runs" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const runs = readCount(textOption(options, "runs") ?? "50");
      const history = await call("getTestHistory", { params: { name }, query: { runs } });
      if (options["json"] === true) return terminal.printJson(history);
      if (history.runs.length === 0)
        return terminal.print(
          `No report of tests in the last ${history.looked} runs of ${name}. A step has one with: report: junit.xml`,
        );
      terminal.table([
        ["run", "step", "when", "took", "tests", "failed", "flaky", "skipped"],
        ...history.runs.slice(-RUNS_SHOWN).map(rowOf),
      ]);
      terminal.print("");
      printTests(terminal, history);
    }),
};

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_RUNS) return count;
  throw usageWrong({ usage: command.usage, reason: `--runs is ${JSON.stringify(text)}; expected 1 to ${MOST_RUNS}` });
}

function rowOf(run: TestRun): readonly string[] {
  const { pipelineRunId, step, matrix, atMs, durationMs, tests, failed, excused, flaky, skipped } = run;
  return [
    pipelineRunId,
    matrix === undefined ? step : `${step} ${matrix}`,
    formatTime(atMs),
    durationMs === undefined ? "" : formatDuration(durationMs),
    String(tests),
    excused === 0 ? String(failed) : `${failed} and ${excused} excused`,
    String(flaky),
    String(skipped),
  ];
}

function printTests(
  terminal: { table(rows: readonly (readonly string[])[]): void; print(text: string): void },
  { tests, testCount, looked }: TestHistory,
): void {
  if (tests.length === 0) return terminal.print(`No test failed in the last ${looked} runs.`);
  terminal.table([["test", "step", "", "failed", "last", "said"], ...tests.map(testRow)]);
  if (testCount > tests.length) terminal.print(`… and ${testCount - tests.length} more`);
}

function testRow({ name, step, isFailing, isFlaky, failed, retried, of, lastAtMs, message }: UnsteadyTest): string[] {
  const states = [...(isFailing ? ["failing"] : []), ...(isFlaky ? ["flaky"] : [])].join(", ");
  const times = `${failed} of ${of}${retried === 0 ? "" : `, ${retried} passed at a further attempt`}`;
  return [
    visibleText(name),
    step,
    states,
    times,
    formatTime(lastAtMs),
    visibleText((message ?? "").split("\n")[0] ?? ""),
  ];
}
