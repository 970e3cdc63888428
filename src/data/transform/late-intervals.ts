import type { AssetVersion } from "#metadata-store";
import { getAssetVersion } from "#metadata-store";
import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { IncrementalLedger } from "../dataset.ts";
import { filesRelation } from "../delta/relation.ts";
import type { LineageInput } from "./column-lineage.ts";
import type { IncrementalDependencies, IncrementalModel } from "./incremental.ts";
import { addIntervals, type IntervalUnit, startOfInterval, type TimeSpan } from "./intervals.ts";

const TIME_TYPE = /^(DATE|TIMESTAMP)/;

/**
 * Intervals whose rows changed in the inputs since a model read them: rows that came, went or are others now, found by
 * the column that the model's time is computed from. Of an input without such a column it is said that it changed.
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
  const inputs = await model.timeInputs();
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
      return times.length === 0 || before === undefined
        ? undefined
        : spansOfChange(dependencies, { before, now, times, interval: facts.interval });
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

/** Compares the files that only one of two versions has, row by row: files that were only rewritten tell nothing. */
async function spansOfChange(
  { datasets, analytics }: IncrementalDependencies,
  change: {
    readonly before: AssetVersion;
    readonly now: AssetVersion;
    readonly times: readonly string[];
    readonly interval: IntervalUnit;
  },
): Promise<readonly TimeSpan[]> {
  const [before, now] = [await datasets.snapshot(change.before), await datasets.snapshot(change.now)];
  const [had, has] = [new Set(before.files), new Set(now.files)];
  const rowsOf = (files: readonly string[]): string =>
    `select ${now.columns.map(({ name }) => quoteName(name)).join(", ")} from ${filesRelation(files, now.columns)}`;
  const came = rowsOf(now.files.filter((path) => !had.has(path)));
  const goneFiles = before.files.filter((path) => !has.has(path));
  const gone = rowsOf(goneFiles);
  const changed =
    goneFiles.length === 0 ? came : `((${came}) except all (${gone})) union all ((${gone}) except all (${came}))`;
  const times = change.times.map((name) => quoteName(name));
  const connection = await analytics.connect();
  try {
    const rows = await connection.rows(
      `select distinct epoch_ms(date_trunc('${change.interval}', cast(t as timestamptz))) as ms from (select unnest([${times.map((name) => `cast(${name} as timestamptz)`).join(", ")}]) as t from (${changed})) where t is not null and isfinite(t)`,
    );
    return rows.flatMap((row): TimeSpan[] => {
      const start = startOfInterval(Number(row["ms"]), change.interval);
      return [[start, addIntervals(start, 1, change.interval)]];
    });
  } finally {
    connection.close();
  }
}
