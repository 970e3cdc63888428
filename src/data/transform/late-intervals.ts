import { isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import { getAssetVersion } from "#metadata-store";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { IncrementalLedger } from "../dataset.ts";
import { filesRelation } from "../delta/relation.ts";
import type { LineageInput } from "./column-lineage.ts";
import type { IncrementalDependencies, IncrementalModel } from "./incremental.ts";
import type { TimeExpression } from "./time-expression.ts";
import { addIntervals, type IntervalUnit, startOfInterval, type TimeSpan } from "./intervals.ts";

const TIME_TYPE = /^(DATE|TIMESTAMP)/;
/** What the changed rows are called in SQL. */
export const CHANGED_ROWS = "esteira_changed_rows";
/** No time zone is further from UTC. */
const FURTHEST_ZONE_HOURS = 14;

/**
 * Intervals whose rows changed in the inputs since a model read them: rows that came, went or are others now. To which
 * interval a row belongs is computed as the model does. Where that cannot be followed, it is all that a time zone could
 * make of the column that the time comes from. Of an input without such a column it is said that it changed.
 */
export async function lateSpans(
  dependencies: IncrementalDependencies,
  model: IncrementalModel,
  facts: {
    readonly before: NonNullable<IncrementalLedger["inputs"]>;
    readonly changed: readonly (readonly [string, AssetVersion])[];
    readonly interval: IntervalUnit;
  },
): Promise<{ readonly spans: readonly TimeSpan[]; readonly notes: readonly string[] }> {
  const [inputs, expressions] = [await model.timeInputs(), await model.timeExpressions()];
  const found = await Promise.all(
    facts.changed.map(async ([name, now]) => {
      const earlier = facts.before[name];
      const before =
        earlier === undefined
          ? undefined
          : await dependencies.store.read((transaction) =>
              getAssetVersion(transaction, { project: model.project, asset: name, version: earlier.version }),
            );
      const { columns } = await dependencies.datasets.snapshot(now);
      const times = timesOf(inputs, name, columns);
      const computed = expressions?.filter(({ dataset }) => dataset === name) ?? [];
      const isUnknown = before === undefined || before.expiredAtMs !== undefined;
      if ((times.length === 0 && computed.length === 0) || isUnknown) return undefined;
      return spansOfChange(dependencies, { before, now, times, computed, interval: facts.interval });
    }),
  );
  const unseen = facts.changed.flatMap(([name], index) => (found[index] === undefined ? [name] : []));
  return {
    spans: found.flatMap((spans) => spans ?? []),
    notes: unseen.map(
      (name) =>
        `${name} changed, and which intervals that touches cannot be told: filled ones stay as they are. Restate them where it matters.`,
    ),
  };
}

function timesOf(
  inputs: readonly LineageInput[] | undefined,
  dataset: string,
  columns: readonly Column[],
): readonly string[] {
  return (inputs ?? []).flatMap((input) => {
    const column = columns.find(({ name }) => name.toLowerCase() === input.column.toLowerCase());
    return input.dataset === dataset && input.type === "DIRECT" && column !== undefined && TIME_TYPE.test(column.type)
      ? [column.name]
      : [];
  });
}

interface InputChange {
  readonly before: AssetVersion;
  readonly now: AssetVersion;
  /** Columns that the model's time comes from. */
  readonly times: readonly string[];
  /** How it comes from them. */
  readonly computed: readonly TimeExpression[];
  readonly interval: IntervalUnit;
}

/**
 * Compares the files that only one of two versions has, row by row: files that were only rewritten tell nothing.
 *
 * @returns undefined where it cannot be told
 */
async function spansOfChange(
  { datasets, analytics }: IncrementalDependencies,
  change: InputChange,
): Promise<readonly TimeSpan[] | undefined> {
  const [before, now] = [await datasets.snapshot(change.before), await datasets.snapshot(change.now)];
  const [had, has] = [new Set(before.files), new Set(now.files)];
  const rowsOf = (files: readonly string[]): string =>
    `select ${now.columns.map(({ name }) => quoteName(name)).join(", ")} from ${filesRelation(files, now.columns)}`;
  const cameFiles = now.files.filter((path) => !had.has(path));
  const goneFiles = before.files.filter((path) => !has.has(path));
  const [came, gone] = [rowsOf(cameFiles), rowsOf(goneFiles)];
  const changed =
    goneFiles.length === 0 ? came : `((${came}) except all (${gone})) union all ((${gone}) except all (${came}))`;
  // The expressions are the user's.
  const connection = await analytics.sandbox({ files: [...cameFiles, ...goneFiles] }, (prepared) =>
    prepared.run(`create temp view ${quoteName(CHANGED_ROWS)} as ${changed}`),
  );
  try {
    const exact = await computedSpans(connection, change);
    if (exact !== undefined || change.times.length === 0) return exact;
    const hours = [-FURTHEST_ZONE_HOURS, 0, FURTHEST_ZONE_HOURS];
    return await spansOf(
      connection,
      change.interval,
      change.times.flatMap((name) =>
        hours.map(
          (n) => `select ${quoteName(name)}::TIMESTAMPTZ + interval (${n}) hour as t from ${quoteName(CHANGED_ROWS)}`,
        ),
      ),
    );
  } finally {
    connection.close();
  }
}

/** Undefined where an expression does not stand for a single row. */
async function computedSpans(
  connection: AnalyticsConnection,
  { computed, interval }: InputChange,
): Promise<readonly TimeSpan[] | undefined> {
  if (computed.length === 0) return undefined;
  try {
    return await spansOf(
      connection,
      interval,
      computed.map(({ select }) => select),
    );
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return undefined;
  }
}

async function spansOf(
  connection: AnalyticsConnection,
  interval: IntervalUnit,
  selects: readonly string[],
): Promise<readonly TimeSpan[]> {
  const rows = await connection.rows(
    `select distinct epoch_ms(date_trunc('${interval}', t)) as ms from (select cast(t as timestamptz) as t from (${selects.join(" union all ")})) where t is not null and isfinite(t)`,
  );
  return rows.map((row): TimeSpan => {
    const start = startOfInterval(Number(row["ms"]), interval);
    return [start, addIntervals(start, 1, interval)];
  });
}
