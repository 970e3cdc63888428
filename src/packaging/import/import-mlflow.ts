import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Clock, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  importExperiment,
  importLoggedModel,
  importRegisteredModel,
  importRun,
  type LeftBehind,
  type MlflowSource,
  openMlflowDatabase,
  type SourceExperiment,
  type SourceRun,
} from "#metadata-store/import";
import { logMetrics, type MetricPoint, type RunInfo } from "#metadata-store/tracking";
import { appendPath, type ArtifactFolder } from "#tracking";
import { type ArtifactCounts, copyArtifacts, isLocal, newArtifactCounts, sourceFolder } from "./imported-artifacts.ts";
import { openMlflowFolder } from "./mlflow-folder.ts";

const RUNS_PER_WRITE = 50;
const POINTS_PER_WRITE = 10_000;

export interface ImportOptions {
  /**
   * The other server's `--backend-store-uri`: `sqlite:///mlflow.db` or its path, `postgresql://…`, or the folder
   * `mlruns`.
   */
  readonly from: string;
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly artifacts: ArtifactFolder;
  /** Root of the locations that copied artifacts get; one that `artifacts` holds. Default: `mlflow-artifacts:/`. */
  readonly artifactRoot?: string;
  readonly project?: string;
  readonly actor?: string;
  /**
   * What `mlflow-artifacts:/` meant there (`--artifacts-destination`). Default: `mlartifacts` or `mlruns` beside the
   * store, where there is one.
   */
  readonly artifactsFrom?: string;
  /** `copy` (default): files that lie on this machine are copied; `reference`: all locations stay as they are. */
  readonly artifactMode?: "copy" | "reference";
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ImportProgress {
  readonly stage: "experiments" | "runs" | "logged models" | "registered models";
  /** Name of the experiment or model that was finished last. */
  readonly subject: string;
  readonly done: number;
  /** Unknown while it is counted on the way. */
  readonly total: number | undefined;
}

/** What an import took over; `new` ones were not here before. */
export interface ImportReport {
  readonly from: string;
  readonly experiments: { readonly total: number; readonly new: number };
  readonly runs: { readonly total: number; readonly new: number };
  /** Points read; those that were here already are kept once. */
  readonly metricPoints: number;
  readonly loggedModels: { readonly total: number; readonly new: number };
  readonly registeredModels: { readonly total: number; readonly new: number };
  readonly modelVersions: { readonly new: number };
  readonly aliases: { readonly new: number };
  readonly artifacts: Readonly<ArtifactCounts>;
  /** What could not be taken, and why. */
  readonly leftBehind: readonly LeftBehind[];
}

type Mutable<Type> = {
  -readonly [Key in keyof Type]: Type[Key] extends
    | { readonly total: number; readonly new: number }
    | { readonly new: number }
    ? { -readonly [Inner in keyof Type[Key]]: Type[Key][Inner] }
    : Type[Key];
};

interface Importing extends ImportOptions {
  readonly artifactRoot: string;
  readonly source: MlflowSource;
  readonly proxyFolder: string | undefined;
  /** Folder that relative locations start from. */
  readonly base: string;
  readonly counts: ArtifactCounts;
  readonly report: Mutable<ImportReport>;
  /** Old and new location of each run and logged model whose files were copied. */
  readonly moved: Map<string, string>;
  paramConflicts: number;
  versionConflicts: number;
}

/**
 * Takes over the store of an MLflow server: experiments, runs with params, tags, inputs and the whole history of
 * metrics, logged models, registered models with versions, tags, stages and aliases, and the artifacts.
 *
 * Run ids, version numbers and times stay as they are; experiments are matched by name and get ids of this store. Can
 * be repeated: what is here is brought up to date, nothing is doubled, and versions and aliases that are here stay. The
 * other store is only read; it may be in use.
 *
 * @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE
 */
export async function importMlflow(options: ImportOptions): Promise<ImportReport> {
  const folder = options.from.replace(/^file:\/\//, "");
  const isFolder = existsSync(folder) && statSync(folder).isDirectory();
  const source = isFolder ? await openMlflowFolder(resolve(folder)) : await openMlflowDatabase(options.from);
  try {
    const base = source.address.startsWith("postgres") ? resolve(".") : dirname(resolve(source.address));
    const counts = newArtifactCounts();
    const report: Mutable<ImportReport> = {
      from: source.address,
      experiments: { total: 0, new: 0 },
      runs: { total: 0, new: 0 },
      metricPoints: 0,
      loggedModels: { total: 0, new: 0 },
      registeredModels: { total: 0, new: 0 },
      modelVersions: { new: 0 },
      aliases: { new: 0 },
      artifacts: counts,
      leftBehind: await source.leftBehind(),
    };
    const importing: Importing = {
      ...options,
      artifactRoot: options.artifactRoot ?? "mlflow-artifacts:/",
      source,
      base,
      counts,
      report,
      proxyFolder: options.artifactsFrom ?? findProxyFolder(base),
      moved: new Map(),
      paramConflicts: 0,
      versionConflicts: 0,
    };
    const experiments = await source.experiments();
    for (const experiment of experiments) {
      await takeExperiment(importing, experiment);
      report.experiments.total++;
      options.onProgress?.({
        stage: "experiments",
        subject: experiment.name,
        done: report.experiments.total,
        total: experiments.length,
      });
    }
    await takeRegisteredModels(importing);
    return { ...report, leftBehind: [...report.leftBehind, ...problems(importing)] };
  } finally {
    await source.close();
  }
}

function findProxyFolder(base: string): string | undefined {
  return ["mlartifacts", "mlruns"].map((name) => join(base, name)).find((folder) => existsSync(folder));
}

async function takeExperiment(importing: Importing, experiment: SourceExperiment): Promise<void> {
  const { store, clock, source, report } = importing;
  const moves = importing.artifactMode !== "reference" && isLocal(experiment.artifactLocation);
  const { experimentId, created } = await store.write((transaction) =>
    importExperiment(transaction, {
      ...who(importing),
      experiment,
      location: (id) => (moves ? appendPath(importing.artifactRoot, String(id)) : experiment.artifactLocation),
      atMs: clock.now(),
    }),
  );
  if (created) report.experiments.new++;
  for await (const page of source.loggedModels(experiment.id)) {
    for (const model of page) {
      const artifactUri = await takeArtifacts(importing, model.artifactUri, [
        String(experimentId),
        "models",
        model.id,
        "artifacts",
      ]);
      const { created: isNew } = await store.write((transaction) =>
        importLoggedModel(transaction, { ...who(importing), model, experimentId, artifactUri, atMs: clock.now() }),
      );
      report.loggedModels.total++;
      if (isNew) report.loggedModels.new++;
    }
  }
  for await (const page of source.runs(experiment.id)) {
    for (let start = 0; start < page.length; start += RUNS_PER_WRITE)
      await takeRuns(importing, experiment.id, experimentId, page.slice(start, start + RUNS_PER_WRITE));
    importing.onProgress?.({ stage: "runs", subject: experiment.name, done: report.runs.total, total: undefined });
  }
}

async function takeRuns(
  importing: Importing,
  sourceExperimentId: string,
  experimentId: number,
  runs: readonly SourceRun[],
): Promise<void> {
  const { store, clock, source, report } = importing;
  importing.signal?.throwIfAborted();
  const placed: { readonly run: SourceRun; readonly artifactUri: string }[] = [];
  for (const run of runs)
    placed.push({
      run,
      artifactUri: await takeArtifacts(importing, run.artifactUri, [String(experimentId), run.runId, "artifacts"]),
    });
  const taken = await store.write(async (transaction) => {
    const written: { run: RunInfo; created: boolean; paramConflicts: number }[] = [];
    for (const { run, artifactUri } of placed)
      written.push(
        await importRun(transaction, { ...who(importing), run, experimentId, artifactUri, atMs: clock.now() }),
      );
    return written;
  });
  const waiting = collectPoints(importing);
  for (const { run, created, paramConflicts } of taken) {
    report.runs.total++;
    if (created) report.runs.new++;
    importing.paramConflicts += paramConflicts;
    for await (const points of source.metrics(sourceExperimentId, run.runId)) await waiting.add(run.number, points);
  }
  await waiting.flush();
}

/** Metric points of several runs in one transaction: a commit costs more than a few thousand rows. */
function collectPoints({ store, clock, report }: Importing): {
  add(run: number, points: readonly MetricPoint[]): Promise<void>;
  flush(): Promise<void>;
} {
  let batch: { readonly run: number; readonly points: readonly MetricPoint[] }[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    const written = batch;
    [batch, count] = [[], 0];
    if (written.length === 0) return;
    await store.write(async (transaction) => {
      for (const { run, points } of written) await logMetrics(transaction, run, points, clock.now());
    });
  };
  return {
    flush,
    async add(run, points) {
      batch.push({ run, points });
      count += points.length;
      report.metricPoints += points.length;
      if (count >= POINTS_PER_WRITE) await flush();
    },
  };
}

/** Copies what lies at a location and says where it is from now on. */
async function takeArtifacts(importing: Importing, location: string, segments: readonly string[]): Promise<string> {
  const { counts, artifacts, proxyFolder, base } = importing;
  if (importing.artifactMode === "reference" || !isLocal(location)) {
    counts.referenced++;
    return location;
  }
  const here = appendPath(importing.artifactRoot, ...segments);
  const held = artifacts.at(here);
  const from = sourceFolder(location, proxyFolder, base);
  if (from === undefined) counts.missing++;
  else await copyArtifacts(from, held, counts);
  importing.moved.set(location.replace(/\/+$/, ""), here);
  return here;
}

async function takeRegisteredModels(importing: Importing): Promise<void> {
  const { store, clock, source, report, log } = importing;
  for await (const model of source.registeredModels()) {
    try {
      const { created, versions, aliases, conflicts } = await store.write((transaction) =>
        importRegisteredModel(transaction, {
          ...who(importing),
          model,
          locate: (location) => locate(importing, location),
          atMs: clock.now(),
        }),
      );
      report.registeredModels.total++;
      if (created) report.registeredModels.new++;
      report.modelVersions.new += versions;
      report.aliases.new += aliases;
      importing.versionConflicts += conflicts;
      importing.onProgress?.({
        stage: "registered models",
        subject: model.name,
        done: report.registeredModels.total,
        total: undefined,
      });
    } catch (error) {
      log.error("a registered model could not be imported", { model: model.name, error: messageOf(error) });
      throw error;
    }
  }
}

/** The new place of what lay below the old place of a run or a logged model. */
function locate({ moved }: Importing, location: string): string {
  for (let end = location.length; end > 0; end = location.lastIndexOf("/", end - 1)) {
    const here = moved.get(location.slice(0, end));
    if (here !== undefined) return `${here}${location.slice(end)}`;
  }
  return location;
}

function who({ project, actor }: Importing): { readonly project: string; readonly actor: string } {
  return { project: project ?? "default", actor: actor ?? "import" };
}

function problems({ counts, paramConflicts, versionConflicts, proxyFolder }: Importing): readonly LeftBehind[] {
  const found: LeftBehind[] = [];
  if (counts.missing > 0) {
    const hint = proxyFolder === undefined ? "; name the old server's artifact folder with --artifacts" : "";
    found.push({
      what: "artifact folders",
      count: counts.missing,
      reason: `they are not on this machine, or were never written${hint}`,
    });
  }
  if (counts.skipped > 0)
    found.push({ what: "artifact files", count: counts.skipped, reason: "links, sockets and devices are not copied" });
  if (paramConflicts > 0)
    found.push({
      what: "params",
      count: paramConflicts,
      reason: "the run has another value here, and params are written once",
    });
  if (versionConflicts > 0)
    found.push({
      what: "model versions",
      count: versionConflicts,
      reason: "their number is taken here by another version of a model with the same name",
    });
  return found;
}
