import { join } from "node:path";
import type { Digest } from "#base";
import type { Blobs } from "#storage";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { quotePath, quoteText } from "../analytics/sql-text.ts";
import { textOf } from "../analytics/rows.ts";

/** Rows held back from one source, as one Parquet object. */
export interface HeldRows {
  readonly object: Digest | undefined;
  readonly count: number;
  /** Rule → rows; a row that breaks two counts in both. */
  readonly rules: Readonly<Record<string, number>>;
  /** Rule → what some of the rows that break it hold, with their lines. */
  readonly samples: Readonly<Record<string, readonly string[]>>;
}

const SAMPLES = 5;

/**
 * Stores the bad rows of one source: `row_number` (from 0), `record, line, byte, row, rules, messages`.
 *
 * @param bad SELECT of `record, line, byte, row, rules, messages`
 * @param folder private folder for the file on its way to the object store
 */
export async function storeHeldRows(
  connection: AnalyticsConnection,
  objects: Blobs,
  bad: string,
  folder: string,
): Promise<HeldRows> {
  const path = join(folder, `quarantine-${Math.random().toString(36).slice(2)}.parquet`);
  const [written] = await connection.rows(
    `copy (select (row_number() over ()) - 1 as row_number, * from (${bad})) to ${quoteText(path)} (format parquet, compression zstd, return_stats true)`,
  );
  const count = Number(written?.["count"] ?? 0);
  if (count === 0) return { object: undefined, count: 0, rules: {}, samples: {} };
  const rows =
    await connection.rows(`select rule, count(*) as n, arg_min(case when line is null or starts_with(message, 'line ') then message else concat('line ', line, ': ', message) end, row_number, ${SAMPLES}) as samples
    from (select row_number, line, unnest(rules) as rule, unnest(messages) as message from read_parquet(${quotePath(path)})) group by rule order by rule`);
  const { digest } = await objects.putFile(path);
  return {
    object: digest,
    count,
    rules: Object.fromEntries(rows.map((row) => [textOf(row["rule"]), Number(row["n"])])),
    samples: Object.fromEntries(
      rows.map((row) => [
        textOf(row["rule"]),
        (row["samples"] as readonly (string | null)[]).flatMap((sample) => sample ?? []),
      ]),
    ),
  };
}
