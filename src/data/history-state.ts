import type { Column } from "./analytics/analytics.ts";
import { textOf } from "./analytics/rows.ts";
import { quoteName } from "./analytics/sql-text.ts";
import type { HistoryDisposition, MergedKeys } from "./dataset.ts";
import type { DatasetState, NextState, StateChange } from "./dataset-state.ts";
import { writeDataFile } from "./delta/data-file.ts";
import { filesRelation } from "./delta/relation.ts";
import { absolutePath, fetchFiles } from "./delta/table.ts";
import { mergeKeyInvalid } from "./errors.ts";
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
  type StagedRows,
} from "./merge-source.ts";
import { alignSelect, evolveColumns } from "./row-alignment.ts";
import { unknownSources } from "./row-sources.ts";
import { HISTORY_COLUMNS, isHistoryColumn } from "./write-disposition.ts";
import { historyUnfit } from "./write-errors.ts";

const OLD = '"__esteira_history_old"';
const NEXT = '"__esteira_history_next"';
const CHANGED = '"__esteira_history_changed"';
const FROM = quoteName("valid_from");
const TO = quoteName("valid_to");
const CURRENT = quoteName("is_current");

interface History {
  readonly change: StateChange;
  readonly disposition: HistoryDisposition;
  readonly keys: readonly string[];
  /** Columns that the source has. */
  readonly payload: readonly Column[];
  /** Those whose change makes a version. */
  readonly checked: readonly string[];
}

/**
 * Keeps, for each key, the versions of its row one behind the other in time. What is there and what is new are events
 * of a key, in order of time: it is so from now on, or it is deleted. An event that changes nothing is none; the others
 * are the versions, each until the next. So a late row finds its place, and writing the same twice changes nothing.
 *
 * Copy-on-write: data files are written again where versions of a key in them changed.
 *
 * @throws DATA_HISTORY_UNFIT, DATA_MERGE_KEY_INVALID, DATA_DELETE_CONDITION_INVALID
 */
export async function historyState(
  before: DatasetState,
  change: StateChange,
  disposition: HistoryDisposition,
): Promise<NextState> {
  const columns = historyColumns(before, change);
  const payload = columns.filter(({ name }) => !isHistoryColumn(name));
  const aligned = { ...change, columns: payload, select: alignSelect(change.select, change.columns, payload) };
  const history = historyOf(aligned, disposition);
  const { connection, table } = change;
  await fetchFiles(table, before.files);
  try {
    const staged = await stageRows(aligned, disposition);
    if (staged.note !== undefined) change.log?.(staged.note);
    await settleDuplicates(history);
    const paths = new Map(before.files.map((file) => [absolutePath(table, file.path), file]));
    await readVersions(history, [...paths.keys()], { columns, staged });
    await computeVersions(history, staged);
    const merged = await compareVersions(history, columns);
    const touched = new Set(
      (
        await connection.rows(
          `select distinct path from ${OLD} t semi join ${CHANGED} c on ${sameKey(history.keys, "t", "c")}`,
        )
      ).map((row) => textOf(row["path"])),
    );
    const part = await writeVersions(history, columns, [...touched]);
    const untouched = [...paths].flatMap(([path, file]) => (touched.has(path) ? [] : [file]));
    return {
      columns,
      files: part === undefined ? untouched : [...untouched, part.add],
      rowCount: staged.rowCount,
      overtaken: staged.rowCount,
      written: part === undefined ? [] : [part.add],
      kept: unknownSources(part?.rowCount ?? 0),
      superseded: 0,
      merged,
    };
  } finally {
    await dropStaged(connection);
    for (const name of [OLD, NEXT, CHANGED]) await connection.run(`drop table if exists ${name}`);
  }
}

/** The dataset's columns: those of the source and, before any that came later, those of the history. */
function historyColumns(before: DatasetState, change: StateChange): readonly Column[] {
  const own = change.columns.find(({ name }) => isHistoryColumn(name));
  if (own !== undefined)
    throw historyUnfit({
      table: change.asset,
      problem: `the new rows have a column "${own.name}" themselves`,
      remedy: "Give the source's column another name: in a query with AS, or with columns of the source.",
    });
  if (before.columns.length === 0) return [...change.columns, ...HISTORY_COLUMNS];
  const has = before.columns.filter(({ name }) => isHistoryColumn(name)).length === HISTORY_COLUMNS.length;
  if (!has && before.files.length > 0)
    throw historyUnfit({
      table: change.asset,
      problem: "the rows that are there say nothing of when they held",
      remedy: `Make it anew: esteira capture ${change.asset} --again all, or esteira dataset drop ${change.asset}.`,
    });
  return evolveColumns(has ? before.columns : [...before.columns, ...HISTORY_COLUMNS], change);
}

function historyOf(change: StateChange, disposition: HistoryDisposition): History {
  const { columns: payload, asset } = change;
  const { history: keys, updated_at: time, check } = disposition;
  const byName = new Map(payload.map((column) => [column.name.toLowerCase(), column]));
  const given = payload.map(({ name }) => name).join(", ");
  const unknown = check?.find((name) => !byName.has(name.toLowerCase()));
  if (unknown !== undefined)
    throw historyUnfit({
      table: asset,
      problem: `check names "${unknown}", and the rows have ${given}`,
      remedy: "Name columns of the rows in check, or take it out to compare all.",
    });
  const type = time === undefined ? undefined : byName.get(time.toLowerCase())?.type;
  if (time !== undefined && type !== undefined && !/^(DATE|TIMESTAMP)/.test(type))
    throw historyUnfit({
      table: asset,
      problem: `updated_at is ${time}, whose values are ${type}`,
      remedy: "Name a column with days or moments, or give its format in a contract.",
    });
  const others = new Set([...keys, ...(time === undefined ? [] : [time])].map((name) => name.toLowerCase()));
  const checked = check ?? payload.map(({ name }) => name).filter((name) => !others.has(name.toLowerCase()));
  return { change, disposition, keys, payload, checked };
}

/** Of a key, at one time, there is one new row. @throws DATA_MERGE_KEY_INVALID */
async function settleDuplicates({ change, disposition, keys, checked }: History): Promise<void> {
  const { connection, asset } = change;
  const { updated_at: time, duplicates } = disposition;
  if (time === undefined) {
    if (duplicates === "last") await keepLast(connection, keys);
    return assertKeyUnique(connection, SOURCE, keys, asset);
  }
  await assertTimed(connection, { asset, time, keys });
  if (duplicates !== "last") {
    const same = [DELETED, ...checked.map(quoteName)].join(", ");
    const [found] = await connection.rows(
      `select ${keyList(keys)}, ${quoteName(time)} as "__at" from ${SOURCE} group by ${keyList(keys)}, ${quoteName(time)} having count(distinct row(${same})) > 1 or ${keys.map((key) => `${quoteName(key)} is null`).join(" or ")} limit 1`,
    );
    if (found !== undefined) {
      const shown = keys.map((key) => `${key} = ${JSON.stringify(found[key] ?? null)}`).join(", ");
      const isNull = keys.some((key) => (found[key] ?? null) === null);
      throw mergeKeyInvalid({
        table: asset,
        problem: isNull
          ? `a new row has no value for its key (${shown})`
          : `new rows differ that have the same key and the same ${time} (${shown})`,
      });
    }
  }
  await keepLast(connection, [...keys, time]);
}

/** Versions of the keys that may change, with the file they are in. */
async function readVersions(
  { change: { connection }, keys }: History,
  paths: readonly string[],
  { columns, staged: { missing } }: { readonly columns: readonly Column[]; readonly staged: StagedRows },
): Promise<void> {
  const keyColumns = columns.filter(({ name }) => keys.some((key) => key.toLowerCase() === name.toLowerCase()));
  const some = `select distinct ${keyList(keys)} from ${SOURCE}`;
  // Of files without a new key only the keys are read.
  const holding =
    paths.length === 0 || missing !== undefined
      ? paths
      : (
          await connection.rows(
            `select distinct t.filename as path from ${filesRelation(paths, keyColumns, ["filename"])} t semi join ${SOURCE} s on ${sameKey(keys, "t", "s")}`,
          )
        ).map((row) => textOf(row["path"]));
  const list = columns.map(({ name }) => `t.${quoteName(name)}`).join(", ");
  const wanted = missing === undefined ? ` semi join (${some}) s on ${sameKey(keys, "t", "s")}` : "";
  await connection.run(
    `create or replace temp table ${OLD} as select ${list}, t.filename as path from ${filesRelation(holding, columns, ["filename"])} t${wanted}`,
  );
}

/** From events to versions: {@link NEXT}. */
async function computeVersions(history: History, { missing }: StagedRows): Promise<void> {
  const { change, disposition, keys, payload, checked } = history;
  const { updated_at: time } = disposition;
  const k = keyList(keys);
  const isKey = (name: string): boolean => keys.some((key) => key.toLowerCase() === name.toLowerCase());
  const values = payload.map(({ name }) => quoteName(name)).join(", ");
  const without = payload.map(({ name, type }) =>
    isKey(name) ? `o.${quoteName(name)}` : `cast(null as ${type}) as ${quoteName(name)}`,
  );
  const now = `make_timestamptz(${change.atMs * 1000})`;
  const step = "interval 1 microsecond";
  // Without a time of its own a change is of now, and behind what is known, whatever another machine's clock said.
  const at =
    time === undefined
      ? `greatest(${now}, coalesce((select max(greatest(o.${FROM}, coalesce(o.${TO}, o.${FROM}))) + ${step} from ${OLD} o where ${sameKey(keys, "o", "s")}), ${now}))`
      : `s.${quoteName(time)}::TIMESTAMPTZ`;
  const events = [
    `select ${values}, ${FROM} as "__at", false as "__gone", 0 as "__rank" from ${OLD}`,
    `select ${without.join(", ")}, o.${TO}, true, 0 from ${OLD} o where o.${TO} is not null and not exists (select 1 from ${OLD} n where ${sameKey(keys, "n", "o")} and n.${FROM} = o.${TO})`,
    `select ${values}, ${at}, ${DELETED}, 1 from ${SOURCE} s`,
    ...(missing === undefined
      ? []
      : [
          `select ${without.join(", ")}, greatest(${now}, o.${FROM} + ${step}), true, 1 from (select t.* from ${OLD} t ${missing.join} left join (select distinct ${k}, true as found from ${SOURCE}) x on ${sameKey(keys, "t", "x")} where t.${CURRENT} and x.found is null and ${missing.condition}) o`,
        ]),
  ];
  const tracked = `row(${["1", ...checked.map(quoteName)].join(", ")})`;
  const order = `over (partition by ${k} order by "__at")`;
  await change.connection.run(
    `create or replace temp table ${NEXT} as
     with told as (select * from (${events.join(" union all ")}) qualify row_number() over (partition by ${k}, "__at" order by "__rank" desc) = 1),
     compared as (select *, lag("__gone") ${order} as "__was_gone", lag(${tracked}) ${order} as "__was", ${tracked} as "__is" from told),
     turned as (select * from compared where case when "__was_gone" is null then not "__gone" else "__gone" <> "__was_gone" or (not "__gone" and "__is" is distinct from "__was") end),
     spans as (select *, lead("__at") ${order} as "__until" from turned)
     select ${values}, "__at" as ${FROM}, "__until" as ${TO}, "__until" is null as ${CURRENT} from spans where not "__gone"`,
  );
}

/** Keys whose versions are others now: {@link CHANGED}. */
async function compareVersions(
  { change: { connection }, keys }: History,
  columns: readonly Column[],
): Promise<MergedKeys> {
  const k = keyList(keys);
  const all = columns.map(({ name }) => quoteName(name)).join(", ");
  const [was, is] = [`select ${all} from ${OLD}`, `select ${all} from ${NEXT}`];
  const differing = `(select distinct ${k} from ((${was} except all ${is}) union all (${is} except all ${was})))`;
  await connection.run(
    `create or replace temp table ${CHANGED} as
     select ${k}, bool_or(old) as "__had", bool_or(old and ${CURRENT}) as "__was_current", bool_or(not old and ${CURRENT}) as "__is_current"
     from (select ${k}, ${CURRENT}, true as old from ${OLD} union all select ${k}, ${CURRENT}, false from ${NEXT}) v
     semi join ${differing} c on ${sameKey(keys, "v", "c")} group by ${k}`,
  );
  const [counts] = await connection.rows(
    `select count(*) filter (where not "__had") as added, count(*) filter (where "__was_current" and not "__is_current") as deleted, count(*) as n,
       (select count(*) from (select distinct ${k} from ${SOURCE}) s anti join ${CHANGED} c on ${sameKey(keys, "s", "c")}) as unchanged from ${CHANGED}`,
  );
  const count = (name: string): number => Number(counts?.[name] ?? 0);
  const [added, deleted] = [count("added"), count("deleted")];
  return { added, deleted, changed: count("n") - added - deleted, unchanged: count("unchanged") };
}

/** Undefined when nothing is to be written. */
async function writeVersions(
  { change, keys }: History,
  columns: readonly Column[],
  touched: readonly string[],
): ReturnType<typeof writeDataFile> {
  const all = columns.map(({ name }) => `t.${quoteName(name)}`).join(", ");
  const kept =
    touched.length === 0
      ? []
      : [
          `select ${all} from ${filesRelation(touched, columns)} t anti join ${CHANGED} c on ${sameKey(keys, "t", "c")}`,
        ];
  // In an order of its own: equal histories become equal files.
  const next = `select * from (select ${all} from ${NEXT} t semi join ${CHANGED} c on ${sameKey(keys, "t", "c")} order by ${keyList(keys, "t")}, t.${FROM})`;
  const select = [...kept, next].join(" union all ");
  return writeDataFile(change.connection, change.table, { select, columns }, change.atMs);
}
