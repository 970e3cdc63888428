import type { CodeStation, CodeStationName, Release, Station } from "#api";
import type { Platform } from "#app";
import { listVersionHeads, type ReadTransaction, sumAssets } from "#metadata-store";
import { findLatestStepRuns, type LatestStepRun, listPipelineRuns } from "#metadata-store/engine";
import { releaseSubject } from "./station-subjects.ts";

const SHORT_COMMIT = 10;
const CODE_STATIONS = ["check", "build", "release"] as const;

/** Commit, check, build, release of a project that has steps about code; undefined for one that has none. */
export async function readCodeLane(
  transaction: ReadTransaction,
  platform: Platform,
  facts: { readonly releases: readonly Release[]; readonly stateOf: (run: LatestStepRun) => Station["state"] },
): Promise<readonly CodeStation[] | undefined> {
  const { project } = platform;
  const steps = platform
    .stationedSteps()
    .filter(({ station }) => (CODE_STATIONS as readonly string[]).includes(station));
  if (steps.length === 0) return undefined;
  const { newestId } = await sumAssets(transaction, { project, kind: "code" });
  const built = newestId === undefined ? undefined : (await listVersionHeads(transaction, [newestId])).get(newestId);
  const latest = await findLatestStepRuns(transaction, { project, steps });
  const released = facts.releases.find((release) =>
    release.items.some(({ kind, asset }) => kind === "code" && asset === release.asset),
  );
  const live: Partial<Record<CodeStationName, Partial<CodeStation>>> = {
    build: built === undefined ? {} : { subject: built.asset, subjectVersion: built.version },
    release: releaseSubject(released),
  };
  const stations: CodeStation[] = [
    await readCommit(transaction, project, [...new Set(steps.map(({ pipeline }) => pipeline))]),
  ];
  for (const name of CODE_STATIONS) {
    const own = steps.filter(({ station }) => station === name);
    const runs = latest.filter((run) =>
      own.some(({ pipeline, step }) => run.pipeline === pipeline && run.step === step),
    );
    stations.push({ name, ...toCodeStation(own.length, runs, { live: live[name] ?? {}, stateOf: facts.stateOf }) });
  }
  return stations;
}

/** The commit that the newest run of a code pipeline works on. */
async function readCommit(
  transaction: ReadTransaction,
  project: string,
  pipelines: readonly string[],
): Promise<CodeStation> {
  const runs = (
    await Promise.all(pipelines.map((pipeline) => listPipelineRuns(transaction, { project, pipeline, limit: 20 })))
  ).flat();
  const run = runs
    .filter(({ source }) => source?.commit !== undefined)
    .toSorted((left, right) => (left.id < right.id ? 1 : -1))[0];
  if (run === undefined) return { name: "commit", state: "empty" };
  return {
    name: "commit",
    state: "succeeded",
    subject: run.source?.commit?.slice(0, SHORT_COMMIT),
    pipeline: run.pipeline,
    pipelineRunId: run.id,
    lastAtMs: run.createdAtMs,
  };
}

function toCodeStation(
  stepCount: number,
  runs: readonly LatestStepRun[],
  facts: { readonly live: Partial<CodeStation>; readonly stateOf: (run: LatestStepRun) => Station["state"] },
): Omit<CodeStation, "name"> {
  const latest = runs.toSorted((left, right) => (left.id < right.id ? 1 : -1));
  const shown =
    latest.find(({ status }) => status === "running") ??
    latest.find(({ status }) => status === "waiting") ??
    latest.find(({ status }) => status === "failed") ??
    latest[0];
  if (shown === undefined) return { state: stepCount === 0 ? "empty" : "idle", ...facts.live };
  const state = facts.stateOf(shown);
  const isNow = state === "running" || state === "waiting" || state === "failed" || facts.live.subject === undefined;
  return {
    state,
    ...(isNow ? { subject: shown.step } : facts.live),
    pipeline: shown.pipeline,
    stepRunId: shown.id,
    pipelineRunId: shown.pipelineRunId,
    lastAtMs: shown.finishedAtMs ?? shown.startedAtMs ?? shown.queuedAtMs,
  };
}
