import { isEsteiraError, type Json } from "#base";
import { type AssetVersion, getAssetVersion, listAllAssetPartitions } from "#metadata-store";
import { listCachedKeys, listPartitionRuns } from "#metadata-store/engine";
import {
  createProjectFiles,
  findExpressions,
  indexOf,
  ownConditionOf,
  parseCondition,
  parseExpression,
  type Partition,
  partitionEnvironment,
  partitionScope,
  pathsOf,
  type PipelineDefinition,
  type PreparedStep,
  prepareStep,
  type ReadSources,
  readSources,
  type StepDefinition,
  toCacheKey,
} from "#pipeline";
import { knownAssets } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";

interface Asked {
  readonly definition: PipelineDefinition;
  readonly params: Readonly<Record<string, Json>>;
}

/**
 * Which of some partitions were never made, or not of what is there now: no run of them succeeded, or a step would not
 * find its result in the cache. A step that is prepared once serves all partitions, unless an expression of it names
 * them; what cannot be told before a run (items, outputs of other steps) counts as made.
 */
export async function findStalePartitions(
  parts: EngineParts,
  asked: Asked,
  partitions: readonly Partition[],
): Promise<ReadonlySet<string>> {
  const { definition } = asked;
  const of = { project: parts.project, pipeline: definition.name };
  const runs = await parts.store.read((transaction) => listPartitionRuns(transaction, of));
  const made = new Set(runs.flatMap(({ partition, status }) => (status === "succeeded" ? [partition] : [])));
  const stale = new Set(partitions.flatMap(({ name }) => (made.has(name) ? [] : [name])));
  const candidates = partitions.filter(({ name }) => !stale.has(name));
  if (candidates.length === 0) return stale;
  const known = await readKnown(parts, definition);
  for (const step of definition.steps.filter(isComparable))
    for (const name of await staleOfStep(parts, { ...asked, ...known, step }, candidates)) stale.add(name);
  return stale;
}

/** Its key follows from files, declaration, params and inputs alone. */
function isComparable(step: StepDefinition): boolean {
  if (step.forEach !== undefined || step.matrix !== undefined || ownConditionOf(step) !== 0 || !step.cache)
    return false;
  return pathsReadBy(step).every(([root]) => root !== "steps" && root !== "trigger" && root !== "run");
}

function pathsReadBy(step: StepDefinition): readonly (readonly string[])[] {
  const { declaration, params, env } = step;
  const expressions = findExpressions({ declaration, params, env }).map(({ source }) => parseExpression(source));
  if (step.when !== undefined) expressions.push(parseCondition(step.when));
  return expressions.flatMap(pathsOf);
}

interface Known {
  /** Latest versions of what steps read. */
  readonly versions: ReadonlyMap<string, AssetVersion>;
  /** By asset, then by partition. */
  readonly notes: ReadonlyMap<string, ReadonlyMap<string, { readonly stepRunId: string; readonly identity: string }>>;
}

async function readKnown({ store, project }: EngineParts, { steps }: PipelineDefinition): Promise<Known> {
  const read = new Set(steps.flatMap(({ inputs }) => inputs.map(({ asset }) => asset)));
  const makes = steps.flatMap((step) => step.makes.map(({ asset }) => asset));
  return store.read(async (transaction) => {
    const versions = new Map<string, AssetVersion>();
    for (const asset of read) {
      const version = await getAssetVersion(transaction, { project, asset });
      if (version !== undefined) versions.set(asset, version);
    }
    const notes = new Map<string, Map<string, { readonly stepRunId: string; readonly identity: string }>>();
    for (const { asset, partition, stepRunId, identity } of await listAllAssetPartitions(transaction, {
      project,
      assets: makes,
    })) {
      const ofAsset = notes.get(asset) ?? new Map<string, { stepRunId: string; identity: string }>();
      ofAsset.set(partition, { stepRunId, identity });
      notes.set(asset, ofAsset);
    }
    return { versions, notes };
  });
}

async function staleOfStep(
  parts: EngineParts,
  of: Asked & Known & { readonly step: StepDefinition },
  partitions: readonly Partition[],
): Promise<readonly string[]> {
  const { step, notes } = of;
  const keys = await keysOf(parts, of, partitions).catch((error: unknown) => {
    // What it would read is not there, or does not fit: the run says how. A database that failed says nothing of it.
    if (isEsteiraError(error) && !error.code.startsWith("METADATA_STORE_")) return undefined;
    throw error;
  });
  if (keys === undefined) return partitions.map(({ name }) => name);
  const found = await parts.store.read((transaction) =>
    listCachedKeys(transaction, { project: parts.project, keys: [...keys.values()].flat() }),
  );
  return [...keys].flatMap(([name, ofPartition]) => {
    const stepRunId = ofPartition.map((key) => found.get(key)).find((id) => id !== undefined);
    const isCurrent =
      stepRunId !== undefined && step.makes.every(({ asset }) => notes.get(asset)?.get(name)?.stepRunId === stepRunId);
    return isCurrent ? [] : [name];
  });
}

/** The cache keys of a step for each partition, the newest first; none of a step that always runs. */
async function keysOf(
  parts: EngineParts,
  of: Asked & Known & { readonly step: StepDefinition },
  partitions: readonly Partition[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { step, definition, versions, notes } = of;
  const own = indexOf(definition).assets;
  const namesPartition = pathsReadBy(step).some(([root]) => root === "partition");
  const keys = new Map<string, readonly string[]>();
  let shared: Looked | undefined;
  for (const partition of partitions) {
    const looked = namesPartition
      ? await lookAt(parts, of, partition)
      : (shared ??= await lookAt(parts, of, partition));
    if (!looked.prepared.cacheable) return new Map();
    const env = { ...looked.prepared.env, ...partitionEnvironment(partition), ...step.env };
    const recipe = namesPartition ? looked.sources.recipe : { ...looked.sources.recipe, env };
    const { key, earlierKeys } = toCacheKey(looked.prepared, recipe, (asset) => {
      const version = versions.get(asset);
      const note = own.has(asset) ? notes.get(asset)?.get(partition.name) : undefined;
      return version === undefined || note === undefined
        ? version
        : { ...version, digest: `sha256:${note.identity.slice(7)}` };
    });
    keys.set(partition.name, [key, ...earlierKeys]);
  }
  return keys;
}

interface Looked {
  readonly prepared: PreparedStep;
  readonly sources: ReadSources;
}

async function lookAt(
  parts: EngineParts,
  { step, definition, params }: Asked & { readonly step: StepDefinition },
  partition: Partition,
): Promise<Looked> {
  const files = createProjectFiles(parts.projectFolder);
  const known = await parts.store.read((transaction) => knownAssets(transaction, parts.project, { definition, step }));
  const prepared = await prepareStep(step, {
    project: parts.project,
    kinds: parts.kinds,
    files,
    scope: { params, matrix: {}, partition: partitionScope(partition), project: parts.project },
    knownAssets: known,
    file: definition.file,
    partition,
  });
  return { prepared, sources: await readSources(prepared, files) };
}
