import { type Json, nearestName } from "#base";
import type { MetadataStore, ReadTransaction } from "#metadata-store";
import {
  getFirstOnlineFeature,
  getOnlineFeatures,
  getPushedFeatures,
  listFeatureViewStates,
  type OnlineFeature,
} from "#metadata-store/features";
import { nameCollision, notFound, requestInvalid } from "./errors.ts";
import { parseNumbersExactly } from "./feast-json.ts";
import type { FeatureDefinitions, FeatureReference } from "./feature-definitions.ts";
import { keyColumnsOf } from "./feature-pushes.ts";
import { collisionsOf, type JoinedView, planJoin } from "./join-plan.ts";
import { windowColumnsOf } from "./window-read.ts";

const NOTHING: ReadonlyMap<string, OnlineFeature> = new Map();

export const FEATURE_STATUSES = ["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"] as const;
export type FeatureStatus = (typeof FEATURE_STATUSES)[number];

/** A value read online; whole numbers beyond 2^53 are bigint. */
export type OnlineValue = Json | bigint;

export interface OnlineRequest {
  /** References, or the name of a feature service. */
  readonly features: readonly FeatureReference[] | string;
  /**
   * Lists of one length, by column: join keys, under the names that the references give them. Others are passed over.
   */
  readonly entities: Readonly<Record<string, readonly unknown[]>>;
  /** Default: as the service says, else false. */
  readonly fullNames?: boolean;
  /**
   * The instant at which the features are wanted, epoch ms, for all rows or for each; default now. Age counts from it.
   */
  readonly atMs?: number | readonly number[];
}

/** One feature for every row. */
export interface OnlineColumn {
  readonly name: string;
  readonly values: readonly OnlineValue[];
  readonly statuses: readonly FeatureStatus[];
  /** Epoch microseconds; 0 where there is no row. */
  readonly eventUs: readonly number[];
}

export interface OnlineFeatureRows {
  readonly rowCount: number;
  /** Join keys that the request had to bring. */
  readonly keys: readonly string[];
  readonly columns: readonly OnlineColumn[];
}

/** The views that references stand for. @throws FEATURES_NAME_UNKNOWN, FEATURES_NAME_COLLISION */
export function planOnlineRead(
  definitions: FeatureDefinitions,
  features: OnlineRequest["features"],
  fullNames?: boolean,
): readonly JoinedView[] {
  const service = typeof features === "string" ? definitions.services.get(features) : undefined;
  if (typeof features === "string" && service === undefined)
    throw unknown("feature service", features, definitions.services.keys());
  const references = typeof features === "string" ? (service?.features ?? []) : features;
  for (const reference of references) assertReference(definitions, reference);
  const joined = planJoin(references, definitions.views, fullNames ?? service?.fullNames ?? false);
  const [collision] = collisionsOf(joined);
  if (collision !== undefined) throw nameCollision(collision);
  return joined;
}

function assertReference(definitions: FeatureDefinitions, reference: FeatureReference): void {
  const view = definitions.views.get(reference.view);
  if (view === undefined) throw unknown("feature view", reference.view, definitions.views.keys());
  for (const feature of reference.features ?? []) {
    if (!view.features.includes(feature))
      throw unknown(
        "feature",
        `${view.name}:${feature}`,
        view.features.map((name) => `${view.name}:${name}`),
      );
  }
}

function unknown(kind: "feature view" | "feature service" | "feature", name: string, known: Iterable<string>): Error {
  const names = [...known];
  return notFound({ kind, name, nearest: nearestName(name, names), known: names });
}

/**
 * Reads the last values of views from the online store, by the same rule as the point-in-time join: a value that is
 * older than the view's ttl at the time of the request counts as none.
 *
 * @throws FEATURES_REQUEST_INVALID when a join key is missing or lists differ in length
 */
export async function readOnlineFeatures(
  store: MetadataStore,
  request: {
    readonly project: string;
    readonly joined: readonly JoinedView[];
    /** Whether a view takes pushes. */
    readonly isPushed: (view: string) => boolean;
    readonly entities: OnlineRequest["entities"];
    readonly atMs: number | readonly number[];
  },
): Promise<OnlineFeatureRows> {
  const rowCount = countRows(request.entities);
  const keys = [...new Set(request.joined.flatMap((view) => view.keys.map(({ spine }) => spine)))];
  for (const key of keys) {
    if (request.entities[key] === undefined)
      throw requestInvalid({
        found: `the join key "${key}" is missing among the entities ${Object.keys(request.entities).join(", ") || "(none)"}`,
      });
  }
  const columns = await store.read(async (transaction) => {
    const states = new Map(
      (await listFeatureViewStates(transaction, request.project)).map((state) => [state.view, state]),
    );
    const read: OnlineColumn[] = [];
    for (const view of request.joined) {
      const entityKeys = Array.from({ length: rowCount }, (_, row) => entityKeyOf(view, request.entities, row));
      const wanted = [...new Set(entityKeys.filter((key) => key !== undefined))];
      const place = { project: request.project, view: view.view };
      const state = states.get(view.view);
      const found =
        state === undefined
          ? NOTHING
          : await getOnlineFeatures(transaction, { ...place, generation: state.generation }, wanted);
      const pushed = request.isPushed(view.view)
        ? await readPushed(transaction, { ...place, joined: view }, wanted)
        : NOTHING;
      const atUsOf = (row: number): number =>
        (typeof request.atMs === "number" ? request.atMs : (request.atMs[row] ?? 0)) * 1000;
      if (view.windows === undefined) read.push(...columnsOf(view, entityKeys, { found, pushed }, atUsOf));
      else {
        const stored = entityKeys.map((key) =>
          state === undefined || key === undefined ? undefined : (found.get(key)?.payload ?? null),
        );
        read.push(...windowColumnsOf(view, view.windows, stored, atUsOf));
      }
    }
    return read;
  });
  return { rowCount, keys, columns };
}

/** Keys that the online store knows, of one row for all views, and a time at which their values are known. */
export async function findExampleKeys(
  store: MetadataStore,
  request: { readonly project: string; readonly joined: readonly JoinedView[] },
): Promise<{ readonly keys: Readonly<Record<string, string>>; readonly atMs: number } | undefined> {
  const keys: Record<string, string> = {};
  let latestUs = 0;
  await store.read(async (transaction) => {
    const states = new Map(
      (await listFeatureViewStates(transaction, request.project)).map((state) => [state.view, state]),
    );
    // Views with many keys first: theirs go together.
    for (const view of request.joined.toSorted((left, right) => right.keys.length - left.keys.length)) {
      const state = states.get(view.view);
      if (state === undefined) continue;
      const place = { project: request.project, view: view.view, generation: state.generation };
      const known = view.keys.every(({ spine }) => keys[spine] !== undefined);
      const wanted = JSON.stringify(view.keys.map(({ spine }) => keys[spine]));
      const found = known
        ? (await getOnlineFeatures(transaction, place, [wanted])).get(wanted)
        : await getFirstOnlineFeature(transaction, place);
      if (found === undefined) continue;
      const values = JSON.parse(found.entityKey) as readonly string[];
      for (const [index, { spine }] of view.keys.entries()) keys[spine] ??= values[index] ?? "";
      latestUs = Math.max(latestUs, found.eventUs);
    }
  });
  return latestUs === 0 ? undefined : { keys, atMs: Math.ceil(latestUs / 1000) };
}

function countRows(entities: OnlineRequest["entities"]): number {
  const lengths = Object.entries(entities).map(([name, values]) => ({ name, length: values.length }));
  const [first] = lengths;
  const other = lengths.find(({ length }) => length !== first?.length);
  if (first !== undefined && other !== undefined)
    throw requestInvalid({
      found: `entity "${first.name}" has ${first.length} values, "${other.name}" has ${other.length}`,
    });
  return first?.length ?? 0;
}

/** The stored form of a key: undefined when a part is null, which matches nothing. */
function entityKeyOf(view: JoinedView, entities: OnlineRequest["entities"], row: number): string | undefined {
  const parts = view.keys.map(({ spine }) => entities[spine]?.[row]);
  if (parts.some((part) => part === null || part === undefined)) return undefined;
  return `[${parts.map((part) => JSON.stringify(entityText(part))).join(",")}]`;
}

/** One join key as the online store compares it. */
export function entityText(part: unknown): string {
  return typeof part === "string"
    ? part
    : typeof part === "object"
      ? JSON.stringify(part)
      : String(part as number | bigint | boolean);
}

interface OnlineRow {
  readonly eventUs: number;
  readonly values: Readonly<Record<string, OnlineValue>>;
}

function columnsOf(
  view: JoinedView,
  entityKeys: readonly (string | undefined)[],
  last: { readonly found: ReadonlyMap<string, OnlineFeature>; readonly pushed: ReadonlyMap<string, OnlineFeature> },
  atUsOf: (row: number) => number,
): readonly OnlineColumn[] {
  const parsed = new Map<OnlineFeature, OnlineRow>();
  const rows = entityKeys.map((key, index) => {
    const feature = key === undefined ? undefined : latestOf(last.found.get(key), last.pushed.get(key), atUsOf(index));
    if (feature === undefined) return undefined;
    const row = parsed.get(feature) ?? { eventUs: feature.eventUs, values: parsePayload(feature.payload) };
    parsed.set(feature, row);
    return row;
  });
  return view.features.map(({ column, name }) => {
    const values: OnlineValue[] = [];
    const statuses: FeatureStatus[] = [];
    const eventUs: number[] = [];
    for (const [index, row] of rows.entries()) {
      const status = statusOf(row, column, { atUs: atUsOf(index), ttlUs: view.ttlUs });
      statuses.push(status);
      values.push(status === "PRESENT" ? (row?.values[column] ?? null) : null);
      eventUs.push(row?.eventUs ?? 0);
    }
    return { name, values, statuses, eventUs };
  });
}

/** What was pushed to a view, with the time from which each row is known. */
async function readPushed(
  transaction: ReadTransaction,
  { project, view, joined }: { readonly project: string; readonly view: string; readonly joined: JoinedView },
  keys: readonly string[],
): Promise<ReadonlyMap<string, OnlineFeature>> {
  const keyColumns = keyColumnsOf(joined.keys.map(({ source }) => source));
  const pushed = await getPushedFeatures(transaction, { project, view, keyColumns }, keys);
  return new Map(
    [...pushed].map(([key, feature]) => [key, { ...feature, eventUs: feature.eventUs + joined.availableAfterUs }]),
  );
}

/**
 * The later of what a version has and what was pushed, by (event time, created); of equal ones what was pushed. A push
 * that is not known yet at the row's time hides nothing.
 */
function latestOf(
  found: OnlineFeature | undefined,
  pushed: OnlineFeature | undefined,
  atUs: number,
): OnlineFeature | undefined {
  if (found === undefined || pushed === undefined) return found ?? pushed;
  if (pushed.eventUs > atUs) return found;
  if (pushed.eventUs !== found.eventUs) return pushed.eventUs > found.eventUs ? pushed : found;
  return (pushed.createdUs ?? -Infinity) >= (found.createdUs ?? -Infinity) ? pushed : found;
}

/** A row whose time is still to come is not known yet: the offline join would not see it either. */
function statusOf(
  row: OnlineRow | undefined,
  column: string,
  { atUs, ttlUs }: { readonly atUs: number; readonly ttlUs: number },
): FeatureStatus {
  if (row === undefined || row.eventUs > atUs) return "NOT_FOUND";
  if (ttlUs > 0 && row.eventUs < atUs - ttlUs) return "OUTSIDE_MAX_AGE";
  return row.values[column] === null || row.values[column] === undefined ? "NULL_VALUE" : "PRESENT";
}

/** Whole numbers beyond 2^53 are read from their digits; what is no finite number is null. */
export function parsePayload(payload: string): Readonly<Record<string, OnlineValue>> {
  return parseNumbersExactly(payload) as Readonly<Record<string, OnlineValue>>;
}
