import { type Clock, newId } from "#base";
import {
  appendEvent,
  type AssetVersion,
  dropAsset,
  getAssetVersion,
  listAssetVersions,
  listDependents,
  type MetadataStore,
  type ReadTransaction,
  recordAssetVersion,
} from "#metadata-store";
import {
  type CapturedFile,
  clearCapturedFiles,
  clearIntervals,
  closeQuarantine,
  listOpenQuarantine,
  recordCapturedFiles,
  setCapturedFileState,
} from "#metadata-store/data";
import { fireTrigger } from "#engine";
import { readLedger } from "./capture/ledger.ts";
import { contentOf, type DatasetContent, type Datasets } from "./dataset.ts";
import { captureFileUnknown, datasetMissing, datasetNeeded } from "./errors.ts";

export interface DatasetChangeDependencies {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly clock: Clock;
  readonly project: string;
}

interface DatasetChange {
  readonly dataset: string;
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a new version with the content of an earlier one. Captured files whose rows are not in it stay out until they
 * change or are asked for.
 *
 * @returns the version; the latest one, `restored: false`, when its content is that already
 * @throws DATA_DATASET_MISSING, and what writing a dataset throws
 */
export async function restoreDataset(
  dependencies: DatasetChangeDependencies,
  request: DatasetChange & { readonly version: number },
): Promise<{ readonly version: AssetVersion; readonly restored: boolean }> {
  const { store, datasets, clock, project } = dependencies;
  const { dataset, actor } = request;
  const { source, latest } = await store.read(async (transaction) => ({
    source: await getAssetVersion(transaction, { project, asset: dataset, version: request.version }),
    latest: await getAssetVersion(transaction, { project, asset: dataset }),
  }));
  if (
    source === undefined ||
    contentOf(source).dropped === true ||
    (source.kind !== "data" && source.kind !== "features")
  )
    throw datasetMissing({ dataset, version: request.version });
  const { captured, replayed, disposition, quarantine, lineage, incremental } = contentOf(source);
  const kept = {
    ...(captured === undefined ? {} : { captured }),
    ...(replayed === undefined ? {} : { replayed }),
    ...(disposition === undefined ? {} : { disposition }),
    ...(quarantine === undefined ? {} : { quarantine }),
    ...(lineage === undefined ? {} : { lineage }),
    ...(incremental === undefined ? {} : { incremental }),
  };
  const operation = { project, asset: dataset, operationId: `restore:${newId(clock.now())}` };
  const made = await datasets.write({
    ...operation,
    kind: source.kind,
    disposition: "replace",
    select: "",
    state: source,
    provenance: { restoredFrom: source.version, actor },
    content: { ...kept, restoredFrom: source.version },
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  const inside = await filesWithin(dependencies, source);
  const within = new Set<string>(inside.map(({ digest }) => digest));
  const ledger = await readLedger(store, { project, dataset });
  const returning = inside.filter(({ digest }) => !ledger.some((entry) => entry.digest === digest));
  const atMs = clock.now();
  return store.write(async (transaction) => {
    await datasets.settle(transaction, operation);
    const { version, created } = await recordAssetVersion(transaction, {
      project,
      madeAtMs: atMs,
      actor,
      inputs: [{ versionId: source.id, role: "restored" }],
      ...made,
    });
    if (!created && latest?.id === version.id) return { version, restored: false };
    await setCapturedFileState(transaction, {
      project,
      dataset,
      digests: ledger
        .filter(({ digest, rowsPublished }) => rowsPublished > 0 && !within.has(digest))
        .map(({ digest }) => digest),
      state: "left_out",
      onlyFrom: "captured",
    });
    await setCapturedFileState(transaction, {
      project,
      dataset,
      digests: [...within],
      state: "captured",
      onlyFrom: "left_out",
    });
    await recordCapturedFiles(
      transaction,
      returning.map(({ path, digest, rows }): CapturedFile => ({
        project,
        dataset,
        digest,
        path,
        sizeBytes: 0,
        mtimeMs: 0,
        rowsRead: rows,
        rowsPublished: rows,
        rowsQuarantined: 0,
        stepRunId: undefined,
        atMs,
        state: "captured",
      })),
    );
    await appendEvent(transaction, {
      atMs,
      project,
      type: "dataset.restored",
      subjectKind: "asset",
      subject: dataset,
      actor,
      data: { version: version.version, restoredFrom: source.version },
    });
    await fireTrigger(transaction, {
      project,
      on: "data",
      subject: dataset,
      cause: { versionId: version.id, restoredFrom: source.version },
      atMs,
      actor,
    });
    return { version, restored: true };
  });
}

/** The captured files whose rows are in a version, by what its record and those before it say. */
async function filesWithin(
  { store, project }: DatasetChangeDependencies,
  of: AssetVersion,
): Promise<readonly NonNullable<DatasetContent["captured"]>[number][]> {
  const files: NonNullable<DatasetContent["captured"]>[number][] = [];
  const gone = new Set<string>();
  let next: AssetVersion | undefined = of;
  while (next !== undefined) {
    const { captured = [], superseded, disposition, dropped, restoredFrom } = contentOf(next);
    files.push(...captured.filter(({ digest }) => !gone.has(digest)));
    for (const { digest } of superseded?.files ?? []) gone.add(digest);
    if (disposition === "replace" || dropped === true) break;
    const before: number = restoredFrom ?? next.version;
    [next] = await store.read((transaction) =>
      listAssetVersions(transaction, { project, asset: of.asset, before, limit: 1 }),
    );
  }
  return files;
}

/**
 * Empties a dataset and no longer lists it. Its versions stay readable, for lineage; made again, it starts anew.
 *
 * @param needs steps and feature views of the project that make or read it, in words
 * @throws DATA_DATASET_MISSING, DATA_DATASET_NEEDED with names
 */
export async function dropDataset(
  dependencies: DatasetChangeDependencies,
  request: DatasetChange & { readonly needs: readonly string[] },
): Promise<{ readonly versions: number }> {
  const { store, datasets, clock, project } = dependencies;
  const { dataset, actor } = request;
  const latest = await store.read((transaction) => getAssetVersion(transaction, { project, asset: dataset }));
  if (latest === undefined || (latest.kind !== "data" && latest.kind !== "features"))
    throw datasetMissing({ dataset, version: undefined });
  await store.read((transaction) => assertNotNeeded(transaction, { project, dataset, needs: request.needs }));
  const operation = { project, asset: dataset, operationId: `drop:${newId(clock.now())}` };
  const made = await datasets.write({
    ...operation,
    kind: latest.kind,
    disposition: "replace",
    select: "",
    state: "dropped",
    provenance: { dropped: true, actor },
    content: { dropped: true },
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  const atMs = clock.now();
  return store.write(async (transaction) => {
    await assertNotNeeded(transaction, { project, dataset, needs: request.needs });
    await datasets.settle(transaction, operation);
    const { version } = await recordAssetVersion(transaction, { project, madeAtMs: atMs, actor, inputs: [], ...made });
    if (!(await dropAsset(transaction, { project, asset: dataset, atMs })))
      throw datasetMissing({ dataset, version: undefined });
    await clearCapturedFiles(transaction, { project, dataset });
    await clearIntervals(transaction, { project, dataset });
    const open = await listOpenQuarantine(transaction, { project, dataset });
    await closeQuarantine(transaction, {
      batchIds: open.map(({ id }) => id),
      as: "discarded",
      actor,
      reason: "the dataset was dropped",
      atMs,
    });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "dataset.dropped",
      subjectKind: "asset",
      subject: dataset,
      actor,
      data: { version: version.version },
    });
    return { versions: version.version };
  });
}

async function assertNotNeeded(
  transaction: ReadTransaction,
  {
    project,
    dataset,
    needs,
  }: { readonly project: string; readonly dataset: string; readonly needs: readonly string[] },
): Promise<void> {
  const { models, releases } = await listDependents(transaction, { project, asset: dataset });
  const all = [
    ...needs,
    ...models.map((name) => `registered model ${name} was made of it`),
    ...releases.map((name) => `release ${name} was made of it`),
  ];
  if (all.length > 0) throw datasetNeeded({ dataset, needs: all });
}

/**
 * Notes that the next capture reads files again: `all` makes the dataset anew from the files that are there.
 *
 * @param request.exists tells whether a file of the ledger is still there
 * @throws DATA_CAPTURE_FILE_UNKNOWN, DATA_DATASET_MISSING
 */
export async function askForCapture(
  { store, clock, project }: Pick<DatasetChangeDependencies, "store" | "clock" | "project">,
  request: {
    readonly dataset: string;
    readonly actor: string;
    readonly files: readonly string[] | "all";
    readonly exists: (path: string) => Promise<boolean>;
  },
): Promise<{ readonly files: readonly string[] }> {
  const { dataset, actor, files } = request;
  const ledger = await readLedger(store, { project, dataset });
  if (ledger.length === 0) throw datasetMissing({ dataset, version: undefined });
  const known = [...new Set(ledger.map(({ path }) => path))].sort();
  const wanted = files === "all" ? known : files;
  const digests: string[] = [];
  for (const path of wanted) {
    const entries = ledger.filter((entry) => entry.path === path).sort((left, right) => right.atMs - left.atMs);
    const [newest] = entries;
    if (newest === undefined) throw captureFileUnknown({ dataset, path, reason: "it was not captured", known });
    if (files !== "all" && !(await request.exists(path)))
      throw captureFileUnknown({ dataset, path, reason: "it is not there any more", known: [] });
    digests.push(...(files === "all" ? entries.map(({ digest }) => digest) : [newest.digest]));
  }
  const atMs = clock.now();
  await store.write(async (transaction) => {
    await setCapturedFileState(transaction, { project, dataset, digests, state: files === "all" ? "anew" : "again" });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "dataset.capture_asked",
      subjectKind: "asset",
      subject: dataset,
      actor,
      data: { files: files === "all" ? "all" : wanted.slice(0, 100) },
    });
  });
  return { files: wanted };
}
