import { messageOf } from "#base";
import type { Expired, Garbage } from "#upkeep";
import type { StorePlatform } from "./platform.ts";
import { vacuumProjectDatasets } from "./vacuum-datasets.ts";

const DAY_MS = 24 * 3600_000;
const WEEK_MS = 7 * DAY_MS;

export interface Collected extends Garbage {
  /** Data files of datasets that no version reads. */
  readonly dataFiles: number;
  readonly dataBytes: number;
  readonly expired: Expired;
}

/**
 * Removes what nothing names: objects, data files, what was never finished; and what the project's retention keeps no
 * longer. Logs of steps that have ended leave the database for storage, however few. With `dryRun` says what would go;
 * retention then removes nothing and is not counted.
 *
 * @param request.ageMs what is younger stays
 */
export async function collectPlatformGarbage(
  platform: StorePlatform,
  request: {
    readonly ageMs: number;
    readonly dryRun: boolean;
    readonly actor: string;
    readonly signal: AbortSignal;
  },
): Promise<Collected> {
  const { applyRetention, collectGarbage } = await import("#upkeep");
  const { dryRun, actor, signal, ageMs } = request;
  const expired =
    dryRun || !platform.isProject
      ? { predictions: 0, logs: 0, versions: 0, runs: 0 }
      : (await applyRetention(await platform.whole(), { retention: platform.config.retention, actor, signal })).expired;
  if (!dryRun && platform.isProject) {
    const { sealLooseLogs } = await import("#engine");
    await sealLooseLogs(platform, platform.project);
  }
  const vacuumed = platform.isProject
    ? await vacuumProjectDatasets(await platform.whole(), { dryRun, signal, retentionMs: ageMs })
    : [];
  const histories = platform.isProject
    ? await (
        await platform.whole()
      ).predictions.vacuum({ project: platform.project, retentionMs: ageMs, dryRun, signal })
    : [];
  const removed = [...vacuumed, ...histories];
  const garbage = await collectGarbage(platform, { ageMs, dryRun, signal });
  return {
    ...garbage,
    dataFiles: removed.reduce((sum, { removed: files }) => sum + files.length, 0),
    dataBytes: removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    expired,
  };
}

/**
 * Applies the retention once a day while the platform runs, the first time some minutes after its start, and removes
 * the data files that only expired versions read.
 */
export function keepRetention(
  facts: Pick<StorePlatform, "store" | "clock" | "log" | "project" | "config" | "whole">,
  timing: { readonly firstMs?: number; readonly everyMs?: number } = {},
): () => Promise<void> {
  if (Object.values(facts.config.retention).every((each) => each === undefined)) return async () => undefined;
  const ended = new AbortController();
  let work: Promise<void> = Promise.resolve();
  const { log } = facts;
  const apply = (): void => {
    work = applyOnce(facts, ended.signal).catch((error: unknown) => {
      if (!ended.signal.aborted) log.warn("the retention could not be applied", { error: messageOf(error) });
    });
  };
  const first = setTimeout(apply, timing.firstMs ?? 300_000);
  const every = setInterval(apply, timing.everyMs ?? DAY_MS);
  first.unref();
  every.unref();
  return async () => {
    clearTimeout(first);
    clearInterval(every);
    ended.abort();
    await work;
  };
}

async function applyOnce(
  facts: Pick<StorePlatform, "store" | "clock" | "log" | "project" | "config" | "whole">,
  signal: AbortSignal,
): Promise<void> {
  const { applyRetention } = await import("#upkeep");
  const { retention } = facts.config;
  const { expired, datasets } = await applyRetention(await facts.whole(), {
    retention,
    actor: "engine",
    signal,
  });
  let dataBytes = 0;
  for (const dataset of datasets) {
    const vacuumed = await vacuumProjectDatasets(await facts.whole(), { dataset, dryRun: false, signal });
    dataBytes += vacuumed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }
  if (expired.predictions > 0) {
    const { predictions, project } = await facts.whole();
    const vacuumed = await predictions.vacuum({ project, retentionMs: WEEK_MS, dryRun: false, signal });
    dataBytes += vacuumed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }
  if (Object.values(expired).some((count) => count > 0))
    facts.log.info("removed what is kept no longer", { ...expired, dataBytes });
}
