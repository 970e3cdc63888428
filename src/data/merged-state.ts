import type { Column } from "./analytics/analytics.ts";
import { textOf } from "./analytics/rows.ts";
import { quoteName } from "./analytics/sql-text.ts";
import type { MergeDisposition } from "./dataset.ts";
import type { DatasetState, NextState, StateChange } from "./dataset-state.ts";
import { writeDataFile } from "./delta/data-file.ts";
import { filesRelation } from "./delta/relation.ts";
import { absolutePath, fetchFiles } from "./delta/table.ts";
import {
  assertKeyUnique,
  assertTimed,
  DELETED,
  dropStaged,
  keepLast,
  keyList,
  sameKey,
  SOURCE,
  stageRows,
} from "./merge-source.ts";
import { unknownSources } from "./row-sources.ts";

/**
 * Copy-on-write: files with rows that are replaced or deleted are written again without them, with the new rows behind.
 *
 * @throws DATA_MERGE_KEY_INVALID, DATA_DELETE_CONDITION_INVALID
 */
export async function mergedState(
  before: DatasetState,
  change: StateChange,
  disposition: MergeDisposition,
): Promise<NextState> {
  const { connection, table, columns } = change;
  const { merge: keys } = disposition;
  await fetchFiles(table, before.files);
  try {
    const staged = await stageRows(change, disposition);
    if (staged.note !== undefined) change.log?.(staged.note);
    await keepNewest(change, disposition);
    const paths = new Map(before.files.map((file) => [absolutePath(table, file.path), file]));
    const unchanged = await setAside(change, disposition, [...paths.keys()]);
    const { missing } = staged;
    const fate = `case when s.${DELETED} then 'deleted' when not s.${DELETED} then 'changed'${missing === undefined ? "" : ` when s.${quoteName(keys[0] ?? "")} is null and ${missing.condition} then 'deleted'`} end`;
    const met = (relation: string): string =>
      `${relation} t left join ${SOURCE} s on ${sameKey(keys, "t", "s")} ${missing?.join ?? ""}`;
    const keyColumns = columns.filter(({ name }) => keys.some((key) => key.toLowerCase() === name.toLowerCase()));
    const touched =
      paths.size === 0
        ? []
        : await connection.rows(
            `select path, count(*) filter (where fate = 'changed') as changed, count(*) filter (where fate = 'deleted') as deleted from (select t.filename as path, ${fate} as fate from ${met(filesRelation([...paths.keys()], keyColumns, ["filename"]))}) where fate is not null group by path`,
          );
    const touchedPaths = new Set(touched.map((row) => textOf(row["path"])));
    const sumOf = (name: string): number => touched.reduce((sum, row) => sum + Number(row[name]), 0);
    const [counted] = await connection.rows(`select count(*) as n from ${SOURCE} where not ${DELETED}`);
    const stayed = Number(counted?.["n"]);
    const list = columns.map(({ name }) => quoteName(name)).join(", ");
    const touchedFiles = [...paths.keys()].filter((path) => touchedPaths.has(path));
    const kept =
      touchedFiles.length === 0
        ? []
        : [`select t.* from ${met(filesRelation(touchedFiles, columns))} where (${fate}) is null`];
    const added = `select ${list} from ${SOURCE} where not ${DELETED}`;
    const part = await writeDataFile(
      connection,
      table,
      { select: [...kept, added].join(" union all "), columns },
      change.atMs,
    );
    const untouched = [...paths].flatMap(([path, file]) => (touchedPaths.has(path) ? [] : [file]));
    return {
      columns,
      files: part === undefined ? untouched : [...untouched, part.add],
      rowCount: staged.rowCount,
      overtaken: staged.rowCount - stayed,
      written: part === undefined ? [] : [part.add],
      kept: unknownSources((part?.rowCount ?? 0) - stayed),
      superseded: 0,
      merged: {
        added: stayed - sumOf("changed"),
        changed: sumOf("changed"),
        deleted: sumOf("deleted"),
        unchanged,
      },
    };
  } finally {
    await dropStaged(connection);
  }
}

/** One row of each key is left. @throws DATA_MERGE_KEY_INVALID */
async function keepNewest({ connection, asset }: StateChange, disposition: MergeDisposition): Promise<void> {
  const { merge: keys, duplicates, updated_at: time } = disposition;
  if (time !== undefined) {
    await assertTimed(connection, { asset, time, keys });
    const newest = `rank() over (partition by ${keyList(keys)} order by ${quoteName(time)} desc)`;
    await connection.run(
      `delete from ${SOURCE} where rowid in (select row from (select rowid as row, ${newest} as place from ${SOURCE}) where place > 1)`,
    );
  }
  if (duplicates === "last") await keepLast(connection, keys);
  await assertKeyUnique(connection, SOURCE, keys, asset);
}

/**
 * New rows that change nothing tell neither that a row goes nor that it comes: those that are older than what is there
 * and, of a whole source, those that are there as they are. How many.
 */
async function setAside(
  { connection, columns }: StateChange,
  { merge: keys, updated_at: time, delete: deletes }: MergeDisposition,
  paths: readonly string[],
): Promise<number> {
  const conditions = [
    ...(time === undefined ? [] : [`t.${quoteName(time)} > s.${quoteName(time)}`]),
    // Reading all columns of a table is worth it where all rows come again and most are the same.
    ...(deletes === undefined ? [] : [`not s.${DELETED} and ${isSameRow(columns)}`]),
  ];
  if (conditions.length === 0 || paths.length === 0) return 0;
  const names = new Set([...keys, ...(time === undefined ? [] : [time])].map((name) => name.toLowerCase()));
  const read = deletes === undefined ? columns.filter(({ name }) => names.has(name.toLowerCase())) : columns;
  const condition = conditions.map((one) => `(${one})`).join(" or ");
  await connection.run(
    `update ${SOURCE} s set ${DELETED} = null where exists (select 1 from ${filesRelation(paths, read)} t where ${sameKey(keys, "t", "s")} and (${condition}))`,
  );
  const [counted] = await connection.rows(`select count(*) as n from ${SOURCE} where ${DELETED} is null`);
  return Number(counted?.["n"]);
}

function isSameRow(columns: readonly Column[]): string {
  return columns.map(({ name }) => `t.${quoteName(name)} is not distinct from s.${quoteName(name)}`).join(" and ");
}
