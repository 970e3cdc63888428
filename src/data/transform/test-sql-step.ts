import { nearestName } from "#base";
import type { AnalysisContext } from "#pipeline";
import { unitTestsInvalid } from "../errors.ts";
import { latestOf } from "../latest-versions.ts";
import { schemasOf, type SqlKindDependencies, sqlSchema } from "./sql-kind.ts";
import { analyseSql } from "./sql-text-analysis.ts";
import { modelTests, runModelTests } from "./unit-tests/model-tests.ts";
import type { UnitTestResult } from "./unit-tests/run-unit-tests.ts";

/**
 * Runs the unit tests of a `sql` step, on the rows of the tests alone: datasets are asked for their columns and not
 * read, and nothing is written.
 *
 * @param only name of a test; default: all
 * @returns undefined for a step without tests
 * @throws DATA_UNIT_TESTS_INVALID where the tests do not fit to the query
 */
export async function testSqlStep(
  dependencies: Pick<SqlKindDependencies, "store" | "analytics">,
  of: {
    readonly project: string;
    readonly step: string;
    readonly declaration: unknown;
    readonly files: Pick<AnalysisContext, "readFile" | "glob">;
    readonly only?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly UnitTestResult[] | undefined> {
  const { step, files, only } = of;
  const declaration = sqlSchema.parse(of.declaration);
  if (declaration.tests === undefined) return undefined;
  const text = (await files.readFile(declaration.sql)) ?? "";
  const analysis = await analyseSql(dependencies.analytics, text);
  const names = analysis.tables.map(({ name }) => name);
  const columns = schemasOf(await latestOf(dependencies.store, of.project, names));
  const tested = { text, analysis, declaration, columns };
  const { tests, problems } = await modelTests(tested, files);
  if (problems.length > 0)
    throw unitTestsInvalid({
      step,
      problems: problems.map(({ message, at }) =>
        at === undefined ? message : `${at.file}:${at.line}:${at.column} ${message}`,
      ),
    });
  const wanted = only === undefined ? tests : tests.filter(({ name }) => name === only);
  if (only !== undefined && wanted.length === 0) {
    const all = tests.map(({ name }) => name);
    const near = nearestName(only, all);
    throw unitTestsInvalid({
      step,
      problems: [
        `no test is called ${JSON.stringify(only)}${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}`,
      ],
    });
  }
  return runModelTests(dependencies.analytics, tested, wanted, of.signal);
}
