import { type AnalyticsConnection, quoteName } from "#data";
import { rowsChanged } from "./errors.ts";
import type { JoinedView } from "./join-plan.ts";
import { registerWindowSums, windowJoin } from "./window-join.ts";

/** What to join. Relations are SQL for a FROM clause. */
export interface PointInTimeJoin {
  readonly connection: AnalyticsConnection;
  readonly spine: { readonly name: string; readonly relation: string; readonly timestamp: string };
  readonly views: readonly {
    readonly joined: JoinedView;
    readonly relation: string;
    /** True when (keys, timestamp) is known to occur once: ties need no removal. */
    readonly unique: boolean;
  }[];
  /**
   * Rows whose `created` lies after the spine's time are unknown then: a late correction does not leak. Default false,
   * as in Feast.
   */
  readonly onlyKnown?: boolean;
}

/** The joined rows, in temporary tables of the connection. */
export interface JoinedRows {
  readonly rowCount: number;
  /**
   * SELECT of the spine's columns, unchanged and in order, then the features; rows in the spine's order. `extra` adds
   * expressions over `spine`.
   */
  select(extra?: readonly string[]): string;
  /** Rows of each view that got a value of it. */
  readonly matched: Readonly<Record<string, number>>;
  /** Removes the temporary tables. */
  drop(): Promise<void>;
}

/** Name of the spine's event time in microseconds since the epoch, for `extra`. */
export const SPINE_TIME = "spine.__t";

/**
 * Joins to every row of the spine, and for every view by itself, the values that were known at the row's time T.
 *
 * Of the source's rows with equal keys and `timestamp + availableAfter <= T`, and `>= T - ttl` when there is a ttl, the
 * one with the greatest timestamp counts, of these the one with the greatest `created` (NULL last), of these the last
 * in the dataset's order. Both bounds are inclusive. A NULL key matches nothing. Without a match all features of the
 * view are NULL; the row stays.
 *
 * A view of windows gives aggregates over the rows that were known in (T - window, T].
 *
 * N rows in, N rows out, in the same order: checked here.
 *
 * @throws FEATURES_ROWS_CHANGED, DATA_QUERY_FAILED, DATA_QUERY_CANCELLED
 * Source: Feast's semantics of historical retrieval; DuckDB's ASOF join, one per view.
 */
export async function joinPointInTime(join: PointInTimeJoin): Promise<JoinedRows> {
  const { connection, spine } = join;
  await connection.run(
    `create or replace temp table spine as select *, epoch_us(${quoteName(spine.timestamp)}) as __t from ${spine.relation}`,
  );
  const [bounds] = await connection.rows(
    "select count(*) as n, min(__t)::varchar as low, max(__t)::varchar as high from spine",
  );
  if (join.views.some(({ joined }) => joined.windows !== undefined)) await registerWindowSums(connection);
  const rowCount = Number(bounds?.["n"] ?? 0);
  const tables = ["spine"];
  const matched: Record<string, number> = {};
  for (const [index, view] of join.views.entries()) {
    const table = `joined_${index}`;
    tables.push(table);
    await connection.run(
      `create or replace temp table ${table} as ${joinOfView(view, { low: textOf(bounds?.["low"]), high: textOf(bounds?.["high"]), onlyKnown: join.onlyKnown === true })}`,
    );
    const [count] = await connection.rows(
      `select count(*) as n, sum(__rid)::varchar as ids, count(*) filter (where __hit) as hit from ${table}`,
    );
    // ASOF LEFT JOIN gives every row once; the sum of ids catches a row that is there twice while another is lost.
    const found = Number(count?.["n"] ?? 0);
    const expectedIds = (BigInt(rowCount) * BigInt(rowCount - 1)) / 2n;
    if (found !== rowCount || (rowCount > 0 && BigInt(textOf(count?.["ids"])) !== expectedIds))
      throw rowsChanged({ spine: spine.name, expected: rowCount, found, view: view.joined.alias });
    matched[view.joined.alias] = Number(count?.["hit"] ?? 0);
  }
  return {
    rowCount,
    matched,
    select: (extra = []) => {
      const columns = [
        "spine.* exclude (__t)",
        ...join.views.flatMap(({ joined }, index) =>
          joined.features.map(({ name }) => `joined_${index}.${quoteName(name)}`),
        ),
        ...extra,
      ];
      return `select ${columns.join(", ")} from spine ${join.views.map((_, index) => `positional join joined_${index}`).join(" ")}`;
    },
    async drop() {
      for (const table of tables) await connection.run(`drop table if exists ${table}`);
    },
  };
}

function joinOfView(
  view: PointInTimeJoin["views"][number],
  options: { readonly low: string; readonly high: string; readonly onlyKnown: boolean },
): string {
  const { joined } = view;
  if (joined.windows !== undefined) return windowJoin(joined, joined.windows, { ...options, relation: view.relation });
  const probeKeys = joined.keys.map(({ spine }, index) => `${quoteName(spine)} as k${index}`);
  const keysEqual = joined.keys.map((_, index) => `s.k${index} = f.k${index}`);
  const known = options.onlyKnown && joined.created !== null;
  const alive = joined.ttlUs === 0 ? "true" : `f.__ts >= s.__t - ${joined.ttlUs}`;
  const values = joined.features.map(({ name }, index) =>
    joined.ttlUs === 0
      ? `f.v${index} as ${quoteName(name)}`
      : `case when ${alive} then f.v${index} end as ${quoteName(name)}`,
  );
  // Sorted back by row number, so that the pieces can be laid side by side without another join.
  return `
    with s as (select rowid as __rid, __t, ${probeKeys.join(", ")} from spine),
    f as (${known ? knownRows(joined, view.relation, options) : latestRows(joined, view, options)})
    select s.__rid, (f.__ts is not null and ${alive}) as __hit, ${values.join(", ")}
    from s asof left join f on ${[...keysEqual, `s.__t >= f.${known ? "__known" : "__ts"}`].join(" and ")}
    order by s.__rid`;
}

/** The source's rows by event time, pruned to what the spine can reach, one per (keys, time). */
function latestRows(
  joined: JoinedView,
  view: { readonly relation: string; readonly unique: boolean },
  { low, high }: { readonly low: string; readonly high: string },
): string {
  const keys = joined.keys.map((_, index) => `k${index}`).join(", ");
  const rows = `select ${sourceColumns(joined).join(", ")} from ${view.relation} where ${hasKeys(joined)} and ${withinReach(joined, low, high)}`;
  if (view.unique) return rows;
  const order = [...(joined.created === null ? [] : ["__created desc nulls last"]), "__row desc"].join(", ");
  return `select * exclude (__row) from (select *, row_number() over () as __row from (${rows})) qualify row_number() over (partition by ${keys}, __ts order by ${order}) = 1`;
}

/**
 * With `created <= T`: a row is known from `greatest(timestamp, created)`. A running maximum over the order of becoming
 * known gives, for each such instant, the row that counts from then on.
 */
function knownRows(joined: JoinedView, relation: string, { high }: { readonly high: string }): string {
  const keys = joined.keys.map((_, index) => `k${index}`).join(", ");
  const values = joined.features.map((_, index) => `best.v${index} as v${index}`).join(", ");
  const row = [
    "__ts := __ts",
    "__created := __created",
    "__row := __row",
    ...joined.features.map((_, index) => `v${index} := v${index}`),
  ].join(", ");
  return `
    select ${joined.keys.map((_, index) => `k${index}`).join(", ")}, __known, best.__ts as __ts, ${values} from (
      select *, max(struct_pack(${row})) over (partition by ${keys} order by __known range unbounded preceding) as best from (
        select *, greatest(__ts, __created) as __known, row_number() over () as __row
        from (select ${sourceColumns(joined).join(", ")} from ${relation}) where __created is not null and __ts <= ${high} and ${joined.keys.map((_, index) => `k${index} is not null`).join(" and ")}))
    qualify row_number() over (partition by ${keys}, __known) = 1`;
}

function sourceColumns(joined: JoinedView): string[] {
  return [
    ...joined.keys.map(({ source }, index) => `${quoteName(source)} as k${index}`),
    `epoch_us(${quoteName(joined.timestamp)})${joined.availableAfterUs === 0 ? "" : ` + ${joined.availableAfterUs}`} as __ts`,
    ...(joined.created === null ? [] : [`epoch_us(${quoteName(joined.created)}) as __created`]),
    ...joined.features.map(({ column }, index) => `${quoteName(column)} as v${index}`),
  ];
}

/** DuckDB's ASOF join pairs NULL with NULL when there are several keys (seen in 1.5.6); here NULL matches nothing. */
function hasKeys(joined: JoinedView): string {
  return joined.keys.map(({ source }) => `${quoteName(source)} is not null`).join(" and ");
}

/** Written on the column itself, so that Parquet row groups out of reach are not read. */
function withinReach(joined: JoinedView, low: string, high: string): string {
  const column = quoteName(joined.timestamp);
  const latest = `${column} <= make_timestamp(${high} - ${joined.availableAfterUs})`;
  return joined.ttlUs === 0
    ? latest
    : `${latest} and ${column} >= make_timestamp(${low} - ${joined.availableAfterUs + joined.ttlUs})`;
}

/** Bounds of a spine without any time: then nothing can match. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "0";
}
