/** A project whose files are captured in this process, with plain DuckDB beside it. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId, silentLog, systemClock } from "#base";
import {
  type AnalyticsConnection,
  type CaptureKindDependencies,
  createAnalytics,
  createCaptureKind,
  createDatasets,
} from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import type { AttemptContext } from "#pipeline";

export interface CaptureProject {
  /** Temporary; everything is below it. */
  readonly folder: string;
  /** Where the captured files are. */
  readonly sources: string;
  /** Plain DuckDB, as the limit. */
  readonly raw: AnalyticsConnection;
  /** Captures files as a version of a dataset and records it; throws when other than `rows` rows are published. */
  capture(step: string, declaration: Readonly<Record<string, unknown>>, rows: number): Promise<void>;
  close(): Promise<void>;
}

/** @param outside what captures may read beside the project's files */
export async function openCaptureProject(
  outside: Pick<CaptureKindDependencies, "captureFolders" | "captureHosts" | "secret"> = {},
): Promise<CaptureProject> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const objects = createFileSystemBlobs(join(folder, "objects"));
  const analytics = createAnalytics({ folder: join(folder, "spill") });
  const parts = { store, objects, analytics, files: createFileSystemFiles({ root: join(folder, "datasets") }) };
  const datasets = createDatasets({ ...parts, clock: systemClock, log: silentLog });
  const kind = createCaptureKind({
    ...parts,
    datasets,
    taps: { run: () => Promise.reject(new Error("no tap is captured here")) },
    ...outside,
  });
  const [sources, work] = [join(folder, "project"), join(folder, "work")];
  await mkdir(sources);
  await mkdir(work);
  const raw = await analytics.connect();
  return {
    folder,
    sources,
    raw,
    async capture(step, declaration, rows) {
      const outcome = await kind.execute({
        declaration,
        project: "bench",
        projectFolder: sources,
        pipeline: "bench",
        step,
        pipelineRunId: "r",
        stepRunId: newId(),
        attemptId: newId(),
        attemptNumber: 1,
        actor: "bench",
        commit: undefined,
        params: {},
        inputs: new Map(),
        workFolder: work,
        signal: new AbortController().signal,
        log: () => {},
        progress: () => {},
        operatorLog: silentLog,
      } as unknown as AttemptContext<never>);
      if (outcome.status !== "succeeded" || outcome.facts?.["published"] !== rows)
        throw new Error(`captured ${JSON.stringify(outcome)}`);
      await store.write(async (transaction) => {
        await outcome.alsoWrite?.(transaction);
        for (const made of outcome.made)
          await recordAssetVersion(transaction, {
            project: "bench",
            madeAtMs: Date.now(),
            actor: "bench",
            inputs: [],
            ...made,
          });
      });
    },
    async close() {
      raw.close();
      analytics.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Cost {
  readonly seconds: number;
  /** Processor time of all threads. */
  readonly processorSeconds: number;
}

export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - start) / 1000, processorSeconds: (user + system) / 1e6 };
}

export function medianCost(costs: readonly Cost[]): Cost {
  return {
    seconds: median(costs.map(({ seconds }) => seconds)),
    processorSeconds: median(costs.map(({ processorSeconds }) => processorSeconds)),
  };
}

export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
