import { z } from "zod";
import { digestOf, type Json } from "#base";
import { sourceCursorUnfit } from "../../source-errors.ts";
import type { HttpDeclaration } from "./http-declaration.ts";
import { memberAt, scalarText } from "./json-records.ts";

type Declared = NonNullable<HttpDeclaration["cursor"]>;

const cursorSchema = z.object({
  format: z.literal("record-cursor/1"),
  source: z.string(),
  field: z.string(),
  value: z.string(),
  /** Digests of the records that have it: they are not new when they are read again. */
  seen: z.array(z.string()).readonly(),
});

/** Where the reading of records ended; kept with the version that holds them. */
export type RecordCursor = z.infer<typeof cursorSchema>;

export function toRecordCursor(saved: Json | undefined): RecordCursor | undefined {
  return cursorSchema.safeParse(saved).data;
}

/** Decides what is new, and remembers where the reading ends. */
export interface RecordFilter {
  /** Value that records are asked for from; undefined at the beginning. */
  readonly from: string | undefined;
  /** @param line the record as JSON */
  takes(record: unknown, line: string): boolean;
  next(): RecordCursor | undefined;
}

const MOST_SEEN = 10_000;

/** @param isMerge equal records are taken again without harm */
export function createRecordFilter(
  declared: Declared,
  of: { readonly source: string; readonly last: RecordCursor | undefined; readonly isMerge: boolean },
): RecordFilter {
  const { last, source } = of;
  const from =
    last === undefined
      ? declared.start === undefined
        ? undefined
        : String(declared.start)
      : lookBack(declared, last, source);
  let greatest = last?.value;
  let seen = new Set(last?.seen);
  const unfit = (problem: string, remedy: string): Error =>
    sourceCursorUnfit({ source, column: declared.field, problem, remedy });
  return {
    from,
    takes(record, line) {
      const value = scalarText(memberAt(record, declared.field));
      if (value === undefined) {
        if ((declared.missing ?? "error") === "error")
          throw unfit(
            "a record has no value, or none that is a text or number",
            "Say what becomes of such records: cursor: { missing: exclude }, or include with write: { merge: KEY }.",
          );
        return declared.missing === "include";
      }
      if (from !== undefined && compare(value, from) < 0) return false;
      const order = greatest === undefined ? 1 : compare(value, greatest);
      if (order > 0) {
        greatest = value;
        seen = new Set();
      }
      if (of.isMerge) return true;
      const digest = digestOf(line).slice(7, 23);
      // What was seen has the value that was the last one then.
      if (last !== undefined && compare(value, last.value) === 0 && last.seen.includes(digest)) return false;
      if (order >= 0) {
        seen.add(digest);
        if (seen.size > MOST_SEEN)
          throw unfit(
            `more than ${MOST_SEEN} records have the value ${value}, and records to come with the same one could not be told from them`,
            "Say by what records are the same: write: { merge: KEY }.",
          );
      }
      return true;
    },
    next: () =>
      greatest === undefined
        ? undefined
        : {
            format: "record-cursor/1",
            source,
            field: declared.field,
            value: greatest,
            seen: of.isMerge ? [] : [...seen],
          },
  };
}

const NUMBER = /^-?\d+(\.\d+)?$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/;

/** Whole numbers of any length, numbers, moments in whatever zone, else texts. */
function compare(left: string, right: string): number {
  if (left === right) return 0;
  if (NUMBER.test(left) && NUMBER.test(right)) {
    if (!left.includes(".") && !right.includes("."))
      return BigInt(left) < BigInt(right) ? -1 : BigInt(left) > BigInt(right) ? 1 : 0;
    return Number(left) - Number(right);
  }
  if (MOMENT.test(left) && MOMENT.test(right)) {
    const order = Date.parse(left) - Date.parse(right);
    // Beyond milliseconds the texts tell, where they are written alike.
    if (!Number.isNaN(order) && order !== 0) return order;
  }
  return left < right ? -1 : 1;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function lookBack({ lookback, field }: Declared, { value }: RecordCursor, source: string): string {
  if (lookback === undefined || lookback === 0) return value;
  if (typeof lookback === "number") {
    if (/^-?\d+$/.test(value) && Number.isInteger(lookback)) return String(BigInt(value) - BigInt(lookback));
    if (NUMBER.test(value)) return String(Number(value) - lookback);
  } else {
    const [, amount = "0", unit = "s"] = /^([\d.]+)(\w+)$/.exec(lookback) ?? [];
    const atMs = Date.parse(/^\d{4}-\d{2}-\d{2} /.test(value) ? `${value.replace(" ", "T")}` : value);
    const back = new Date(atMs - Number(amount) * (UNIT_MS[unit] ?? 0));
    if (!Number.isNaN(back.getTime()))
      return /^\d{4}-\d{2}-\d{2}$/.test(value) ? back.toISOString().slice(0, 10) : back.toISOString();
  }
  throw sourceCursorUnfit({
    source,
    column: field,
    problem: `its last value is ${value}, and lookback is ${lookback}`,
    remedy: "Give lookback as a time for days and moments, else as a number.",
  });
}
