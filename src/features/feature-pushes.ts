import { type Clock, nearestName } from "#base";
import type { Column, Datasets } from "#data";
import { type AssetVersion, getAssetVersion, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { deleteExpiredPushes, putPushedFeatures, sumPushedFeatures } from "#metadata-store/features";
import {
  notFound,
  pushFull,
  pushNotDeclared,
  pushNotOffline,
  pushSchemaUnknown,
  pushSourceUnknown,
  pushTreated,
} from "./errors.ts";
import type { FeatureDefinitions, FeatureView } from "./feature-definitions.ts";
import type { FeaturePush } from "./push-request.ts";
import { type PushedRows, type PushedView, readPushedRows } from "./pushed-rows.ts";

/** What pushes need of the datasets that views read. */
export interface PushPorts {
  /** Whether a step takes rows for the dataset. */
  takesRows(dataset: string): boolean;
  /** Keeps rows for datasets that take them, and what else is to be kept with them: all in one transaction. */
  keepOffline(
    rows: ReadonlyMap<string, string>,
    alsoWrite: (transaction: WriteTransaction) => Promise<void>,
  ): Promise<void>;
  /** Columns that the contract of the dataset treats, in lower case. */
  treatedColumns(dataset: string): Promise<ReadonlySet<string>>;
}

/** Values that are pushed to feature views, durable when `push` resolves. */
export interface FeaturePushes {
  /**
   * @throws FEATURES_PUSH_SOURCE_UNKNOWN, FEATURES_NAME_UNKNOWN, FEATURES_PUSH_NOT_DECLARED, FEATURES_PUSH_INVALID,
   *   FEATURES_PUSH_SCHEMA_UNKNOWN, FEATURES_PUSH_NOT_OFFLINE, FEATURES_PUSH_TREATED, FEATURES_PUSH_FULL, and what
   *   keeping rows throws: nothing of the push was kept then
   */
  push(definitions: FeatureDefinitions, push: FeaturePush, ports: PushPorts): Promise<void>;
}

/** Keys of one view that have a pushed value. */
const MOST_KEYS = 1_000_000;
/** What is held is counted so often; between, what this process adds is added, as if every key were new. */
const COUNTED_FOR_MS = 60_000;
const FULL_FOR_MS = 1000;
const EXPIRED_TOGETHER = 20_000;
/** Schemas of versions, which never change. */
const MOST_SCHEMAS = 200;

interface Options {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly clock: Clock;
  readonly project: string;
  /** Default 1,000,000. */
  readonly mostKeys?: number | undefined;
}

interface Count {
  readonly held: number;
  added: number;
  readonly atMs: number;
}

/** Values of `pushed_feature` are of these join keys. */
export function keyColumnsOf(keys: readonly string[]): string {
  return JSON.stringify(keys);
}

/** Nothing is kept in memory but counts and schemas: several processes on one store take pushes. */
export function createFeaturePushes({ store, datasets, clock, project, mostKeys = MOST_KEYS }: Options): FeaturePushes {
  const schemas = new Map<string, Promise<readonly Column[]>>();
  const counts = new Map<string, Count>();

  async function schemaOf(dataset: string): Promise<readonly Column[] | undefined> {
    const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset: dataset }));
    if (version === undefined) return undefined;
    const known = schemas.get(version.id) ?? columnsOf(version);
    if (schemas.size >= MOST_SCHEMAS) schemas.clear();
    schemas.set(version.id, known);
    return known;
  }
  async function columnsOf(version: AssetVersion): Promise<readonly Column[]> {
    try {
      return (await datasets.snapshot(version)).columns;
    } catch (error) {
      schemas.delete(version.id);
      throw error;
    }
  }

  async function assertRoom(view: FeatureView, rows: number): Promise<void> {
    const known = counts.get(view.name);
    let count = known === undefined || clock.now() - known.atMs > COUNTED_FOR_MS ? await recount(view) : known;
    const isFull = (): boolean => count.held + count.added + rows > mostKeys;
    // What is full by its count is counted again after a while: counting many keys takes long.
    if (isFull() && (count.added > 0 || clock.now() - count.atMs >= FULL_FOR_MS)) {
      if (view.ttlUs > 0) await dropExpired(view);
      count = await recount(view);
    }
    if (isFull()) throw pushFull({ view: view.name, held: count.held, most: mostKeys });
    count.added += rows;
  }
  async function dropExpired({ name: view, ttlUs, availableAfterUs }: FeatureView): Promise<void> {
    const beforeUs = clock.now() * 1000 - ttlUs - availableAfterUs;
    const expired = { project, view, beforeUs, limit: EXPIRED_TOGETHER };
    await store.write((transaction) => deleteExpiredPushes(transaction, expired));
  }
  async function recount({ name: view }: FeatureView): Promise<Count> {
    const { held } = await store.read((transaction) => sumPushedFeatures(transaction, { project, view }));
    const count = { held, added: 0, atMs: clock.now() };
    counts.set(view, count);
    return count;
  }

  async function prepare(view: FeatureView, { to }: FeaturePush, ports: PushPorts): Promise<PushedView> {
    const { name, source: dataset } = view;
    const [schema, treated] = await Promise.all([schemaOf(dataset), ports.treatedColumns(dataset)]);
    const [online, offline] = [to !== "offline", to !== "online"];
    if (offline && !ports.takesRows(dataset)) throw pushNotOffline({ view: name, dataset });
    if (online && schema === undefined) throw pushSchemaUnknown({ view: name, dataset });
    const used = [
      ...view.keys,
      view.timestamp,
      ...(view.created === undefined ? [] : [view.created]),
      ...view.features,
    ];
    const columns = used.filter((column) => treated.has(column.toLowerCase()));
    if (online && columns.length > 0) throw pushTreated({ view: name, dataset, columns });
    return { view, schema, treated, online, offline, nowMs: clock.now() };
  }

  return {
    async push(definitions, push, ports) {
      const views = viewsOf(definitions, push);
      const read: { readonly view: FeatureView; readonly rows: PushedRows }[] = [];
      for (const view of views) read.push({ view, rows: readPushedRows(push.frame, await prepare(view, push, ports)) });
      if (push.frame.rowCount === 0) return;
      for (const { view, rows } of read) if (rows.online.length > 0) await assertRoom(view, rows.online.length);
      const atMs = clock.now();
      const keepOnline = async (transaction: WriteTransaction): Promise<void> => {
        for (const { view, rows } of read)
          await putPushedFeatures(
            transaction,
            { project, view: view.name, keyColumns: keyColumnsOf(view.keys), atMs },
            rows.online,
          );
      };
      // Views of one dataset share its rows.
      const offline = new Map(
        read.flatMap(({ view, rows }) => (rows.offline === "" ? [] : [[view.source, rows.offline]])),
      );
      await (offline.size > 0 ? ports.keepOffline(offline, keepOnline) : store.write(keepOnline));
    },
  };
}

function viewsOf({ views }: FeatureDefinitions, { target }: FeaturePush): readonly FeatureView[] {
  if ("view" in target) {
    const view = views.get(target.view);
    const known = [...views.keys()];
    if (view === undefined)
      throw notFound({ kind: "feature view", name: target.view, nearest: nearestName(target.view, known), known });
    if (view.push === undefined) throw pushNotDeclared({ view: view.name });
    return [view];
  }
  const found = [...views.values()].filter(({ push }) => push === target.source);
  if (found.length > 0) return found;
  const known = [...new Set([...views.values()].flatMap(({ push }) => push ?? []))];
  throw pushSourceUnknown({ name: target.source, nearest: nearestName(target.source, known), known });
}
