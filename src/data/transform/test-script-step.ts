import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isEsteiraError, nearestName } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { AnalysisContext, Problem } from "#pipeline";
import type { Analytics, Column } from "../analytics/analytics.ts";
import { quoteName, quotePath } from "../analytics/sql-text.ts";
import { selectFiles } from "../dataset-storage.ts";
import { unitTestsInvalid } from "../errors.ts";
import { latestOf } from "../latest-versions.ts";
import { schemasOf } from "./sql-kind.ts";
import { compareResult, givenColumns, RESULT, type UnitTestResult } from "./unit-tests/run-unit-tests.ts";
import { createRows, UnfitRows } from "./unit-tests/test-rows.ts";
import { readUnitTests, rowsOf, type UnitTest, unitTestProblems } from "./unit-tests/unit-test-file.ts";

/** Where the rows that a test gives lie, as a step finds those of its inputs. */
export interface GivenInput {
  readonly file: string;
  readonly columns: readonly Column[];
}

/** Runs the script once on given rows; what it leaves is below `outputFolder`. */
export type RunScript = (given: {
  readonly inputs: ReadonlyMap<string, GivenInput>;
  readonly params: NonNullable<UnitTest["params"]>;
  /** Absolute, of this test alone. */
  readonly folder: string;
}) => Promise<{ readonly outputFolder: string } | { readonly problem: string }>;

/** A step whose script makes a dataset. */
export interface TestedScript {
  readonly project: string;
  readonly step: string;
  /** File of the tests, project-relative. */
  readonly tests: string;
  /** Datasets that the script reads. */
  readonly reads: readonly string[];
}

/** What is wrong with the unit tests of a script. */
export async function scriptTestProblems(
  { tests, reads }: Pick<TestedScript, "tests" | "reads">,
  files: Pick<AnalysisContext, "readFile" | "glob">,
  columns: ReadonlyMap<string, readonly Column[]> = new Map(),
): Promise<{ readonly found: readonly UnitTest[]; readonly problems: readonly Problem[] }> {
  const text = await files.readFile(tests);
  if (text === undefined) {
    const near = nearestName(tests, await files.glob("**/*.{yaml,yml}"));
    const message = `There is no file ${tests} in the project`;
    return {
      found: [],
      problems: [{ path: ["tests"], message, ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }) }],
    };
  }
  const read = readUnitTests(text, tests);
  const model = { what: "script" as const, reads, columns, isByTime: false, keepsRows: false };
  const problems = [...read.problems, ...unitTestProblems(read, model)];
  return {
    found: read.value?.tests ?? [],
    problems: problems.map(({ message, hint, ...at }) => ({
      path: ["tests"],
      message,
      at,
      ...(hint === undefined ? {} : { hint }),
    })),
  };
}

/**
 * Runs the unit tests of a script that makes a dataset: each on its own rows, in a process of its own. No dataset is
 * read or written.
 *
 * @param folder for the rows of the tests; removed by the caller
 * @throws DATA_UNIT_TESTS_INVALID where the tests do not fit to the script
 */
export async function testScriptStep(
  { store, analytics }: { readonly store: MetadataStore; readonly analytics: Analytics },
  of: TestedScript & {
    readonly files: Pick<AnalysisContext, "readFile" | "glob">;
    readonly folder: string;
    readonly run: RunScript;
    readonly only?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly UnitTestResult[]> {
  const { step, only } = of;
  const columns = schemasOf(await latestOf(store, of.project, of.reads));
  const { found, problems } = await scriptTestProblems(of, of.files, columns);
  const invalid = problems.map(({ message, at }) =>
    at === undefined ? message : `${at.file}:${at.line}:${at.column} ${message}`,
  );
  const wanted = only === undefined ? found : found.filter(({ name }) => name === only);
  if (only !== undefined && wanted.length === 0) {
    const near = nearestName(
      only,
      found.map(({ name }) => name),
    );
    invalid.push(
      `no test is called ${JSON.stringify(only)}${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}`,
    );
  }
  if (invalid.length > 0) throw unitTestsInvalid({ step, problems: invalid });
  const results: UnitTestResult[] = [];
  for (const [index, test] of wanted.entries())
    results.push(await runTest(analytics, test, { ...of, columns, folder: join(of.folder, String(index)) }));
  return results;
}

async function runTest(
  analytics: Analytics,
  test: UnitTest,
  of: {
    readonly step: string;
    readonly columns: ReadonlyMap<string, readonly Column[]>;
    readonly folder: string;
    readonly run: RunScript;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<UnitTestResult> {
  await mkdir(of.folder, { recursive: true });
  const connection = await analytics.sandbox({ files: [], folders: [of.folder] });
  const stopWatching = connection.interruptOn(of.signal);
  try {
    const inputs = new Map<string, GivenInput>();
    for (const [index, [name, given]] of Object.entries(test.given).entries()) {
      const columns = givenColumns(given, of.columns.get(name));
      await createRows(connection, name, { rows: rowsOf(given), columns, what: `given ${name}` });
      const file = join(of.folder, `given-${index}.parquet`);
      await connection.run(`copy ${quoteName(name)} to ${quotePath(file)} (format parquet)`);
      inputs.set(name, { file, columns });
    }
    const ran = await of.run({ inputs, params: test.params ?? {}, folder: of.folder });
    if ("problem" in ran) return { name: test.name, passed: false, problem: ran.problem };
    const select = await selectFiles(of.step, join(ran.outputFolder, of.step));
    await connection.run(`create temp table ${quoteName(RESULT)} as ${select}`);
    return await compareResult(connection, test);
  } catch (error) {
    if (error instanceof UnfitRows) return { name: test.name, passed: false, problem: error.message };
    if (!isEsteiraError(error, "DATA_OUTPUT_UNREADABLE")) throw error;
    return { name: test.name, passed: false, problem: error.message };
  } finally {
    stopWatching();
    connection.close();
  }
}
