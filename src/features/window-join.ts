import { type AnalyticsConnection, quoteName } from "#data";
import { z } from "zod";
import type { JoinedView } from "./join-plan.ts";
import { type WindowFeature, windowOperand } from "./window-feature.ts";
import { windowValue } from "./window-value.ts";

const EXACT = ["sum", "mean", "std"] as const;
const valuesSchema = z.custom<readonly (number | null)[]>(Array.isArray);

/** Makes sums known to SQL on a connection: as the online read has them, whatever the order of rows. */
export async function registerWindowSums(connection: AnalyticsConnection): Promise<void> {
  for (const of of EXACT)
    await connection.registerText(`esteira_window_${of}`, (text) =>
      String(windowValue(of, valuesSchema.parse(JSON.parse(text)))),
    );
}

/**
 * SELECT of every row of the table `spine` with the windows of a view that end at its time: a row of the source counts
 * when `timestamp + availableAfter` lies in (T - window, T]. Every row is an event, also one that equals another.
 *
 * @param options.onlyKnown rows whose `created` lies after T, or is NULL, do not count
 */
export function windowJoin(
  joined: JoinedView,
  windows: readonly WindowFeature[],
  { relation, onlyKnown }: { readonly relation: string; readonly onlyKnown: boolean },
): string {
  const created = onlyKnown && joined.created !== null ? quoteName(joined.created) : undefined;
  const longest = Math.max(...windows.map(({ windowUs }) => windowUs));
  const keys = joined.keys.map((_, index) => `k${index}`);
  const time = `epoch_us(${quoteName(joined.timestamp)}) + ${joined.availableAfterUs}`;
  const columns = [
    ...joined.keys.map(({ source }, index) => `${quoteName(source)} as k${index}`),
    `${time} as __ts`,
    ...(created === undefined ? [] : [`epoch_us(${created}) as __created`]),
    ...windows.map((window, index) => `${windowOperand(window)} as v${index}`),
  ];
  const pairs = [
    ...keys.map((key) => `s.${key} = e.${key}`),
    "e.__ts <= s.__t",
    `e.__ts > s.__t - ${longest}`,
    ...(created === undefined ? [] : ["e.__created <= s.__t"]),
  ];
  // NULL matches nothing, and is not counted as nothing either.
  const isNull = `bool_or(${keys.map((key) => `s.${key} is null`).join(" or ")})`;
  const values = joined.features.map(({ column, name }) => {
    const index = windows.findIndex((window) => window.name === column);
    return `case when not ${isNull} then ${valueOf(windows[index], index)} end as ${quoteName(name)}`;
  });
  return `
    with s as (select rowid as __rid, __t, ${joined.keys.map(({ spine }, index) => `${quoteName(spine)} as k${index}`).join(", ")} from spine),
    e as (select ${columns.join(", ")} from ${relation})
    select s.__rid, count(e.__ts) > 0 as __hit, ${values.join(", ")}
    from s left join e on ${pairs.join(" and ")}
    group by s.__rid order by s.__rid`;
}

function valueOf(window: WindowFeature | undefined, index: number): string {
  if (window === undefined) return "null";
  const { function: of, windowUs } = window;
  const within = `filter (where e.__ts > s.__t - ${windowUs})`;
  if (of === "count") return `count(e.__ts) ${within}`;
  if (of === "distinct") return `count(distinct e.v${index}) ${within}`;
  if (of === "min" || of === "max") return `${of}(e.v${index}) ${within}`;
  return `try_cast(esteira_window_${of}(to_json(list(e.v${index}) ${within})::varchar) as double)`;
}
