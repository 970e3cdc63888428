import { visibleText } from "#base";
import { formatPatch, structuredPatch } from "diff";

/** More is not read by anybody who decides; the digests say that the rest differs too. */
const LARGEST_BYTES = 256 * 1024;
const MOST_EDITS = 2000;
const MOST_LINES = 400;
const CONTEXT = 3;

/**
 * How two texts differ, as the hunks of a unified diff of at most 400 lines; of a side that is not there nothing is
 * common.
 *
 * @returns undefined where they are no texts, or too large or too different to be compared line by line
 */
export function diffTexts(before: Buffer | undefined, after: Buffer | undefined): string | undefined {
  const [left, right] = [toText(before), toText(after)];
  if (left === undefined || right === undefined) return undefined;
  const patch = structuredPatch("a", "b", left, right, "", "", { context: CONTEXT, maxEditLength: MOST_EDITS });
  if (patch === undefined || patch.hunks.length === 0) return undefined;
  const lines = formatPatch(patch).trimEnd().split("\n").map(visibleText);
  const hunks = lines.slice(lines.findIndex((line) => line.startsWith("@@")));
  const more = hunks.length - MOST_LINES;
  return [...hunks.slice(0, MOST_LINES), ...(more > 0 ? [`… ${more}`] : [])].join("\n");
}

function toText(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined) return "";
  if (bytes.length > LARGEST_BYTES || bytes.includes(0)) return undefined;
  const text = bytes.toString("utf8");
  return Buffer.byteLength(text) === bytes.length && !text.includes("\uFFFD") ? text : undefined;
}
