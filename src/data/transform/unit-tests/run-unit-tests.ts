import { isEsteiraError } from "#base";
import type { Analytics, AnalyticsConnection, Column } from "../../analytics/analytics.ts";
import { quoteName } from "../../analytics/sql-text.ts";
import { asSubquery } from "../../dataset-tables.ts";
import type { WriteDisposition } from "../../dataset.ts";
import { deletesMissing, isHistory, isKeyed, keysOf } from "../../write-disposition.ts";
import { type Incremental, type IncrementalByTime, isByTime, selectSpans } from "../incremental.ts";
import { parseMoment, startOfInterval, type TimeSpan } from "../intervals.ts";
import { momentLiteral } from "../sql-parameters.ts";
import { explainSqlError } from "../sql-text-analysis.ts";
import { compareRows, type RowDifference } from "./compare-rows.ts";
import { createRows, guessColumns, keyProblem, textRows, UnfitRows } from "./test-rows.ts";
import { rowsOf, typesOf, type UnitTest } from "./unit-test-file.ts";

/** A model as its tests run it. */
export interface ModelUnderTest {
  readonly file: string;
  readonly sql: string;
  /** Parameters that its query asks for. */
  readonly parameters: readonly string[];
  readonly write: WriteDisposition | undefined;
  readonly incremental: Incremental | undefined;
  /** Columns of the datasets that it reads, of those that have a version. */
  readonly columns: ReadonlyMap<string, readonly Column[]>;
}

/** How one unit test ended. */
export interface UnitTestResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why the rows could not be compared. */
  readonly problem?: string;
  readonly difference?: RowDifference;
}

const MOST_ROWS = 10_000;
export const RESULT = "esteira_result";
const [EXISTING, KEPT, EXPECTED] = ["esteira_existing", "esteira_kept", "esteira_expected"] as const;
/** A test without an interval fills all that there can be. */
const END_OF_TIME = Date.UTC(9999, 0, 1);
const DEFAULT_TOLERANCE = 1e-9;

/** Runs a test of a model on its rows alone, in a sandbox: no dataset is read or written. */
export async function runUnitTest(
  analytics: Analytics,
  model: ModelUnderTest,
  test: UnitTest,
  signal?: AbortSignal,
): Promise<UnitTestResult> {
  const connection = await analytics.sandbox({ files: [] });
  const stopWatching = connection.interruptOn(signal);
  try {
    for (const [name, given] of Object.entries(test.given))
      await createRows(connection, name, {
        rows: rowsOf(given),
        columns: givenColumns(given, model.columns.get(name)),
        what: `given ${name}`,
      });
    await computeResult(connection, model, test);
    return await compareResult(connection, test);
  } catch (error) {
    if (error instanceof UnfitRows) return { name: test.name, passed: false, problem: error.message };
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    const { line, column, message } = explainSqlError(String(error.context["reason"]), 1);
    return { name: test.name, passed: false, problem: `${model.file}:${line}:${column} ${message}` };
  } finally {
    stopWatching();
    connection.close();
  }
}

/** What is stated comes before what the dataset has, and that before what values look like. */
export function givenColumns(
  given: UnitTest["given"][string],
  known: readonly Column[] | undefined,
): readonly Column[] {
  const stated = Object.entries(typesOf(given)).map(([name, type]) => ({ name, type }));
  const names = new Set(stated.map(({ name }) => name.toLowerCase()));
  const others = known ?? guessColumns(rowsOf(given));
  return [...stated, ...others.filter(({ name }) => !names.has(name.toLowerCase()))];
}

/** The rows that the dataset would have after a run. */
async function computeResult(connection: AnalyticsConnection, model: ModelUnderTest, test: UnitTest): Promise<void> {
  const { incremental, write, sql } = model;
  if (incremental !== undefined && isByTime(incremental)) return fillInterval(connection, model, incremental, test);
  const columns = await createResult(connection, `select * from ${asSubquery(sql)}`);
  await createRows(connection, EXISTING, { rows: test.existing ?? [], columns, what: "existing" });
  // When versions of a row begin depends on the time of the run: what is compared is what the query gives.
  if (isHistory(write)) return;
  const keys = incremental?.key ?? keysOf(write);
  if (keys.length > 0) {
    const problem = await keyProblem(connection, quoteName(RESULT), keys);
    if (problem !== undefined) throw new UnfitRows(problem);
    const match = keys.map((key) => `t.${quoteName(key)} = s.${quoteName(key)}`).join(" and ");
    const stays = deletesMissing(write) ? "false" : "true";
    await connection.run(
      `create temp table ${quoteName(KEPT)} as select t.* from ${quoteName(EXISTING)} t anti join ${quoteName(RESULT)} s on ${match} where ${stays}`,
    );
    const condition = isKeyed(write) ? write.delete_when : undefined;
    if (condition !== undefined)
      await connection.run(`delete from ${quoteName(RESULT)} where coalesce((${condition}\n)::BOOLEAN, false)`);
    await connection.run(`insert into ${quoteName(RESULT)} select * from ${quoteName(KEPT)}`);
  } else if (write === "append")
    await connection.run(`insert into ${quoteName(RESULT)} select * from ${quoteName(EXISTING)}`);
}

async function createResult(connection: AnalyticsConnection, select: string): Promise<readonly Column[]> {
  await connection.run(`create temp table ${quoteName(RESULT)} as ${select}`);
  return connection.describe(`select * from ${quoteName(RESULT)}`);
}

/** What is outside of the interval stays as it is. */
async function fillInterval(
  connection: AnalyticsConnection,
  { sql, parameters }: ModelUnderTest,
  incremental: IncrementalByTime,
  test: UnitTest,
): Promise<void> {
  const span = spanOf(incremental, test);
  const select = selectSpans(sql, { time: incremental.time, parameters, spans: [span] });
  const columns = await createResult(connection, select);
  await createRows(connection, EXISTING, { rows: test.existing ?? [], columns, what: "existing" });
  const [result, time] = [quoteName(RESULT), quoteName(incremental.time)];
  const [missing] = await connection.rows(`select count(*) as n from ${result} where ${time} is null`);
  if (Number(missing?.["n"]) > 0) throw new UnfitRows(`a row of the result has no value in ${incremental.time}`);
  const inside = `${time} >= ${momentLiteral(span[0])} and ${time} < ${momentLiteral(span[1])}`;
  await connection.run(
    `delete from ${result} where not (${inside}); insert into ${result} select * from ${quoteName(EXISTING)} where not (${inside})`,
  );
}

function spanOf({ start, interval }: IncrementalByTime, test: UnitTest): TimeSpan {
  const from = startOfInterval(parseMoment(start) ?? 0, interval);
  if (test.interval === undefined) return [from, END_OF_TIME];
  return [parseMoment(test.interval.from) ?? from, parseMoment(test.interval.to) ?? END_OF_TIME];
}

/** The rows that were made, in the table `esteira_result`, beside those that were expected. @throws UnfitRows */
export async function compareResult(connection: AnalyticsConnection, test: UnitTest): Promise<UnitTestResult> {
  const { name, expect, ordered = false, tolerance = DEFAULT_TOLERANCE } = test;
  const all = await connection.describe(`select * from ${quoteName(RESULT)}`);
  const wanted = Object.keys(expect[0] ?? {});
  const columns = all.filter((column) => wanted.some((one) => one.toLowerCase() === column.name.toLowerCase()));
  const compared = expect.length === 0 ? all : checked(columns, wanted, all);
  await createRows(connection, EXPECTED, { rows: expect, columns: compared, what: "expect" });
  const names = compared.map((column) => column.name);
  const actual = await textRows(connection, quoteName(RESULT), names, MOST_ROWS + 1);
  if (actual.length > MOST_ROWS) throw new UnfitRows(`it gives more than ${MOST_ROWS} rows`);
  const expected = await textRows(connection, quoteName(EXPECTED), names, MOST_ROWS);
  const difference = compareRows(expected, actual, {
    columns: names,
    floats: new Set(names.flatMap((column, index) => (isFloat(all, column) ? [index] : []))),
    tolerance,
    ordered,
  });
  return difference === undefined ? { name, passed: true } : { name, passed: false, difference };
}

function checked(columns: readonly Column[], wanted: readonly string[], all: readonly Column[]): readonly Column[] {
  const missing = wanted.find((one) => !columns.some(({ name }) => name.toLowerCase() === one.toLowerCase()));
  if (missing === undefined) return columns;
  throw new UnfitRows(
    `There is no column "${missing}" in the result; it has ${all.map(({ name }) => name).join(", ")}`,
  );
}

function isFloat(columns: readonly Column[], name: string): boolean {
  return columns.some((column) => column.name === name && /^(FLOAT|DOUBLE)$/.test(column.type));
}
