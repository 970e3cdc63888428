import { type Clock, isEsteiraError, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  listPurgeableExperiments,
  listPurgeableLoggedModels,
  listPurgeableRuns,
  type Purgeable,
  purgeExperiment,
  purgeLoggedModel,
  purgeRun,
} from "#metadata-store/purge";
import { type ArtifactFolder, artifactLocationForeign } from "#tracking";

const OLD_UPLOAD_MS = 24 * 3600 * 1000;

export interface PurgeOptions {
  readonly store: MetadataStore;
  readonly artifacts: ArtifactFolder;
  readonly clock: Clock;
  readonly log: Log;
  readonly project: string;
  readonly actor: string;
  /** What was deleted longer ago than this is removed for good; 0 removes all that is deleted. */
  readonly retentionMs: number;
  /** True: says what would go, removes nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** What went, or would go. */
export interface PurgeReport {
  readonly runs: number;
  readonly loggedModels: number;
  readonly experiments: number;
  /** Uploads that were never finished, older than a day. */
  readonly uploads: number;
  /** What was deleted but stays, because a registered model still uses its files. */
  readonly kept: readonly { readonly kind: "run" | "logged model"; readonly id: string; readonly usedBy: string }[];
  /** Locations that this server does not keep: their files stay where they are. */
  readonly foreign: number;
}

/** One kind of thing: how it is listed and removed. */
interface Sweep {
  readonly kind: "run" | "logged model" | "experiment";
  readonly list: typeof listPurgeableRuns;
  readonly purge: typeof purgeRun;
}

/**
 * Removes deleted runs, logged models and then experiments for good, with their artifacts, once their retention has
 * passed.
 *
 * What a registered model version was made from stays, however long ago it was deleted. Records go first, then files: a
 * process that dies in between leaves files that nothing names, never a run without its files. Can be repeated.
 */
export async function purgeDeleted(options: PurgeOptions): Promise<PurgeReport> {
  const runs = await sweep(options, { kind: "run", list: listPurgeableRuns, purge: purgeRun });
  const models = await sweep(options, {
    kind: "logged model",
    list: listPurgeableLoggedModels,
    purge: purgeLoggedModel,
  });
  const experiments = await sweep(options, {
    kind: "experiment",
    list: listPurgeableExperiments,
    purge: purgeExperiment,
  });
  return {
    runs: runs.gone,
    loggedModels: models.gone,
    experiments: experiments.gone,
    uploads: await sweepUploads(options),
    kept: [...runs.kept, ...models.kept],
    foreign: runs.foreign + models.foreign + experiments.foreign,
  };
}

async function sweep(
  options: PurgeOptions,
  { kind, list, purge }: Sweep,
): Promise<{ gone: number; foreign: number; kept: PurgeReport["kept"][number][] }> {
  const { store, clock, project, actor } = options;
  const beforeMs = clock.now() - options.retentionMs;
  const outcome = { gone: 0, foreign: 0, kept: [] as PurgeReport["kept"][number][] };
  for (let after: string | undefined; ;) {
    options.signal?.throwIfAborted();
    const page = await store.read((transaction) =>
      list(transaction, { beforeMs, ...(after === undefined ? {} : { after }) }),
    );
    for (const subject of page) {
      if (subject.usedBy !== undefined) {
        if (kind !== "experiment") outcome.kept.push({ kind, id: subject.id, usedBy: subject.usedBy });
        continue;
      }
      if (
        options.dryRun !== true &&
        !(await store.write((transaction) => purge(transaction, { subject, project, actor, atMs: clock.now() })))
      )
        continue;
      outcome.gone++;
      if (!(await removeFiles(options, kind, subject))) outcome.foreign++;
    }
    after = page.at(-1)?.id;
    if (after === undefined) return outcome;
  }
}

/** False when the files are not ours to remove. */
async function removeFiles(
  { artifacts, log, dryRun }: PurgeOptions,
  kind: Sweep["kind"],
  subject: Purgeable,
): Promise<boolean> {
  try {
    const { folder: holder, path } = artifacts.at(subject.artifactUri);
    // `<experiment>/<run>/artifacts`: the run's own folder goes with it.
    const folder = kind === "experiment" ? path : path.replace(/\/artifacts$/, "");
    const own = kind === "experiment" ? folder === subject.id : folder.endsWith(`/${subject.id}`);
    if (!own) return false;
    if (dryRun !== true) await holder.remove(folder);
    return true;
  } catch (error) {
    if (!isEsteiraError(error, artifactLocationForeign.code))
      log.warn("artifacts of something purged could not be removed", { id: subject.id, error: messageOf(error) });
    return false;
  }
}

async function sweepUploads({ artifacts, clock, dryRun }: PurgeOptions): Promise<number> {
  let count = 0;
  const places = new Map(artifacts.allFiles.map((files) => [files.place, files]));
  for (const files of places.values()) count += await files.removeUnfinished(clock.now() - OLD_UPLOAD_MS, { dryRun });
  return count;
}
