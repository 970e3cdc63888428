import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { type Clock, type Digest, newId, silentLog, systemClock } from "#base";
import {
  type Analytics,
  type CaptureDeclaration,
  type CaptureKindDependencies,
  createAnalytics,
  createCaptureKind,
  createDatasets,
  createPublishKind,
  createSqlKind,
  type Datasets,
  type PublishDeclaration,
  type SqlDeclaration,
} from "#data";
import {
  type AssetKind,
  type AssetVersion,
  getAssetVersion,
  type MetadataStore,
  recordAssetVersion,
  type StoreKind,
} from "#metadata-store";
import { listQuarantineBatches, type QuarantineBatch } from "#metadata-store/data";
import { type Blobs, createFileSystemFiles } from "#storage";
import type { AnalysisContext, AttemptContext, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { runProcess } from "../setup/attempt.ts";
import { openTestStore } from "../setup/stores.ts";

export type Succeeded = Extract<StepOutcome, { status: "succeeded" }>;

/** A project folder with real stores, in which single steps are analysed and run as the engine does. */
export interface DataProject {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly clock: Clock;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly address: string;
  readonly storeFolder: string;
  readonly folder: string;
  readonly logged: readonly string[];
  readonly capture: StepKind<CaptureDeclaration>;
  readonly sql: StepKind<SqlDeclaration>;
  readonly publish: StepKind<PublishDeclaration>;
  write(path: string, text: string): Promise<void>;
  analyse<D>(kind: StepKind<D>, declaration: D, step: string, known?: Record<string, AssetKind>): Promise<StepAnalysis>;
  preview<D>(
    kind: StepKind<D>,
    declaration: unknown,
    step: string,
    known?: Record<string, AssetKind>,
  ): Promise<string | undefined>;
  attempt<D>(
    kind: StepKind<D>,
    declaration: D,
    stepRunId: string,
    step?: string,
    inputs?: readonly string[],
  ): Promise<Succeeded>;
  record(outcome: Succeeded): Promise<AssetVersion[]>;
  run<D>(
    kind: StepKind<D>,
    declaration: D,
    step?: string,
    inputs?: readonly string[],
  ): Promise<{ readonly outcome: Succeeded; readonly versions: AssetVersion[] }>;
  runCapture(
    declaration: CaptureDeclaration,
    step?: string,
  ): Promise<{ readonly outcome: Succeeded; readonly versions: AssetVersion[] }>;
  rows(version: AssetVersion | undefined, sql: string): Promise<readonly Record<string, unknown>[]>;
  batches(dataset?: string): Promise<readonly QuarantineBatch[]>;
  held(batch: QuarantineBatch | undefined): Promise<readonly Record<string, unknown>[]>;
}

export async function openDataProject(
  storeKind: StoreKind,
  options: {
    readonly captureFolders?: (storeFolder: string) => readonly string[];
    readonly captureHosts?: readonly string[];
    readonly secret?: (name: string) => string | undefined;
    readonly taps?: CaptureKindDependencies["taps"];
    /** Of the steps; what is written has the time of the machine. */
    readonly clock?: Clock;
  } = {},
): Promise<DataProject> {
  const { store, objects, folder: storeFolder, address } = await openTestStore(storeKind);
  const folder = join(storeFolder, "project");
  const analytics = createAnalytics({ folder: join(storeFolder, "spill"), threads: 2 });
  after(() => analytics.close());
  const files = createFileSystemFiles({ root: join(storeFolder, "datasets") });
  const datasets = createDatasets({
    store,
    objects,
    files,
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const parts = { store, objects, analytics, datasets, clock: options.clock ?? systemClock };
  const capture = createCaptureKind({
    ...parts,
    files,
    captureFolders: options.captureFolders?.(storeFolder) ?? [],
    captureHosts: options.captureHosts ?? [],
    taps: options.taps ?? { run: () => Promise.reject(new Error("no tap is captured here")) },
    ...(options.secret === undefined ? {} : { secret: options.secret }),
  });
  const logged: string[] = [];
  await mkdir(folder);
  await mkdir(join(storeFolder, "work"));

  const attempt: DataProject["attempt"] = async (kind, declaration, stepRunId, ...[step = "d", inputs = []]) => {
    const versions = new Map<string, AssetVersion>();
    for (const asset of inputs) {
      const version = await store.read((transaction) => getAssetVersion(transaction, { project: "p", asset }));
      assert.ok(version);
      versions.set(asset, version);
    }
    const workFolder = join(storeFolder, "work", newId());
    await mkdir(workFolder);
    const { signal } = new AbortController();
    const log = (text: string): void => void logged.push(text);
    const context = {
      declaration: kind.schema.parse(declaration),
      project: "p",
      projectFolder: folder,
      pipeline: "x",
      step,
      pipelineRunId: "r",
      stepRunId,
      attemptId: newId(),
      attemptNumber: 1,
      actor: "me",
      commit: undefined,
      params: {},
      inputs: versions,
      workFolder,
      signal,
      log,
      runProcess: (spec) => runProcess(spec, { signal, running: new Set(), log: (_, text) => log(text) }),
      progress: () => {},
      operatorLog: silentLog,
    } as Partial<AttemptContext<unknown>> as unknown as AttemptContext<typeof declaration>;
    const outcome = await kind.execute(context);
    assert.equal(outcome.status, "succeeded");
    return outcome as Succeeded;
  };
  const record: DataProject["record"] = async (outcome) => {
    const recorded = await store.write(async (transaction) => {
      const versions: AssetVersion[] = [];
      for (const made of outcome.made)
        versions.push(
          (await recordAssetVersion(transaction, { project: "p", madeAtMs: 1, actor: "engine", inputs: [], ...made }))
            .version,
        );
      await outcome.alsoWrite?.(transaction);
      return versions;
    });
    await outcome.afterwards?.();
    return recorded;
  };
  const run: DataProject["run"] = async (kind, declaration, step, inputs) => {
    const outcome = await attempt(kind, declaration, newId(), step, inputs);
    return { outcome, versions: await record(outcome) };
  };
  const contextOf = (step: string, known: Record<string, AssetKind>): AnalysisContext => ({
    project: "p",
    projectFolder: folder,
    step,
    knownAssets: new Map(Object.entries(known)),
    readFile: (path) => readFile(join(folder, path), "utf8").catch(() => undefined),
    glob: async () => ["sql/flights.sql", "sql/day.sql"],
  });
  return {
    ...parts,
    address,
    storeFolder,
    folder,
    logged,
    capture,
    sql: createSqlKind(parts),
    publish: createPublishKind(parts),
    attempt,
    record,
    run,
    async write(path, text) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    },
    analyse: (kind, declaration, step, known = {}) => kind.analyse(declaration, contextOf(step, known)),
    preview: async (kind, declaration, step, known = {}) =>
      kind.preview?.(kind.schema.parse(declaration), contextOf(step, known)),
    runCapture: (declaration, step) => run(capture, declaration, step),
    rows: async (version, sql) =>
      version === undefined
        ? []
        : (await datasets.query({ sql, tables: new Map([["d", version]]), limit: 50_000 })).rows,
    batches: (dataset = "d") =>
      store.read((transaction) => listQuarantineBatches(transaction, { project: "p", dataset })),
    held: async (batch) => {
      const connection = await analytics.connect();
      const path = await objects.localPath(batch?.objectDigest as Digest);
      return connection.rows(`select * from read_parquet('${path}')`);
    },
  };
}
