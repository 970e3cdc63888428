import type { Json } from "#base";
import { MOST_PARTITIONS, type PartitionColumns, type PartitionsDefinition } from "../define/partitions.ts";
import type { PipelineDefinition } from "../define/definition.ts";
import {
  partitionMissing,
  partitionNotOver,
  partitionsAbsent,
  partitionsEmpty,
  partitionsTooMany,
  partitionUnknown,
} from "../errors.ts";
import {
  dateOf,
  findTimePartition,
  lastPartition,
  listTimePartitions,
  momentOfText,
  partitionAt,
  type TimePartition,
  type TimePartitions,
} from "./partition-time.ts";

/** One part of what a pipeline makes. */
export interface Partition {
  /** `2026-01-31`, `north`, or `2026-01-31:north`: how it is addressed and shown. */
  readonly name: string;
  readonly key: string | undefined;
  /** Half-open, epoch milliseconds; undefined for a partition by key alone. */
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
}

/** A partition as a step that writes its rows sees it. */
export interface PartitionWrite extends Partition {
  readonly columns: PartitionColumns;
  /** First local date, and the one after the last: rows with a date belong by these. */
  readonly dates: readonly [from: string, to: string] | undefined;
}

/** The partition of a name, by its pipeline alone: keys of a dataset are not looked up. */
export function partitionOf(partitions: PartitionsDefinition, name: string): Partition | undefined {
  const { time, keys } = partitions;
  if (time === undefined) return { name, key: name, startMs: undefined, endMs: undefined };
  const split = keys === undefined ? { text: name, key: undefined } : splitName(name);
  const span = split === undefined ? undefined : findTimePartition(time, split.text);
  return span === undefined ? undefined : joined(span, split?.key);
}

/** A key may hold any character, and a time only some: the first `:` that is none of a time ends it. */
function splitName(name: string): { readonly text: string; readonly key: string } | undefined {
  const parts = /^(\d{4}-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2}))?)?):(.+)$/s.exec(name);
  return parts === null ? undefined : { text: parts[1] ?? "", key: parts[2] ?? "" };
}

function joined({ name, startMs, endMs }: TimePartition, key: string | undefined): Partition {
  return { name: key === undefined ? name : `${name}:${key}`, key, startMs, endMs };
}

export function toPartitionWrite(
  partition: Partition,
  columns: PartitionColumns,
  partitions: PartitionsDefinition,
): PartitionWrite {
  const { startMs, endMs } = partition;
  const zone = partitions.time?.timezone ?? "UTC";
  return {
    ...partition,
    columns,
    dates: startMs === undefined || endMs === undefined ? undefined : [dateOf(startMs, zone), dateOf(endMs, zone)],
  };
}

/** What a name may mean now. */
export interface KnownPartitions {
  readonly definition: Pick<PipelineDefinition, "name" | "partitions">;
  /** Keys in their order; undefined for partitions by time alone. */
  readonly keys: readonly string[] | undefined;
  readonly nowMs: number;
}

/** Every partition that is over, in order: by time, then by key. @throws PIPELINE_PARTITIONS_TOO_MANY */
export function listPartitions(
  known: KnownPartitions,
  range: { readonly fromMs?: number; readonly toMs?: number } = {},
): readonly Partition[] {
  const { time } = partitionsOf(known);
  if (time === undefined) return (known.keys ?? []).map(ofKey);
  const found: Partition[] = [];
  for (const span of listTimePartitions(time, { overAtMs: known.nowMs, ...range })) {
    found.push(...withKeys(span, known.keys));
    if (found.length > MOST_PARTITIONS)
      throw partitionsTooMany({ pipeline: known.definition.name, most: MOST_PARTITIONS });
  }
  return found;
}

function withKeys(span: TimePartition, keys: readonly string[] | undefined): readonly Partition[] {
  return keys === undefined ? [joined(span, undefined)] : keys.map((key) => joined(span, key));
}

/** The partitions of the span that ended last, as a schedule runs them; of keys alone, all. */
export function newestPartitions(known: KnownPartitions, atMs: number): readonly Partition[] {
  const { time } = partitionsOf(known);
  if (time === undefined) return listPartitions(known);
  const span = lastPartition(time, atMs);
  return span === undefined ? [] : withKeys(span, known.keys);
}

function partitionsOf({ definition }: KnownPartitions): PartitionsDefinition {
  if (definition.partitions === undefined) throw partitionsAbsent({ pipeline: definition.name });
  return definition.partitions;
}

/**
 * The partitions that texts mean: a name, a time for all its keys, a key for all its times, a range `FIRST..LAST` of
 * times or of keys in their order, `FIRST..LAST:KEY`, or several of these with commas. A side of a range may be left
 * out.
 *
 * @throws PIPELINE_PARTITIONS_ABSENT, PIPELINE_PARTITION_UNKNOWN, PIPELINE_PARTITION_NOT_OVER,
 *   PIPELINE_PARTITIONS_EMPTY, PIPELINE_PARTITIONS_TOO_MANY
 */
export function choosePartitions(known: KnownPartitions, texts: readonly string[]): readonly Partition[] {
  partitionsOf(known);
  const chosen = new Map<string, Partition>();
  for (const text of texts) for (const partition of chooseListed(known, text)) chosen.set(partition.name, partition);
  return [...chosen.values()];
}

/** A key may hold commas and dots: what is there under a whole text comes before what its parts mean. */
function chooseListed(known: KnownPartitions, text: string): readonly Partition[] {
  const found = chooseNamed(known, text) ?? chooseRange(known, text);
  if (found !== undefined) return found;
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length === 1) throw unknown(known, text);
  return parts.flatMap((part) => {
    const some = chooseNamed(known, part) ?? chooseRange(known, part);
    if (some === undefined) throw unknown(known, part);
    return some;
  });
}

function chooseNamed(known: KnownPartitions, text: string): readonly Partition[] | undefined {
  const { time } = partitionsOf(known);
  const { keys } = known;
  if (time === undefined) return keys?.includes(text) === true ? [ofKey(text)] : undefined;
  const span = findTimePartition(time, text);
  if (span !== undefined) return withKeys(assertOver(known, span), keys);
  const split = keys === undefined ? undefined : splitName(text);
  const spanOfKey = split === undefined ? undefined : findTimePartition(time, split.text);
  if (split !== undefined && spanOfKey !== undefined && keys?.includes(split.key) === true)
    return [joined(assertOver(known, spanOfKey), split.key)];
  return keys?.includes(text) === true ? listPartitions({ ...known, keys: [text] }) : undefined;
}

/** Undefined when it is no range. */
function chooseRange(known: KnownPartitions, text: string): readonly Partition[] | undefined {
  const { time } = partitionsOf(known);
  if (time === undefined) return chooseKeys(known, text);
  const key = known.keys?.find((each) => text.endsWith(`:${each}`));
  const range = key === undefined ? text : text.slice(0, -key.length - 1);
  // A moment holds none: it is a list.
  if (range.includes(",")) return undefined;
  const [from, to, more] = range.split("..");
  if (from === undefined || to === undefined || more !== undefined || (from === "" && to === "")) return undefined;
  return partitionRange(key === undefined ? known : { ...known, keys: [key] }, {
    ...(from === "" ? {} : { from }),
    ...(to === "" ? {} : { to }),
  });
}

function chooseKeys(known: KnownPartitions, text: string): readonly Partition[] | undefined {
  const { keys = [] } = known;
  for (let at = text.indexOf(".."); at !== -1; at = text.indexOf("..", at + 1)) {
    const [from, to] = [text.slice(0, at), text.slice(at + 2)];
    const first = from === "" ? 0 : keys.indexOf(from);
    const last = to === "" ? keys.length - 1 : keys.indexOf(to);
    if (first === -1 || last === -1 || (from === "" && to === "")) continue;
    if (first > last) throw partitionsEmpty({ pipeline: known.definition.name, from, to, newest: keys[last] });
    return keys.slice(first, last + 1).map(ofKey);
  }
  return undefined;
}

function ofKey(key: string): Partition {
  return { name: key, key, startMs: undefined, endMs: undefined };
}

/**
 * From the partition that holds one moment to that which holds another, both with them, as far as they are over.
 *
 * @throws PIPELINE_PARTITION_UNKNOWN, PIPELINE_PARTITIONS_EMPTY
 */
export function partitionRange(
  known: KnownPartitions,
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
): readonly Partition[] {
  const { time } = partitionsOf(known);
  if (time === undefined) {
    const range = `${from ?? ""}..${to ?? ""}`;
    const found = chooseKeys(known, range);
    if (found === undefined) throw unknown(known, range);
    return found;
  }
  const startOf = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const ms = momentOfText(text, time.timezone);
    if (ms === undefined) throw unknown(known, text);
    return partitionAt(time, ms).startMs;
  };
  const [fromMs, toMs] = [startOf(from), startOf(to)];
  const found = listPartitions(known, {
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  });
  if (found.length === 0)
    throw partitionsEmpty({ pipeline: known.definition.name, from, to, newest: newestName(known) });
  return found;
}

function assertOver(known: KnownPartitions, span: TimePartition): TimePartition {
  if (span.endMs <= known.nowMs) return span;
  throw partitionNotOver({
    pipeline: known.definition.name,
    partition: span.name,
    endsAt: new Date(span.endMs).toISOString(),
    newest: newestName(known),
  });
}

function unknown(known: KnownPartitions, partition: string): Error {
  const { time } = partitionsOf(known);
  return partitionUnknown({
    pipeline: known.definition.name,
    partition,
    names: nearNames(known, partition),
    ...(time === undefined ? {} : { every: time.every, example: newestName(known) ?? partitionAt(time, 0).name }),
  });
}

/** Names that a slip may have meant: those of the time that it says, and the keys. */
function nearNames(known: KnownPartitions, text: string): readonly string[] {
  const { time } = partitionsOf(known);
  const keys = known.keys ?? [];
  if (time === undefined) return keys;
  const hours = momentOfText(text, time.timezone) === undefined ? [] : hoursNear(time, text);
  const newest = newestPartitions(known, known.nowMs).map(({ name }) => name);
  return [...hours, ...newest, ...keys];
}

/** The two partitions of an hour that the clocks show twice, or the one that holds a moment. */
function hoursNear(time: TimePartitions, text: string): readonly string[] {
  const { startMs } = partitionAt(time, momentOfText(text, time.timezone) ?? 0);
  const found = [startMs - 3_600_000, startMs, startMs + 3_600_000].map((ms) => partitionAt(time, ms).name);
  const same = found.filter((name) => name.startsWith(text));
  return same.length > 0 ? same : [partitionAt(time, startMs).name];
}

function newestName(known: KnownPartitions): string | undefined {
  return newestPartitions(known, known.nowMs).at(0)?.name;
}

/** @throws PIPELINE_PARTITION_MISSING, PIPELINE_PARTITIONS_ABSENT, as {@link choosePartitions} */
export function assertPartition(known: KnownPartitions, name: string | undefined): string | undefined {
  const { partitions, name: pipeline } = known.definition;
  if (partitions === undefined) {
    if (name !== undefined) throw partitionsAbsent({ pipeline });
    return undefined;
  }
  if (name === undefined) throw partitionMissing({ pipeline, newest: newestName(known) });
  const [only, ...others] = choosePartitions(known, [name]);
  if (only === undefined || others.length > 0) throw partitionMissing({ pipeline, newest: only?.name });
  return only.name;
}

/** What expressions see as `partition`. */
export function partitionScope(partition: Partition): Readonly<Record<string, Json>> {
  return {
    name: partition.name,
    key: partition.key ?? partition.name,
    start: showMoment(partition.startMs),
    end: showMoment(partition.endMs),
  };
}

/** What processes see of their partition: the first is also safe as the name of a file. */
export function partitionEnvironment(partition: Partition): Readonly<Record<string, string>> {
  const { name, key, startMs, endMs } = partition;
  return {
    ESTEIRA_PARTITION: fileNameOf(name),
    ...(key === undefined ? {} : { ESTEIRA_PARTITION_KEY: key }),
    ...(startMs === undefined ? {} : { ESTEIRA_PARTITION_START: showMoment(startMs) ?? "" }),
    ...(endMs === undefined ? {} : { ESTEIRA_PARTITION_END: showMoment(endMs) ?? "" }),
  };
}

function showMoment(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString().replace(".000Z", "Z");
}

/** What could lead out of a folder, or be taken for an option, is percent-encoded: no other name looks like it. */
function fileNameOf(name: string): string {
  return name.replaceAll(
    /[%/\\]|^[.-]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** A partition that stands for those of real runs while a definition is checked. */
export function samplePartition(partitions: PartitionsDefinition): Partition {
  const { time, keys } = partitions;
  const key = keys === undefined ? undefined : Array.isArray(keys) ? (keys[0] ?? "sample") : "sample";
  if (time === undefined) return { name: key ?? "sample", key, startMs: undefined, endMs: undefined };
  const [first] = listTimePartitions(time, { overAtMs: Infinity });
  return joined(first ?? partitionAt(time, 0), key);
}
