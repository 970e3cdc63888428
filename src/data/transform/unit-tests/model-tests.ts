import { z } from "zod";
import { type LocatedProblem, nearestName } from "#base";
import { type AnalysisContext, type AttemptContext, type Problem, readProjectFile } from "#pipeline";
import type { Analytics, Column } from "../../analytics/analytics.ts";
import type { WriteDisposition } from "../../dataset.ts";
import { unitTestsFailed } from "../../errors.ts";
import { type Incremental, isByTime } from "../incremental.ts";
import type { SqlAnalysis } from "../sql-text-analysis.ts";
import { runUnitTest, type UnitTestResult } from "./run-unit-tests.ts";
import { readUnitTests, type UnitTest, unitTestProblems } from "./unit-test-file.ts";
import { describeResult } from "./describe-result.ts";

const file = z.string().min(1);

/** The key `tests` of a `sql` step. */
export const testsSchema = z
  .union([
    file.transform((path) => ({ file: path, before_run: false })),
    z.strictObject({
      file: file.describe("File with the tests."),
      before_run: z
        .boolean()
        .default(false)
        .describe("True: the step fails, before it computes anything, when one fails."),
    }),
  ])
  .describe("Unit tests of the query: a file of given rows and expected rows, for `esteira test`.");

/** A `sql` step and what is known of its query. */
export interface TestedStep {
  readonly text: string;
  readonly analysis: Pick<SqlAnalysis, "tables" | "parameters">;
  readonly declaration: {
    readonly sql: string;
    readonly write?: WriteDisposition | undefined;
    readonly incremental?: Incremental | undefined;
    readonly tests?: z.infer<typeof testsSchema> | undefined;
  };
  /** Columns of the datasets that it reads, of those that have a version. */
  readonly columns: ReadonlyMap<string, readonly Column[]>;
}

/** The unit tests of a step, and what is wrong with them. */
export async function modelTests(
  step: TestedStep,
  files: Pick<AnalysisContext, "readFile" | "glob">,
): Promise<{ readonly tests: readonly UnitTest[]; readonly problems: readonly Problem[] }> {
  const { tests } = step.declaration;
  if (tests === undefined) return { tests: [], problems: [] };
  const text = await files.readFile(tests.file);
  if (text === undefined) {
    const near = nearestName(tests.file, await files.glob("**/*.{yaml,yml}"));
    const message = `There is no file ${tests.file} in the project`;
    return {
      tests: [],
      problems: [{ path: ["tests"], message, ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }) }],
    };
  }
  const { found, problems } = readTests(step, tests.file, text);
  return {
    tests: found,
    problems: problems.map(({ message, hint, ...at }) => ({
      path: ["tests"],
      message,
      at,
      ...(hint === undefined ? {} : { hint }),
    })),
  };
}

function readTests(
  { analysis, columns, declaration: { incremental, write } }: TestedStep,
  path: string,
  text: string,
): { readonly found: readonly UnitTest[]; readonly problems: readonly LocatedProblem[] } {
  const read = readUnitTests(text, path);
  const byTime = incremental !== undefined && isByTime(incremental);
  const model = {
    what: "query" as const,
    reads: analysis.tables.map(({ name }) => name),
    columns,
    isByTime: byTime,
    keepsRows: incremental !== undefined || (write !== undefined && write !== "replace"),
  };
  return { found: read.value?.tests ?? [], problems: [...read.problems, ...unitTestProblems(read, model)] };
}

/** Runs the unit tests of a step on their own rows. */
export async function runModelTests(
  analytics: Analytics,
  { text, analysis, declaration, columns }: TestedStep,
  tests: readonly UnitTest[],
  signal?: AbortSignal,
): Promise<readonly UnitTestResult[]> {
  const { sql: model, write, incremental } = declaration;
  const results: UnitTestResult[] = [];
  for (const test of tests)
    results.push(
      await runUnitTest(
        analytics,
        { file: model, sql: text, parameters: analysis.parameters, write, incremental, columns },
        test,
        signal,
      ),
    );
  return results;
}

/**
 * Before a step computes anything, where it is declared so.
 *
 * @throws DATA_UNIT_TESTS_FAILED
 */
export async function assertTestsPass(
  analytics: Analytics,
  step: TestedStep,
  attempt: Pick<AttemptContext<unknown>, "projectFolder" | "step" | "signal" | "log">,
): Promise<void> {
  const { tests } = step.declaration;
  if (tests?.before_run !== true) return;
  const { found, problems } = readTests(step, tests.file, await readProjectFile(attempt.projectFolder, tests.file));
  const [problem] = problems;
  if (problem !== undefined)
    throw unitTestsFailed({
      step: attempt.step,
      failed: found.length,
      total: found.length,
      text: `${problem.file}:${problem.line}:${problem.column} ${problem.message}`,
    });
  const results = await runModelTests(analytics, step, found, attempt.signal);
  const failed = results.filter(({ passed }) => !passed);
  if (failed.length > 0)
    throw unitTestsFailed({
      step: attempt.step,
      failed: failed.length,
      total: results.length,
      text: failed.map((result) => describeResult(result).join("\n")).join("\n"),
    });
  attempt.log(`${attempt.step}: ${results.length} unit ${results.length === 1 ? "test passes" : "tests pass"}`);
}
