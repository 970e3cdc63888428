import { quoteName } from "#data";
import { z } from "zod";
import type { FeatureView } from "./feature-definitions.ts";
import type { JoinedView } from "./join-plan.ts";
import type { FeatureStatus, OnlineColumn, OnlineValue } from "./online-read.ts";
import { type WindowFeature, windowOperand } from "./window-feature.ts";
import { windowValue } from "./window-value.ts";

const DAY_US = 86_400_000_000;

/** The rows of a key, by time, as the online store keeps them for windows. */
const rowsSchema = z.object({
  /** Rows until then are not kept, epoch µs: windows that reach further back are not known. */
  until: z.number(),
  // Written here and by nobody else: a look at each element would take longer than all the rest.
  at: z.custom<readonly number[]>(Array.isArray),
  values: z.record(z.string(), z.custom<readonly (number | string | null)[]>(Array.isArray)),
});
type WindowRows = z.infer<typeof rowsSchema>;

/**
 * SELECT of each key with its rows of twice the longest window and a day, back from now or the latest row: so long ago
 * may a request ask.
 */
export function windowRowsOf(view: FeatureView, relation: string, nowMs: number): string {
  const longest = Math.max(...view.windows.map(({ windowUs }) => windowUs));
  const key = `to_json([${view.keys.map((name) => `${quoteName(name)}::varchar`).join(", ")}])::varchar`;
  const operands = operandsOf(view.windows);
  const values = operands.map(
    (_, index) => `v${index} := coalesce(list(v${index} order by __ts, __row) filter (where __ts > until), [])`,
  );
  return `
    with e as (
      select ${key} as __key, epoch_us(${quoteName(view.timestamp)}) + ${view.availableAfterUs} as __ts,
        row_number() over () as __row${operands.map((operand, index) => `, ${operand} as v${index}`).join("")}
      from ${relation} where ${[...view.keys, view.timestamp].map((name) => `${quoteName(name)} is not null`).join(" and ")}),
    kept as (select least(max(__ts), ${nowMs * 1000}) - ${2 * longest + DAY_US} as until from e)
    select __key, max(__ts) as __event, null::bigint as __created, to_json(struct_pack(
      until := any_value(until),
      "at" := coalesce(list(__ts order by __ts, __row) filter (where __ts > until), []),
      "values" := struct_pack(${values.join(", ") || "none := []"})))::varchar as __payload
    from e, kept group by __key order by __key`;
}

/** What windows read of a row; equal ones are kept once. */
function operandsOf(windows: readonly WindowFeature[]): readonly string[] {
  return [...new Set(windows.filter(({ column }) => column !== null).map(windowOperand))];
}

/** Reads what {@link windowRowsOf} wrote; numbers that are whole as well. */
function readRows(payload: string): WindowRows {
  return rowsSchema.parse(JSON.parse(payload));
}

/**
 * The windows of a view as they are at the time of each row: rows leave them as time goes on.
 *
 * @param stored by row: undefined when the view is not online or a join key is null, null when the key has no rows
 */
export function windowColumnsOf(
  view: JoinedView,
  windows: readonly WindowFeature[],
  stored: readonly (string | null | undefined)[],
  atUsOf: (row: number) => number,
): readonly OnlineColumn[] {
  const parsed = new Map<string, WindowRows>();
  const rows = stored.map((payload) => {
    if (payload === null || payload === undefined) return payload;
    const known = parsed.get(payload) ?? readRows(payload);
    parsed.set(payload, known);
    return known;
  });
  const operands = operandsOf(windows);
  return view.features.map(({ column, name }) => {
    const window = windows.find((one) => one.name === column);
    const values: OnlineValue[] = [];
    const statuses: FeatureStatus[] = [];
    const eventUs: number[] = [];
    for (const [index, row] of rows.entries()) {
      const read =
        window === undefined
          ? NOT_FOUND
          : readWindow(window, { row, name: `v${operands.indexOf(windowOperand(window))}`, atUs: atUsOf(index) });
      values.push(read.value);
      statuses.push(read.status);
      eventUs.push(read.eventUs);
    }
    return { name, values, statuses, eventUs };
  });
}

interface WindowRead {
  readonly value: number | null;
  readonly status: FeatureStatus;
  readonly eventUs: number;
}
const NOT_FOUND: WindowRead = { value: null, status: "NOT_FOUND", eventUs: 0 };

function readWindow(
  { function: of, windowUs }: WindowFeature,
  { row, name, atUs }: { readonly row: WindowRows | null | undefined; readonly name: string; readonly atUs: number },
): WindowRead {
  if (row === undefined) return NOT_FOUND;
  if (row === null) {
    const value = windowValue(of, []);
    return value === null ? NOT_FOUND : { value, status: "PRESENT", eventUs: 0 };
  }
  if (atUs - windowUs < row.until) return NOT_FOUND;
  const first = countUntil(row.at, atUs - windowUs);
  const end = countUntil(row.at, atUs);
  const value = windowValue(of, (of === "count" ? row.at : (row.values[name] ?? [])).slice(first, end));
  return { value, status: value === null ? "NULL_VALUE" : "PRESENT", eventUs: row.at[end - 1] ?? 0 };
}

/** How many of ascending times are at most so late. */
function countUntil(times: readonly number[], atUs: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? Infinity) <= atUs) low = middle + 1;
    else high = middle;
  }
  return low;
}
