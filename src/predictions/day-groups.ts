const DAY_MS = 86_400_000;
/** Days with fewer rows share a file with those behind them. */
const LEAST_ROWS = 5000;

/** Adds rows to what is counted by day of the event (UTC, since 1970). */
export function countDays(days: Map<number, number>, rows: readonly { readonly atMs: number }[]): void {
  for (const { atMs } of rows) {
    const day = Math.floor(atMs / DAY_MS);
    days.set(day, (days.get(day) ?? 0) + 1);
  }
}

/** Times of files, epoch ms, from (included) and to (excluded): a day each, or several days with few rows. */
export function groupDays(
  days: ReadonlyMap<number, number>,
): readonly { readonly fromMs: number; readonly toMs: number }[] {
  const groups: { fromMs: number; toMs: number }[] = [];
  let open: { fromMs: number; rows: number } | undefined;
  for (const [day, rows] of [...days].sort(([left], [right]) => left - right)) {
    if (open !== undefined && open.rows + rows > LEAST_ROWS) {
      groups.push({ fromMs: open.fromMs, toMs: day * DAY_MS });
      open = undefined;
    }
    open = { fromMs: open?.fromMs ?? day * DAY_MS, rows: (open?.rows ?? 0) + rows };
    if (open.rows < LEAST_ROWS) continue;
    groups.push({ fromMs: open.fromMs, toMs: (day + 1) * DAY_MS });
    open = undefined;
  }
  const last = Math.max(...days.keys());
  if (open !== undefined) groups.push({ fromMs: open.fromMs, toMs: (last + 1) * DAY_MS });
  return groups;
}
