import { z } from "zod";
import type { Json } from "#base";
import type { Observation, Seen, SensorDefinition } from "#pipeline";

/** More files at once start several runs, one after the other. */
const FILES_PER_RUN = 1000;

type Signature = string;

/** What a sensor has seen, kept between its looks. */
export type SensorState =
  | {
      readonly kind: "file";
      /** Files that were there or have arrived, each as it was then. */
      readonly seen: readonly (readonly [path: string, signature: Signature])[];
      /** Files that may still be written, since when they are as they are. */
      readonly pending: readonly (readonly [path: string, signature: Signature, sinceMs: number])[];
    }
  | { readonly kind: "url"; readonly digest: string; readonly etag?: string; readonly lastModified?: string }
  | { readonly kind: "rows"; readonly digest: string };

const stateSchema: z.ZodType<SensorState> = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("file"),
    seen: z.array(z.tuple([z.string(), z.string()])),
    pending: z.array(z.tuple([z.string(), z.string(), z.number()])),
  }),
  z.object({
    kind: z.literal("url"),
    digest: z.string(),
    etag: z.string().exactOptional(),
    lastModified: z.string().exactOptional(),
  }),
  z.object({ kind: z.literal("rows"), digest: z.string() }),
]);

/** As it was kept; undefined before the first look. */
export function toSensorState(stored: unknown): SensorState | undefined {
  return stored === undefined ? undefined : stateSchema.parse(stored);
}

/** What follows from a look. */
export interface Sensed {
  readonly state: SensorState;
  /** Facts of what happened, for the run that it starts; undefined: nothing did. */
  readonly event: Readonly<Record<string, Json>> | undefined;
  /** When to look again, from now; the sensor's own interval where it is missing. */
  readonly againMs?: number;
}

/** What a service is told of the last look. */
export function seenOf(state: SensorState | undefined): Seen {
  return state?.kind === "url" ? { etag: state.etag, lastModified: state.lastModified } : {};
}

/** Compares a look with what was seen before it. */
export function sense(
  sensor: SensorDefinition,
  before: SensorState | undefined,
  observed: Observation,
  nowMs: number,
): Sensed {
  switch (observed.kind) {
    case "file":
      return senseFiles(sensor, before?.kind === "file" ? before : undefined, observed.files, nowMs);
    case "unchanged":
      return { state: before ?? { kind: "rows", digest: "" }, event: undefined };
    case "url":
      return senseUrl(sensor, before?.kind === "url" ? before : undefined, observed);
    case "rows":
      return senseRows(sensor, before?.kind === "rows" ? before : undefined, observed);
  }
}

function senseFiles(
  { existing, everyMs, looksAt }: SensorDefinition,
  before: FileState | undefined,
  files: Extract<Observation, { kind: "file" }>["files"],
  nowMs: number,
): Sensed {
  const settleMs = looksAt.kind === "file" ? looksAt.settleMs : 0;
  const signed = files.map((file) => [file.path, `${file.sizeBytes}:${file.modifiedMs}`] as const);
  if (before === undefined && existing !== true)
    return { state: { kind: "file", seen: signed, pending: [] }, event: undefined };
  const { arrived, ...state } = compareFiles(before, signed, { settleMs, nowMs });
  const soonMs = arrived.length > 0 ? 0 : Math.min(everyMs, Math.max(settleMs, 100));
  return {
    state: { kind: "file", ...state },
    event: arrived.length === 0 ? undefined : { files: arrived, file: arrived[0] ?? "", count: arrived.length },
    ...(state.pending.length === 0 ? {} : { againMs: soonMs }),
  };
}

type FileState = Extract<SensorState, { kind: "file" }>;

function compareFiles(
  before: FileState | undefined,
  signed: readonly (readonly [string, Signature])[],
  { settleMs, nowMs }: { readonly settleMs: number; readonly nowMs: number },
): Pick<FileState, "seen" | "pending"> & { readonly arrived: readonly string[] } {
  const known = new Map(before?.seen);
  const waiting = new Map(before?.pending.map(([path, signature, since]) => [path, { signature, since }]));
  const seen: (readonly [string, Signature])[] = [];
  const pending: (readonly [string, Signature, number])[] = [];
  const arrived: string[] = [];
  for (const [path, signature] of signed) {
    const was = known.get(path);
    const first = waiting.get(path);
    const since = first?.signature === signature ? first.since : nowMs;
    if (was === signature) seen.push([path, signature]);
    else if (nowMs - since >= settleMs && arrived.length < FILES_PER_RUN) {
      arrived.push(path);
      seen.push([path, signature]);
    } else {
      // What it was before stays known: a change that is taken back is none.
      if (was !== undefined) seen.push([path, was]);
      pending.push([path, signature, since]);
    }
  }
  return { seen, pending, arrived };
}

function senseUrl(
  { existing, looksAt }: SensorDefinition,
  before: Extract<SensorState, { kind: "url" }> | undefined,
  { digest, sizeBytes, etag, lastModified }: Extract<Observation, { kind: "url" }>,
): Sensed {
  const validators = {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
  const isEvent = before === undefined ? existing === true : before.digest !== digest;
  return {
    state: { kind: "url", digest, ...validators },
    event: isEvent ? { url: looksAt.kind === "url" ? looksAt.url : "", digest, sizeBytes, ...validators } : undefined,
  };
}

function senseRows(
  { existing }: SensorDefinition,
  before: Extract<SensorState, { kind: "rows" }> | undefined,
  { digest, count, rows }: Extract<Observation, { kind: "rows" }>,
): Sensed {
  const isOther = before === undefined ? existing === true : before.digest !== digest;
  return {
    state: { kind: "rows", digest },
    event: isOther && count > 0 ? { rows, count } : undefined,
  };
}
