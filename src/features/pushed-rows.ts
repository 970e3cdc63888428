import { nearestName } from "#base";
import type { Column } from "#data";
import type { PushedFeature } from "#metadata-store/features";
import { pushInvalid } from "./errors.ts";
import type { FeatureView } from "./feature-definitions.ts";
import type { PushedFrame } from "./push-request.ts";
import { describeValue, formatInstant, instantOf, isKeyType, readPushedValue } from "./pushed-value.ts";

/** An event time further ahead would hide all that comes until then. */
const MOST_AHEAD_US = 86_400_000_000;
const LARGEST_PAYLOAD_BYTES = 16_384;
/** What Feast's client calls the two times of a row, whatever the view does. */
const FEAST_NAMES = { timestamp: "event_timestamp", created: "created" } as const;

/** The rows of a push as one view and its dataset take them. */
export interface PushedRows {
  readonly online: readonly PushedFeature[];
  /** JSON objects, one a line. */
  readonly offline: string;
}

export interface PushedView {
  readonly view: FeatureView;
  /** Columns of its dataset; undefined before it has a version. */
  readonly schema: readonly Column[] | undefined;
  /** In lower case: their values are checked, and changed, by the capture. */
  readonly treated: ReadonlySet<string>;
  readonly online: boolean;
  readonly offline: boolean;
  readonly nowMs: number;
}

/** One row of a push, by column. */
interface Row {
  readonly row: number;
  readonly value: (name: string) => unknown;
  /** As JSON text, in the type of its column. */
  readonly json: (name: string) => string;
}

type Reader = (value: unknown, row: number) => string;

/**
 * Checks every value against the type of its column, and gives the rows as they are kept.
 *
 * @throws FEATURES_PUSH_INVALID with row and column
 */
export function readPushedRows(frame: PushedFrame, to: PushedView): PushedRows {
  const columns = namedColumns(frame, to);
  assertComplete(columns, to.view);
  const readers = new Map([...columns.keys()].map((name) => [name, readerOf(name, to)]));
  const online: PushedFeature[] = [];
  const lines: string[] = [];
  for (let row = 0; row < frame.rowCount; row++) {
    const one: Row = {
      row,
      value: (name) => columns.get(name)?.[row] ?? null,
      json: (name) => readers.get(name)?.(columns.get(name)?.[row] ?? null, row) ?? "null",
    };
    for (const key of to.view.keys)
      if (one.value(key) === null)
        throw pushInvalid({ place: `row ${row + 1}, join key "${key}"`, found: "it is null", expected: "a value" });
    if (to.online) online.push(onlineRow(one, to));
    if (to.offline) lines.push(offlineLine(one, to, [...columns.keys()]));
  }
  return { online, offline: lines.join("") };
}

function assertComplete(columns: ReadonlyMap<string, unknown>, view: FeatureView): void {
  const wanted = [...view.keys, view.timestamp, ...view.features];
  const missing = wanted.find((name) => !columns.has(name));
  if (missing === undefined) return;
  const near = nearestName(missing, [...columns.keys()]);
  throw pushInvalid({
    place: `push to "${view.name}"`,
    found: `there is no column "${missing}"${near === undefined ? "" : ` (but "${near}")`}`,
    expected: `the columns ${wanted.join(", ")}`,
  });
}

/** The frame's columns, under the names that the dataset has for them. */
function namedColumns({ columns }: PushedFrame, { view, schema }: PushedView): ReadonlyMap<string, readonly unknown[]> {
  const known = new Set(schema?.map(({ name }) => name));
  const renamed = new Map<string, string>();
  for (const [part, name] of Object.entries(FEAST_NAMES)) {
    const own = part === "timestamp" ? view.timestamp : view.created;
    // A view that does not tell rows of one event time apart has no use for the client's second time.
    if (!known.has(name) && columns.has(name) && (own === undefined || !columns.has(own))) renamed.set(name, own ?? "");
  }
  const named = [...columns].map(([name, values]) => [renamed.get(name) ?? name, values] as const);
  return new Map(named.filter(([name]) => name !== ""));
}

function isTreated({ treated }: PushedView, name: string): boolean {
  return treated.has(name.toLowerCase());
}

function readerOf(name: string, to: PushedView): Reader {
  const { view, schema } = to;
  const type = schema?.find((column) => column.name === name)?.type;
  if (name === view.timestamp && !isTreated(to, name))
    return (value, row) => isoText(eventTimeOf(value, { to, row }), type);
  if (name === view.created && !isTreated(to, name))
    return (value, row) => isoText(createdOf(value, { to, row, created: name }));
  if (type === undefined || isTreated(to, name)) return (value) => jsonOf(value);
  if (to.online && view.keys.includes(name) && !isKeyType(type))
    throw pushInvalid({
      place: `join key "${name}"`,
      found: `its column is ${type}`,
      expected: "a whole number, a text, a boolean or a date",
    });
  return (value, row) => {
    const read = readPushedValue(type, value);
    if ("json" in read) return read.json;
    throw pushInvalid({ place: `row ${row + 1}, column "${name}"`, found: read.problem, expected: type });
  };
}

function onlineRow({ row, value, json }: Row, to: PushedView): PushedFeature {
  const { view } = to;
  const key = view.keys.map(json).map((text) => (text.startsWith('"') ? text : JSON.stringify(text)));
  const payload = `{${view.features.map((name) => `${JSON.stringify(name)}:${json(name)}`).join(",")}}`;
  if (Buffer.byteLength(payload) > LARGEST_PAYLOAD_BYTES)
    throw pushInvalid({
      place: `row ${row + 1}`,
      found: `its features have ${Buffer.byteLength(payload)} bytes`,
      expected: `at most ${LARGEST_PAYLOAD_BYTES}`,
    });
  return {
    entityKey: `[${key.join(",")}]`,
    eventUs: eventTimeOf(value(view.timestamp), { to, row }),
    createdUs: view.created === undefined ? null : createdOf(value(view.created), { to, row, created: view.created }),
    payload,
  };
}

function offlineLine({ json }: Row, { view, nowMs }: PushedView, names: readonly string[]): string {
  const members = names.map((name) => `${JSON.stringify(name)}:${json(name)}`);
  if (view.created !== undefined && !names.includes(view.created))
    members.push(`${JSON.stringify(view.created)}:${isoText(nowMs * 1000)}`);
  return `{${members.join(",")}}\n`;
}

function eventTimeOf(value: unknown, { to, row }: { readonly to: PushedView; readonly row: number }): number {
  const name = to.view.timestamp;
  const place = `row ${row + 1}, event time "${name}"`;
  const us = instantOf(value);
  if (us === undefined)
    throw pushInvalid({
      place,
      found: `it is ${describeValue(value)}`,
      expected: "a time such as 2026-01-31T12:00:00Z",
    });
  if (us > to.nowMs * 1000 + MOST_AHEAD_US)
    throw pushInvalid({ place, found: `${String(value)} lies ahead`, expected: "a time within a day from now" });
  if (to.schema?.find((column) => column.name === name)?.type !== "DATE") return us;
  const day = readPushedValue("DATE", value);
  if ("problem" in day) throw pushInvalid({ place, found: day.problem, expected: "a date, as its column holds" });
  return us;
}

/** A row without the time at which it was written was written when it came. */
function createdOf(
  value: unknown,
  { to, row, created }: { readonly to: PushedView; readonly row: number; readonly created: string },
): number {
  if (value === null || value === undefined) return to.nowMs * 1000;
  const us = instantOf(value);
  if (us === undefined)
    throw pushInvalid({
      place: `row ${row + 1}, created time "${created}"`,
      found: `it is ${describeValue(value)}`,
      expected: "a time such as 2026-01-31T12:00:00Z",
    });
  return us;
}

function isoText(us: number, type?: string): string {
  const text = formatInstant(us);
  return type === "DATE" ? `"${text.slice(0, 10)}"` : `"${text.replace(" ", "T")}Z"`;
}

/** Values of columns that the view does not know: as they were sent. */
function jsonOf(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${jsonOf(member)}`)
      .join(",")}}`;
  return JSON.stringify(value ?? null);
}
