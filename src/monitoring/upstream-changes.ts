import type { AlertCause } from "#api";
import {
  type AssetVersion,
  getAssetVersion,
  getVersionGraph,
  listAssetVersions,
  type MetadataStore,
  type ReadTransaction,
} from "#metadata-store";
import { type EndpointKey, listEndpointHistory } from "#metadata-store/serving";
import type { DatasetReader } from "#models";

const VERSIONS_LOOKED_AT = 200;
const MOST_CAUSES = 10;
const HISTORY_LOOKED_AT = 200;

/** Between when what is looked for changed. */
export interface ChangedBetween {
  /** When the last prediction of the last good window was received, epoch ms. */
  readonly fromMs: number;
  /** The same of the first bad window. */
  readonly toMs: number;
  /** The version that answered most in the last good window; undefined: there was none. */
  readonly goodVersionId: string | undefined;
  /** And in the first bad one. */
  readonly badVersionId: string;
  /** The training set of the model, whose newer versions no row of production has seen. */
  readonly trainingSet: string;
}

/**
 * What changed meanwhile of what an endpoint's answers are made of: the model that answers, and versions of the
 * datasets and features that it was made from, directly or not.
 *
 * @param columns that the alert is about: a dataset that holds one is likelier
 */
export async function findUpstreamChanges(
  key: EndpointKey,
  between: ChangedBetween,
  columns: readonly string[],
  { store, datasets }: { readonly store: MetadataStore; readonly datasets: DatasetReader },
): Promise<readonly AlertCause[]> {
  const { model, changed } = await store.read(async (transaction) => ({
    model: await modelChange(transaction, key, between),
    changed: await changedAssets(transaction, key.project, between),
  }));
  const data: AlertCause[] = [];
  for (const { before, after } of changed) data.push(await toCause(before, after, { columns, datasets }));
  data.sort((left, right) => weightOf(right) - weightOf(left) || right.atMs - left.atMs);
  return [...model, ...data].slice(0, MOST_CAUSES);
}

/** Whether it changed what the alert is about, its own form, or something else. */
function weightOf({ columns, schema }: AlertCause): number {
  return 2 * Number(columns.length > 0) + Number(schema.length > 0);
}

async function modelChange(
  transaction: ReadTransaction,
  key: EndpointKey,
  { goodVersionId, badVersionId }: ChangedBetween,
): Promise<readonly AlertCause[]> {
  if (goodVersionId === undefined || goodVersionId === badVersionId) return [];
  const [before, after] = [
    await getAssetVersion(transaction, { id: goodVersionId }),
    await getAssetVersion(transaction, { id: badVersionId }),
  ];
  if (after === undefined) return [];
  const history = await listEndpointHistory(transaction, { ...key, limit: HISTORY_LOOKED_AT });
  const change = history.find(({ modelVersionId }) => modelVersionId === badVersionId);
  return [
    {
      kind: "model",
      name: after.asset,
      fromVersion: before?.version,
      toVersion: after.version,
      versionId: after.id,
      atMs: change?.atMs ?? after.madeAtMs,
      pipelineRunId: after.pipelineRunId,
      columns: [],
      schema: [],
    },
  ];
}

interface ChangedAsset {
  readonly before: AssetVersion | undefined;
  readonly after: AssetVersion;
}

async function changedAssets(
  transaction: ReadTransaction,
  project: string,
  { fromMs, toMs, badVersionId, trainingSet }: ChangedBetween,
): Promise<readonly ChangedAsset[]> {
  const { versions } = await getVersionGraph(transaction, badVersionId, "upstream");
  const names = versions
    .filter(({ kind, asset }) => (kind === "data" || kind === "features") && asset !== trainingSet)
    .map(({ asset }) => asset);
  const changed: ChangedAsset[] = [];
  for (const asset of new Set(names)) {
    const own = await listAssetVersions(transaction, { project, asset, limit: VERSIONS_LOOKED_AT });
    const after = own.find(({ madeAtMs }) => madeAtMs > fromMs && madeAtMs <= toMs);
    if (after !== undefined) changed.push({ before: own.find(({ madeAtMs }) => madeAtMs <= fromMs), after });
  }
  return changed;
}

async function toCause(
  before: AssetVersion | undefined,
  after: AssetVersion,
  { columns, datasets }: { readonly columns: readonly string[]; readonly datasets: DatasetReader },
): Promise<AlertCause> {
  const [old, now] = [before === undefined ? undefined : await describe(before), await describe(after)];
  async function describe(version: AssetVersion): Promise<ReadonlyMap<string, string> | undefined> {
    // Files of an old version may be gone; that it was replaced is still worth telling.
    const found = await datasets.describe(version).catch(() => undefined);
    return found === undefined ? undefined : new Map(found.map(({ name, type }) => [name, type]));
  }
  return {
    kind: after.kind === "features" ? "features" : "dataset",
    name: after.asset,
    fromVersion: before?.version,
    toVersion: after.version,
    versionId: after.id,
    atMs: after.madeAtMs,
    pipelineRunId: after.pipelineRunId,
    fromRows: before?.rowCount,
    toRows: after.rowCount,
    columns: columns.filter((column) => now?.has(column) === true || old?.has(column) === true),
    schema: old === undefined || now === undefined ? [] : compareColumns(old, now),
  };
}

function compareColumns(old: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): readonly string[] {
  const added = [...now.keys()].filter((name) => !old.has(name)).map((name) => `+${name}`);
  const removed = [...old.keys()].filter((name) => !now.has(name)).map((name) => `-${name}`);
  const retyped = [...now].flatMap(([name, type]) => {
    const was = old.get(name);
    return was === undefined || was === type ? [] : [`${name}: ${was} → ${type}`];
  });
  return [...removed, ...retyped, ...added];
}
