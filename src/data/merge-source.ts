import { isEsteiraError, nearestName } from "#base";
import type { AnalyticsConnection, Column } from "./analytics/analytics.ts";
import { textOf } from "./analytics/rows.ts";
import { quoteName } from "./analytics/sql-text.ts";
import type { GoneKeys, HistoryDisposition, MergeDisposition, WholeSource } from "./dataset.ts";
import { mergeKeyInvalid } from "./errors.ts";
import { deleteConditionInvalid } from "./write-errors.ts";
import { deletesMissing, keysOf } from "./write-disposition.ts";

/** Temporary tables of a merge on its connection. */
export const SOURCE = '"__esteira_merge_source"';
const HELD = '"__esteira_merge_held"';
/** Column of `SOURCE`: the row tells that its key is deleted. */
export const DELETED = '"__esteira_deleted"';

/** New rows on their way into a dataset by their keys. */
export interface KeyedRows {
  readonly connection: AnalyticsConnection;
  readonly asset: string;
  /** In the columns of the dataset. */
  readonly select: string;
  readonly columns: readonly Column[];
  readonly whole?: WholeSource | undefined;
  readonly gone?: GoneKeys | undefined;
}

/** New rows in a table of their own. */
export interface StagedRows {
  /** All that came. */
  readonly rowCount: number;
  /** SQL over `t` (a row that is there) and `h`: its key was not in the source. Undefined: nothing is missing. */
  readonly missing: { readonly join: string; readonly condition: string } | undefined;
  /** For people. */
  readonly note: string | undefined;
}

/** SQL: rows of two aliases have the same key. */
export function sameKey(keys: readonly string[], left: string, right: string): string {
  return keys.map((key) => `${left}.${quoteName(key)} = ${right}.${quoteName(key)}`).join(" and ");
}

/** SQL list of the key's columns. */
export function keyList(keys: readonly string[], alias?: string): string {
  return keys.map((key) => `${alias === undefined ? "" : `${alias}.`}${quoteName(key)}`).join(", ");
}

/**
 * Puts the new rows into {@link SOURCE}, as they came, with what each says about being deleted.
 *
 * @throws DATA_DELETE_CONDITION_INVALID
 */
export async function stageRows(
  rows: KeyedRows,
  disposition: MergeDisposition | HistoryDisposition,
): Promise<StagedRows> {
  const { connection, select, columns } = rows;
  const list = columns.map(({ name }) => quoteName(name)).join(", ");
  const { delete_when: condition } = disposition;
  const deleted = condition === undefined ? "false" : `coalesce((${condition}\n)::BOOLEAN, false)`;
  const stage = (flag: string): Promise<void> =>
    connection.run(`create or replace temp table ${SOURCE} as select ${list}, ${flag} as ${DELETED} from (${select})`);
  try {
    await stage(deleted);
  } catch (error) {
    // Whose fault it is, the rows or the condition, is told by leaving the condition out.
    if (condition === undefined || !isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    await stage("false");
    const [reason = ""] = String(error.context["reason"]).split("\n", 1);
    throw deleteConditionInvalid({ table: rows.asset, condition, reason }, error);
  }
  const rowCount = Number((await connection.rows(`select count(*) as n from ${SOURCE}`))[0]?.["n"]);
  if (rows.gone?.keys !== undefined) await stageGone(rows, keysOf(disposition), rows.gone.keys);
  return { rowCount, ...(await stageMissing(rows, disposition, rowCount)) };
}

/** Keys of new rows are not gone, whatever is said. */
async function stageGone({ connection, columns }: KeyedRows, keys: readonly string[], select: string): Promise<void> {
  const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const cast = keys.map((key) => `cast(${quoteName(key)} as ${types.get(key.toLowerCase())}) as ${quoteName(key)}`);
  await connection.run(
    `insert into ${SOURCE} (${keyList(keys)}, ${DELETED}) select distinct ${keyList(keys, "g")}, true from (select ${cast.join(", ")} from (${select})) g anti join ${SOURCE} s on ${sameKey(keys, "g", "s")}`,
  );
}

async function stageMissing(
  { connection, columns, whole, gone }: KeyedRows,
  disposition: MergeDisposition | HistoryDisposition,
  rowCount: number,
): Promise<Pick<StagedRows, "missing" | "note">> {
  if (gone?.isAll === true) return { missing: { join: "", condition: "true" }, note: undefined };
  if (!deletesMissing(disposition)) return { missing: undefined, note: undefined };
  if (whole?.unknown !== undefined)
    return { missing: undefined, note: `nothing is deleted as missing: ${whole.unknown}` };
  if (rowCount === 0 && whole?.mayBeEmpty !== true)
    return { missing: undefined, note: "nothing is deleted as missing: the source has no row at all" };
  const keys = keysOf(disposition);
  const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const cast = keys.map((key) => `cast(${quoteName(key)} as ${types.get(key.toLowerCase())}) as ${quoteName(key)}`);
  const held = whole?.heldKeys;
  if (held === undefined) return { missing: { join: "", condition: "true" }, note: undefined };
  await connection.run(
    `create or replace temp table ${HELD} as select distinct ${cast.join(", ")}, true as found from (${held})`,
  );
  const [empty] = await connection.rows(
    `select count(*) as n from ${HELD} where ${keys.map((key) => `${quoteName(key)} is null`).join(" or ")}`,
  );
  if (Number(empty?.["n"]) > 0)
    return { missing: undefined, note: "nothing is deleted as missing: rows without a readable key are held back" };
  return {
    missing: { join: `left join ${HELD} h on ${sameKey(keys, "t", "h")}`, condition: "h.found is null" },
    note: undefined,
  };
}

export async function dropStaged(connection: AnalyticsConnection): Promise<void> {
  await connection.run(`drop table if exists ${SOURCE}; drop table if exists ${HELD}`);
}

/** Of new rows with an equal `by` only the last one stays. */
export async function keepLast(connection: AnalyticsConnection, by: readonly string[]): Promise<void> {
  await connection.run(
    `delete from ${SOURCE} where rowid not in (select max(rowid) from ${SOURCE} group by ${keyList(by)})`,
  );
}

/** @throws DATA_MERGE_KEY_INVALID when a column of the key is not among those of the new rows */
export function assertKeyPresent(
  keys: readonly string[],
  { asset, columns }: { readonly asset: string; readonly columns: readonly Column[] },
): void {
  const missing = keys.find((key) => !columns.some(({ name }) => name.toLowerCase() === key.toLowerCase()));
  if (missing !== undefined) {
    const names = columns.map(({ name }) => name);
    const near = nearestName(missing, names);
    throw mergeKeyInvalid({
      table: asset,
      problem: `the key column "${missing}" is not among the new rows' columns (${names.join(", ")})${near === undefined ? "" : `; did you mean "${near}"?`}`,
    });
  }
}

/** @throws DATA_MERGE_KEY_INVALID when a new row lacks a value of its key, or two have the same */
export async function assertKeyUnique(
  connection: AnalyticsConnection,
  source: string,
  keys: readonly string[],
  asset: string,
): Promise<void> {
  const list = keyList(keys);
  const [found] = await connection.rows(
    `select ${list}, count(*) as "__n" from ${source} group by ${list} having count(*) > 1 or ${keys.map((key) => `${quoteName(key)} is null`).join(" or ")} limit 1`,
  );
  if (found === undefined) return;
  const shown = keys.map((key) => `${key} = ${JSON.stringify(found[key] ?? null)}`).join(", ");
  const isNull = keys.some((key) => (found[key] ?? null) === null);
  throw mergeKeyInvalid({
    table: asset,
    problem: isNull
      ? `a new row has no value for its key (${shown})`
      : `${textOf(found["__n"])} new rows have the same key (${shown})`,
  });
}

/** @throws DATA_MERGE_KEY_INVALID when a new row does not say when it changed */
export async function assertTimed(
  connection: AnalyticsConnection,
  { asset, time, keys }: { readonly asset: string; readonly time: string; readonly keys: readonly string[] },
): Promise<void> {
  const [found] = await connection.rows(
    `select ${keyList(keys)} from ${SOURCE} where ${quoteName(time)} is null limit 1`,
  );
  if (found === undefined) return;
  const shown = keys.map((key) => `${key} = ${JSON.stringify(found[key] ?? null)}`).join(", ");
  throw mergeKeyInvalid({ table: asset, problem: `a new row has no value in ${time} (${shown})` });
}
