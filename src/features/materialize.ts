import { type Clock, type Digest, digestOfJson, type Log, messageOf, nearestName } from "#base";
import { type Analytics, type AnalyticsConnection, type Column, type Datasets, quoteList, quoteName } from "#data";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import {
  deleteOldOnlineFeatures,
  deleteOvertakenPushes,
  type FeatureViewState,
  listFeatureViewStates,
  type OnlineFeature,
  putOnlineFeatures,
  setFeatureViewState,
} from "#metadata-store/features";
import { columnMissing } from "./errors.ts";
import type { FeatureView } from "./feature-definitions.ts";
import { keyColumnsOf } from "./feature-pushes.ts";
import { assertNumber } from "./join-plan.ts";
import { windowRowsOf } from "./window-read.ts";

const KEYS_PER_WRITE = 4_000;

export interface MaterializeDependencies {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly analytics: Analytics;
  readonly clock: Clock;
  readonly log: Log;
  readonly project: string;
}

/** What one materialization did. */
export interface Materialization {
  readonly view: string;
  readonly sourceVersion: number;
  /** Values written. */
  readonly rows: number;
  /** `nothing`: the version is online already. `added`: only rows of new files were read. `rebuilt`: all rows were. */
  readonly kind: "nothing" | "added" | "rebuilt";
}

/**
 * Brings the last value per key of a view's source to the online store.
 *
 * The watermark is the version of the source: when it only grew since, the rows of the new files are read; when rows
 * were replaced, or the view's definition changed, everything is read into a new generation, which is read from once it
 * is complete. Either way the result equals a full rebuild, late rows included, and reads are served throughout. Safe
 * to repeat and to run in several processes.
 */
export async function materialize(
  deps: MaterializeDependencies,
  view: FeatureView,
): Promise<Materialization | undefined> {
  const version = await deps.store.read((transaction) =>
    getAssetVersion(transaction, { project: deps.project, asset: view.source }),
  );
  if (version === undefined) return undefined;
  const states = await deps.store.read((transaction) => listFeatureViewStates(transaction, deps.project));
  const stored = states.find((state) => state.view === view.name);
  // What another definition has put online is of no use: it is built anew beside it.
  const current = stored?.definitionDigest === digestOfView(view) ? stored : undefined;
  if (current !== undefined && current.sourceVersion >= version.version)
    return { view: view.name, sourceVersion: current.sourceVersion, rows: 0, kind: "nothing" };
  const snapshot = await deps.datasets.snapshot(version);
  assertViewColumns(view, snapshot.columns);
  // The rows of a window are kept whole by key: what is added to some of them is read with the others.
  const added =
    current === undefined || view.windows.length > 0 ? undefined : await addedFiles(deps, current, snapshot.files);
  if (current !== undefined && added !== undefined) {
    const rows =
      added.length === 0
        ? 0
        : await writeLastValues(deps, {
            view,
            relation: `read_parquet(${quoteList(added)}, union_by_name = true)`,
            generation: current.generation,
          });
    if (await switchTo(deps, view, { version, generation: current.generation, rows, stored }))
      await dropOvertaken(deps, view, { version, generation: current.generation });
    return { view: view.name, sourceVersion: version.version, rows, kind: "added" };
  }
  const generation = (stored?.generation ?? 0) + 1;
  const rows = await writeLastValues(deps, { view, relation: await deps.datasets.relation(version), generation });
  if (await switchTo(deps, view, { version, generation, rows, stored })) {
    await dropOvertaken(deps, view, { version, generation });
    await dropOthers(deps, view.name, generation);
  }
  return { view: view.name, sourceVersion: version.version, rows, kind: "rebuilt" };
}

function switchTo(
  deps: MaterializeDependencies,
  view: FeatureView,
  to: {
    readonly version: AssetVersion;
    readonly generation: number;
    readonly rows: number;
    readonly stored: FeatureViewState | undefined;
  },
): Promise<boolean> {
  const state: FeatureViewState = {
    project: deps.project,
    view: view.name,
    definitionDigest: digestOfView(view),
    sourceVersionId: to.version.id,
    sourceVersion: to.version.version,
    generation: to.generation,
    materializedAtMs: deps.clock.now(),
    rowCount: to.rows,
  };
  return deps.store.write((transaction) => setFeatureViewState(transaction, state, to.stored));
}

/** Identity of what is stored online for a view. */
export function digestOfView(view: FeatureView): Digest {
  return digestOfJson({
    source: view.source,
    keys: view.keys,
    timestamp: view.timestamp,
    created: view.created ?? null,
    availableAfterUs: view.availableAfterUs,
    features: view.features,
    ...(view.windows.length === 0 ? {} : { windows: view.windows.map((window) => ({ ...window })) }),
  });
}

/** Files that are new since the version that is online; undefined when some of its rows are gone. */
async function addedFiles(
  deps: MaterializeDependencies,
  previous: FeatureViewState,
  files: readonly string[],
): Promise<readonly string[] | undefined> {
  const before: AssetVersion | undefined = await deps.store.read((transaction) =>
    getAssetVersion(transaction, { id: previous.sourceVersionId }),
  );
  if (before === undefined) return undefined;
  const { files: known } = await deps.datasets.snapshot(before);
  const now = new Set(files);
  if (!known.every((file) => now.has(file))) return undefined;
  const old = new Set(known);
  return files.filter((file) => !old.has(file));
}

async function writeLastValues(
  deps: MaterializeDependencies,
  {
    view,
    relation,
    generation,
  }: { readonly view: FeatureView; readonly relation: string; readonly generation: number },
): Promise<number> {
  const connection = await deps.analytics.connect();
  try {
    const select =
      view.windows.length === 0 ? lastValuesOf(view, relation) : windowRowsOf(view, relation, deps.clock.now());
    await connection.run(`create or replace temp table last_values as ${select}`);
    let written = 0;
    for (;;) {
      const features = await readPage(connection, written);
      if (features.length === 0) return written;
      await deps.store.write((transaction) =>
        putOnlineFeatures(transaction, { project: deps.project, view: view.name, generation }, features),
      );
      written += features.length;
    }
  } finally {
    await connection.run("drop table if exists last_values");
    connection.close();
  }
}

/** A JSON object, in which NaN and infinity stand by their names; `parsePayload` reads it. */
export function payloadOf(columns: readonly string[]): string {
  return `to_json(struct_pack(${columns.map((name) => `${quoteName(name)} := ${quoteName(name)}`).join(", ")}))::varchar`;
}

/** One whole row per key, as a struct: taking columns one by one would mix rows where some are NULL. */
function lastValuesOf(view: FeatureView, relation: string): string {
  const key = `to_json([${view.keys.map((name) => `${quoteName(name)}::varchar`).join(", ")}])::varchar`;
  const created = view.created === undefined ? "null::bigint" : `epoch_us(${quoteName(view.created)})`;
  const payload = payloadOf(view.features);
  return `
    select __key, __event, __created, __payload from (
      select *, row_number() over (partition by __key order by __event desc, __created desc nulls last, __row desc) as __rank from (
        select ${key} as __key, epoch_us(${quoteName(view.timestamp)}) + ${view.availableAfterUs} as __event, ${created} as __created, ${payload} as __payload, row_number() over () as __row
        from ${relation} where ${view.keys.map((name) => `${quoteName(name)} is not null`).join(" and ")} and ${quoteName(view.timestamp)} is not null))
    where __rank = 1 order by __key`;
}

async function readPage(connection: AnalyticsConnection, offset: number): Promise<readonly OnlineFeature[]> {
  const rows = await connection.rows(
    `select __key, __event::varchar as event, __created::varchar as created, __payload from last_values where rowid >= ${offset} and rowid < ${offset + KEYS_PER_WRITE} order by rowid`,
  );
  return rows.map((row) => ({
    entityKey: row["__key"] as string,
    eventUs: Number(row["event"]),
    createdUs: row["created"] === null ? null : Number(row["created"]),
    payload: row["__payload"] as string,
  }));
}

async function dropOthers(deps: MaterializeDependencies, view: string, keep: number): Promise<void> {
  for (let left = 1; left > 0;)
    left = await deps.store.write((transaction) =>
      deleteOldOnlineFeatures(transaction, { project: deps.project, view, keep }),
    );
}

/**
 * Lets go of pushed values that the version has, or has later ones of. What is left of them after a crash is passed
 * over by reads, and goes with the next version.
 */
async function dropOvertaken(
  deps: MaterializeDependencies,
  { name: view, keys, availableAfterUs }: FeatureView,
  { version, generation }: { readonly version: AssetVersion; readonly generation: number },
): Promise<void> {
  const { project, store } = deps;
  const facts = { project, view, keyColumns: keyColumnsOf(keys), generation, availableAfterUs };
  for (let after: string | undefined = ""; after !== undefined;) {
    const from: string = after;
    after = await store.write((transaction) =>
      deleteOvertakenPushes(transaction, { ...facts, madeAtMs: version.madeAtMs, after: from, limit: KEYS_PER_WRITE }),
    );
  }
}

function assertViewColumns(view: FeatureView, columns: readonly Column[]): void {
  const names = columns.map(({ name }) => name);
  const wanted = [
    ...view.keys.map((key) => [key, "join key"]),
    [view.timestamp, "timestamp"],
    ...(view.created === undefined ? [] : [[view.created, "created time"]]),
    ...(view.windows.length === 0 ? view.features.map((feature) => [feature, "feature"]) : []),
    ...view.windows.flatMap(({ name, column }) => (column === null ? [] : [[column, `column of ${name}`]])),
  ];
  for (const [column = "", part = ""] of wanted) {
    if (!names.includes(column))
      throw columnMissing({
        dataset: view.source,
        column,
        part: `${part} of view "${view.name}"`,
        nearest: nearestName(column, names),
        columns: names,
      });
  }
  for (const { function: of, column } of view.windows) {
    const found = columns.find((one) => one.name === column);
    if (found !== undefined && of !== "distinct") assertNumber(view.source, found, of);
  }
}

/**
 * Materializes every view whose source has a newer version; a view that fails is logged and does not stop the others.
 */
export async function materializeAll(
  deps: MaterializeDependencies,
  views: Iterable<FeatureView>,
): Promise<readonly Materialization[]> {
  const done: Materialization[] = [];
  for (const view of views) {
    try {
      const result = await materialize(deps, view);
      if (result !== undefined && result.kind !== "nothing") {
        deps.log.info("feature view materialized", result);
        done.push(result);
      }
    } catch (error) {
      deps.log.error("a feature view could not be materialized", { view: view.name, error: messageOf(error) });
    }
  }
  return done;
}
