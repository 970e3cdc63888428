import { isEsteiraError } from "#base";
import type { Analytics, AnalyticsConnection, Datasets } from "#data";
import { type AssetVersion, getAssetVersion, listEvents, type MetadataStore } from "#metadata-store";
import { getPushedFeatures, listFeatureViewStates } from "#metadata-store/features";
import type { FeatureDefinitions, FeatureView } from "./feature-definitions.ts";
import { keyColumnsOf } from "./feature-pushes.ts";
import { isUnique } from "./join-kind.ts";
import type { JoinedView } from "./join-plan.ts";
import { digestOfView, payloadOf } from "./materialize.ts";
import { entityText, type OnlineValue, parsePayload, planOnlineRead } from "./online-read.ts";
import { joinPointInTime } from "./point-in-time-join.ts";

/**
 * Between the moment when a row's features are read and the one that its log names another version may come online.
 * Longer than a request takes.
 */
const SLACK_MS = 60_000;
const MOST_EVENTS = 1000;
/** Each one is a join of its own. */
const MOST_VERSIONS = 50;
/** Versions in one of which a pushed row is looked for. */
const NEXT_VERSIONS = 3;

/** Rows that read a feature service online. */
export interface RecomputeRequest {
  readonly service: string;
  /** Names of the features that are wanted. */
  readonly features: readonly string[];
  readonly rows: readonly {
    /** Columns of the row, join keys among them. */
    readonly record: Readonly<Record<string, unknown>>;
    /** Event time of the row, epoch ms. */
    readonly atMs: number;
    /** When it was answered, epoch ms: decides which version was online. */
    readonly answeredMs: number;
  }[];
}

/** What the offline join gives one feature. */
export interface RecomputedFeature {
  /** Join keys, as rows name them. */
  readonly keys: readonly string[];
  /** True for a column of 32-bit floats. */
  readonly isSingle: boolean;
  /**
   * By row: the value by the version that was online when the row was answered, then those by versions that were coming
   * or going at that moment. A text says why it is not known.
   */
  readonly rows: readonly (readonly OnlineValue[] | string)[];
}

interface Dependencies {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly analytics: Analytics;
  readonly project: string;
}

/**
 * Joins the features of rows again as training would, at each row's own time, over the version of the source that the
 * online store had when the row was answered: what came online later was late then, and no difference.
 *
 * A row that was answered under another definition of the view, before the event log knew definitions, or over a
 * version whose rows are gone is not compared; its text says so.
 *
 * @throws FEATURES_NAME_UNKNOWN
 */
export async function recomputeOffline(
  deps: Dependencies,
  definitions: FeatureDefinitions,
  request: RecomputeRequest,
): Promise<ReadonlyMap<string, RecomputedFeature>> {
  const wanted = new Set(request.features);
  const found = new Map<string, RecomputedFeature>();
  const fromMs = request.rows.reduce((least, { answeredMs }) => Math.min(least, answeredMs), Infinity);
  const connection = await deps.analytics.connect();
  try {
    for (const view of planOnlineRead(definitions, request.service)) {
      const features = view.features.filter(({ name }) => wanted.has(name));
      const definition = definitions.views.get(view.view);
      if (features.length === 0 || definition === undefined) continue;
      const own = { ...view, features };
      const changes = await listChanges(deps, { view: view.view, definition, fromMs });
      const asked = { changes, rows: request.rows, takesPushes: definition.push !== undefined };
      for (const [name, feature] of await recomputeView({ ...deps, connection }, own, asked)) found.set(name, feature);
    }
    return found;
  } finally {
    connection.close();
  }
}

/** A version of a view's source that came online. */
interface Change {
  readonly atMs: number;
  readonly versionId: string;
  /** When the source's version was made; undefined when it is known no more. */
  readonly madeAtMs: number | undefined;
  /** Of the view; undefined when an earlier release put it online, and something else is online by now. */
  readonly definition: string | undefined;
  readonly isOfThisDefinition: boolean;
}

/** What came online of a view, newest first, back to what was online some time before a moment. */
async function listChanges(
  { store, project }: Dependencies,
  { view, definition, fromMs }: { readonly view: string; readonly definition: FeatureView; readonly fromMs: number },
): Promise<readonly Change[]> {
  const ownDigest = digestOfView(definition);
  return store.read(async (transaction) => {
    const events = await listEvents(transaction, {
      project,
      subjectKind: "feature_view",
      subject: view,
      newestFirst: true,
      limit: MOST_EVENTS,
    });
    const state = (await listFeatureViewStates(transaction, project)).find((one) => one.view === view);
    const changes: Change[] = [];
    for (const event of events) {
      if (event.type !== "feature_view.materialized") continue;
      const { sourceVersionId: versionId, definitionDigest } = event.data;
      const isOnline = state?.materializedAtMs === event.atMs && state.sourceVersionId === versionId;
      const digest = definitionDigest ?? (isOnline ? state.definitionDigest : undefined);
      const version = await getAssetVersion(transaction, { id: versionId });
      changes.push({
        atMs: event.atMs,
        versionId,
        madeAtMs: version?.madeAtMs,
        definition: digest,
        isOfThisDefinition: digest === ownDigest,
      });
      if (event.atMs <= fromMs - SLACK_MS) break;
    }
    return changes;
  });
}

type Row = RecomputeRequest["rows"][number];

/** Versions whose values a row may have been answered with, the likeliest first; a text says why none is known. */
function versionsOf({ answeredMs }: Row, changes: readonly Change[], takesPushes: boolean): readonly string[] | string {
  const index = changes.findIndex(({ atMs }) => atMs <= answeredMs);
  const current = changes[index];
  if (current?.definition === undefined) return "what was online when the rows were answered is not known";
  if (!current.isOfThisDefinition) return "the rows were answered under another definition of the feature view";
  const before = current.atMs > answeredMs - SLACK_MS ? changes[index + 1] : undefined;
  // Values of the next version are written before it is said to be online.
  const next = index === 0 ? undefined : changes[index - 1];
  const isComing = next?.madeAtMs !== undefined && next.madeAtMs <= answeredMs;
  const near = [...(isComing ? [next] : []), ...(before === undefined ? [] : [before])];
  // What was pushed is read before a version has it: one of the next ones, or the newest.
  if (takesPushes) near.push(...changes.slice(Math.max(0, index - NEXT_VERSIONS), index), ...changes.slice(0, 1));
  return [
    ...new Set([current, ...near.filter(({ isOfThisDefinition }) => isOfThisDefinition)].map((one) => one.versionId)),
  ];
}

async function recomputeView(
  deps: Dependencies & { readonly connection: AnalyticsConnection },
  view: JoinedView,
  {
    changes,
    rows,
    takesPushes,
  }: { readonly changes: readonly Change[]; readonly rows: readonly Row[]; readonly takesPushes: boolean },
): Promise<ReadonlyMap<string, RecomputedFeature>> {
  const held = takesPushes ? await findHeld(deps, view, rows) : new Set<string>();
  const keys = [...new Set(view.keys.map(({ spine }) => spine))];
  const places = rows.map((row): readonly string[] | string => {
    const missing = keys.find((key) => row.record[key] === null || row.record[key] === undefined);
    if (missing !== undefined) return `the log does not hold the join key ${missing}`;
    return held.has(keyOf(view, row)) ? NOT_IN_A_VERSION : versionsOf(row, changes, takesPushes);
  });
  leaveOut(places);
  const byVersion = new Map<string, number[]>();
  for (const [row, versions] of places.entries())
    for (const version of typeof versions === "string" ? [] : versions) {
      const own = byVersion.get(version) ?? [];
      own.push(row);
      byVersion.set(version, own);
    }
  const joined = new Map<string, Joined | string>();
  for (const [versionId, own] of byVersion)
    joined.set(versionId, await joinVersion(deps, view, { versionId, own, rows }));
  return new Map(
    view.features.map(({ name }) => [
      name,
      {
        keys,
        isSingle: [...joined.values()].some((one) => typeof one !== "string" && one.singles.has(name)),
        rows: places.map((versions, row) => {
          if (typeof versions === "string") return versions;
          const values: OnlineValue[] = [];
          for (const versionId of versions) {
            const one = joined.get(versionId) ?? "its version is gone";
            // A difference counts only where nothing that may have been online is unknown.
            if (typeof one === "string") return one;
            values.push(one.values.get(row)?.[name] ?? null);
          }
          return values;
        }),
      },
    ]),
  );
}

const NOT_IN_A_VERSION = "a row was pushed for the join keys that no version has";

function keyOf(view: JoinedView, { record }: Row): string {
  return `[${view.keys.map(({ spine }) => JSON.stringify(entityText(record[spine]))).join(",")}]`;
}

/** Keys of rows that have a pushed value: what was read of them cannot be joined again. */
async function findHeld(
  { store, project }: Dependencies,
  view: JoinedView,
  rows: readonly Row[],
): Promise<ReadonlySet<string>> {
  const keyColumns = keyColumnsOf(view.keys.map(({ source }) => source));
  const place = { project, view: view.view, keyColumns };
  const asked = [...new Set(rows.map((row) => keyOf(view, row)))];
  return new Set((await store.read((transaction) => getPushedFeatures(transaction, place, asked))).keys());
}

/** Of a source whose versions follow each other fast, some versions are compared, spread over the time. */
function leaveOut(places: (readonly string[] | string)[]): void {
  const online = new Set(places.flatMap((versions) => (typeof versions === "string" ? [] : versions.slice(0, 1))));
  const every = Math.ceil(online.size / MOST_VERSIONS);
  if (every <= 1) return;
  const kept = new Set([...online].filter((_, index) => index % every === 0));
  const reason = `of ${online.size} versions that were online one after the other ${kept.size} are compared`;
  for (const [row, versions] of places.entries())
    if (typeof versions !== "string" && !kept.has(versions[0] ?? "")) places[row] = reason;
}

interface Joined {
  readonly singles: ReadonlySet<string>;
  /** By row of the request. */
  readonly values: ReadonlyMap<number, Readonly<Record<string, OnlineValue>>>;
}

async function joinVersion(
  deps: Dependencies & { readonly connection: AnalyticsConnection },
  view: JoinedView,
  asked: { readonly versionId: string; readonly own: readonly number[]; readonly rows: readonly Row[] },
): Promise<Joined | string> {
  const version = await deps.store.read((transaction) => getAssetVersion(transaction, { id: asked.versionId }));
  if (version === undefined) return `a version of ${view.source} that was online is gone`;
  try {
    return await joinRows(deps, view, { ...asked, version });
  } catch (error) {
    if (!isEsteiraError(error, "DATA_VERSION_MISSING") && !isEsteiraError(error, "DATA_TABLE_MISSING")) throw error;
    return `the rows of ${view.source} version ${version.version}, which was online, are no longer kept`;
  }
}

async function joinRows(
  { store, datasets, connection }: Dependencies & { readonly connection: AnalyticsConnection },
  view: JoinedView,
  {
    version,
    own,
    rows,
  }: { readonly version: AssetVersion; readonly own: readonly number[]; readonly rows: readonly Row[] },
): Promise<Joined> {
  const { columns } = await datasets.snapshot(version);
  const typeOf = (name: string): string => columns.find((column) => column.name === name)?.type ?? "VARCHAR";
  const keyNames = view.keys.map((_, index) => `__key${index}`);
  await connection.run(
    `create or replace temp table asked (__number double, __at_ms double${keyNames.map((name) => `, ${name} varchar`).join("")})`,
  );
  await connection.append("asked", [
    Float64Array.from(own),
    Float64Array.from(own, (row) => rows[row]?.atMs ?? NaN),
    ...view.keys.map(({ spine }) => own.map((row) => entityText(rows[row]?.record[spine]))),
  ]);
  // The online store compares keys as texts: what was found there reads back as the source's own type.
  const keys = view.keys.map(({ source }, index) => `try_cast(__key${index} as ${typeOf(source)}) as __key${index}`);
  const asOnline: JoinedView = {
    ...view,
    keys: view.keys.map(({ source }, index) => ({ spine: `__key${index}`, source })),
    // Whether a value was too old was judged a moment before the one that the log names.
    ttlUs: view.ttlUs === 0 ? 0 : view.ttlUs + SLACK_MS * 1000,
  };
  const relation = await datasets.relation(version);
  const joined = await joinPointInTime({
    connection,
    spine: {
      name: "logged rows",
      relation: `(select __number, make_timestamp((__at_ms * 1000)::bigint) as __at, ${keys.join(", ")} from asked)`,
      timestamp: "__at",
    },
    views: [
      { joined: asOnline, relation, unique: await isUnique(connection, { store, view: asOnline, version, relation }) },
    ],
  });
  const found = await connection.rows(
    `select __number, ${payloadOf(view.features.map(({ name }) => name))} as __payload from (${joined.select()})`,
  );
  await joined.drop();
  return {
    singles: new Set(view.features.filter(({ column }) => typeOf(column) === "FLOAT").map(({ name }) => name)),
    values: new Map(
      found.flatMap(({ __number: number, __payload: payload }) =>
        typeof payload === "string" ? [[Number(number), parsePayload(payload)]] : [],
      ),
    ),
  };
}
