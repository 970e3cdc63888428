import type { LogFile } from "#data";
import { timesOf } from "./history-table.ts";

/** Files below this size are small. */
const SMALL_BYTES = 16 << 20;
/** So many small ones lie side by side before they become one. */
const LEAST_FILES = 16;
/** A merge rewrites no more than about this much. */
const LARGEST_BYTES = 256 << 20;

/** The small files of a table that are written anew together, neighbours in time; undefined while there are few. */
export function pickMerge(files: readonly LogFile[]): readonly LogFile[] | undefined {
  const small = files
    .filter(({ sizeBytes }) => sizeBytes < SMALL_BYTES)
    .sort((left, right) => timesOf(left)[0] - timesOf(right)[0]);
  const overlapping = small.filter((file, index) => {
    const [before, next] = [small[index - 1], small[index + 1]];
    return (before !== undefined && shareDay(before, file)) || (next !== undefined && shareDay(file, next));
  });
  if (overlapping.length < LEAST_FILES) return undefined;
  const picked: LogFile[] = [];
  let bytes = 0;
  for (const file of overlapping) {
    if (picked.length > 0 && bytes + file.sizeBytes > LARGEST_BYTES) break;
    picked.push(file);
    bytes += file.sizeBytes;
  }
  return picked.length < 2 ? undefined : picked;
}

const DAY_MS = 86_400_000;

function shareDay(before: LogFile, next: LogFile): boolean {
  return Math.floor(timesOf(before)[1] / DAY_MS) >= Math.floor(timesOf(next)[0] / DAY_MS);
}
