import type {
  Approvals,
  DatasetSummary,
  EndpointDetail,
  FeatureViewSummary,
  Page,
  PipelineRunDetail,
  PipelineRunSummary,
  PredictionSummary,
} from "#api";
import type { ApiClient } from "./api-client.ts";
import type { Flight, SourceFiles } from "./source-files.ts";
import { historyWeeks, productionWeeks, type Week } from "./weeks.ts";

/**
 * A random sample of each week: an area under the curve of 10,000 rows has a standard error of 0.007, a quarter of the
 * drop that alerts.
 */
const ROWS_PER_WEEK = 10_000;
const ROWS_PER_REQUEST = 500;
const LATE_MINUTES = 15;
/** The feed's file of a week is there on Monday at six; flights before that are answered with what was known. */
const FILE_ARRIVES_MS = 6 * 3_600_000;
const POLL_MS = 150;
const LONGEST_RUN_MS = 20 * 60_000;
const ENDED = ["succeeded", "failed", "cancelled", "interrupted"];

export interface StoryOptions {
  readonly api: ApiClient;
  readonly files: SourceFiles;
  /** Token of the reviewer, who is not the author. */
  readonly reviewerToken: string;
  readonly say: (line: string) => void;
}

/** One week of production as it happened. */
export interface PlayedWeek {
  readonly week: string;
  readonly predictions: number;
  readonly modelVersion: number;
}

/**
 * Plays the cycle: January to March as history, April to June as production, week by week. Everything goes through the
 * HTTP API and the files, as people and feeds would; what is there already is not done again.
 */
export async function playCycle(options: StoryOptions): Promise<readonly PlayedWeek[]> {
  await deliverHistory(options);
  await trainAndDeploy(options);
  const played: PlayedWeek[] = [];
  for (const [index, week] of productionWeeks.entries()) {
    const previous = index === 0 ? undefined : productionWeeks[index - 1];
    played.push(await playWeek(options, week, previous));
  }
  const last = productionWeeks.at(-1);
  if (last !== undefined) await closeWeek(options, last);
  return played;
}

async function deliverHistory({ api, files, say }: StoryOptions): Promise<void> {
  say("January to March: 13 weekly files arrive, and one that somebody damaged");
  for (const week of historyWeeks) await files.deliver(week);
  await files.deliverDamaged();
  const run = await runPipeline(api, "flights");
  await featuresFollow(api);
  const captured = run.stepRuns.find(({ step }) => step === "raw_flights");
  const { items } = await api.get<Page<DatasetSummary>>("/api/v1/datasets");
  const raw = items.find(({ name }) => name === "raw_flights");
  say(
    `  raw_flights: ${count(raw?.rowCount)} rows in ${raw?.latestVersion ?? 0} versions, ${count(raw?.quarantinedCount)} rows in quarantine${captured?.cached === true ? " (nothing new)" : ""}`,
  );
}

async function trainAndDeploy(options: StoryOptions): Promise<void> {
  const { api, say } = options;
  const { items } = await api.get<Page<PipelineRunSummary>>("/api/v1/pipeline-runs?pipeline=delay&limit=1");
  if (items.length > 0 && (await liveEndpoint(api)) !== undefined) {
    say("The model is trained, approved and in production already");
    return;
  }
  say("Training set, notebook, test, registry …");
  const run = await runPipeline(api, "delay");
  say(`  ${describeRun(run)}`);
  await approveWaiting(options);
  await settle(options, run.id);
  const endpoint = await liveEndpoint(api);
  if (endpoint === undefined)
    throw new Error(
      `the model did not reach production: ${describeRun(await api.get<PipelineRunDetail>(`/api/v1/pipeline-runs/${run.id}`))}`,
    );
  say(`  in production: delay ${endpoint.modelVersion} at ${api.url}${endpoint.path}`);
}

/** A reviewer looks at what waits and approves the recipe: the digest, and nothing else. */
async function approveWaiting({ api, reviewerToken, say }: StoryOptions): Promise<void> {
  const { pending } = await api.get<Approvals>("/api/v1/approvals");
  for (const each of pending) {
    say(`  ${each.subject} waits for approval: ${each.digest.slice(0, 19)}… by ${each.author ?? "unknown"}`);
    await api.post(
      "/api/v1/approvals",
      {
        decision: "approved",
        subjectKind: each.subjectKind,
        digest: each.digest,
        environment: each.environment,
        comment: "cells read, no secrets, test rows untouched by training",
      },
      reviewerToken,
    );
    say("  a reviewer approves it");
  }
}

async function playWeek(options: StoryOptions, week: Week, previous: Week | undefined): Promise<PlayedWeek> {
  const { api, files, say } = options;
  const key = { fromMs: week.startMs, toMs: week.endMs };
  const known = await api.get<Page<PredictionSummary>>(
    `/api/v1/endpoints/production/delay/predictions?fromMs=${key.fromMs}&toMs=${key.toMs}&limit=1`,
  );
  const flights = (await files.sample(week, ROWS_PER_WEEK)).toSorted((left, right) => left.atMs - right.atMs);
  const fileArrivesMs = week.startMs + FILE_ARRIVES_MS;
  const early = previous === undefined ? [] : flights.filter(({ atMs }) => atMs < fileArrivesMs);
  const later = flights.filter(({ atMs }) => atMs >= fileArrivesMs);
  const [first] = known.items;
  if (first === undefined) await predict(api, early);
  if (previous !== undefined) await closeWeek(options, previous);
  if (first !== undefined)
    return { week: week.name, predictions: early.length + later.length, modelVersion: first.modelVersion };
  const endpoint = await liveEndpoint(api);
  await predict(api, later);
  say(`${week.name}  ${count(early.length + later.length)} flights answered by delay ${endpoint?.modelVersion ?? "?"}`);
  return { week: week.name, predictions: early.length + later.length, modelVersion: endpoint?.modelVersion ?? 0 };
}

/**
 * The week's file arrives: it is captured and transformed, its labels join the predictions, the week is judged, and
 * what an alert started runs to its end.
 */
async function closeWeek(options: StoryOptions, week: Week): Promise<void> {
  const { api, files, say } = options;
  await files.deliver(week);
  const unlabelled = await api.get<Page<PredictionSummary>>(
    `/api/v1/endpoints/production/delay/predictions?fromMs=${week.startMs}&toMs=${week.endMs}&labelled=no&limit=1`,
  );
  if (unlabelled.items.length === 0) return;
  await runPipeline(api, "flights");
  await featuresFollow(api);
  const flights = await files.sample(week, ROWS_PER_WEEK);
  const labels = flights.map(({ id, delay }) => ({
    entityKey: id,
    label: Number(delay > LATE_MINUTES),
    at: week.endMs + FILE_ARRIVES_MS,
  }));
  await api.post("/endpoints/production/delay/labels", { labels, until: week.endMs });
  const { alerts } = await api.post<{ alerts?: readonly { monitor: string }[] }>(
    "/endpoints/production/delay/evaluate",
    { until: week.endMs },
  );
  for (const { monitor } of alerts ?? []) say(`${week.name}  ALERT ${monitor}`);
  await waitForTriggered(options);
}

async function waitForTriggered(options: StoryOptions): Promise<void> {
  const { api, say } = options;
  const { items } = await api.get<Page<PipelineRunSummary>>("/api/v1/pipeline-runs?pipeline=delay&limit=20");
  for (const run of items.filter(({ status }) => !ENDED.includes(status))) {
    const ended = await settle(options, run.id);
    const endpoint = await liveEndpoint(api);
    say(
      `           trained again by itself: ${describeRun(ended)}; production runs delay ${endpoint?.modelVersion ?? "?"}`,
    );
  }
}

async function predict(api: ApiClient, flights: readonly Flight[]): Promise<void> {
  for (let start = 0; start < flights.length; start += ROWS_PER_REQUEST) {
    const batch = flights.slice(start, start + ROWS_PER_REQUEST);
    await api.post("/endpoints/production/delay/invocations", {
      dataframe_split: { columns: ["distance", "origin", "destination", "hour", "weekday"], data: batch.map(toRow) },
      ids: batch.map(({ id }) => id),
      at: batch.map(({ atMs }) => atMs),
    });
  }
}

/** What the caller knows at departure; the rest is read online. */
function toRow({ distance, origin, destination, atMs }: Flight): readonly (number | string)[] {
  const date = new Date(atMs);
  return [distance, origin, destination, date.getUTCHours(), date.getUTCDay() === 0 ? 7 : date.getUTCDay()];
}

/** Runs a pipeline and waits until it has ended, or waits for a person. */
async function runPipeline(api: ApiClient, pipeline: string): Promise<PipelineRunDetail> {
  const { id } = await api.post<{ id: string }>(`/api/v1/pipelines/${pipeline}/runs`, {});
  const run = await waitForRun(api, id, [...ENDED, "waiting"]);
  if (run.status === "failed" || run.status === "cancelled")
    throw new Error(`pipeline ${pipeline} ${describeRun(run)}`);
  return run;
}

async function settle(options: StoryOptions, id: string): Promise<PipelineRunDetail> {
  for (;;) {
    const run = await waitForRun(options.api, id, [...ENDED, "waiting"]);
    if (run.status !== "waiting") return run;
    await approveWaiting(options);
    await waitForRun(options.api, id, [...ENDED, "running", "queued"]);
  }
}

async function waitForRun(api: ApiClient, id: string, statuses: readonly string[]): Promise<PipelineRunDetail> {
  const until = Date.now() + LONGEST_RUN_MS;
  while (Date.now() < until) {
    const run = await api.get<PipelineRunDetail>(`/api/v1/pipeline-runs/${id}`);
    if (statuses.includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`pipeline run ${id} did not reach ${statuses.join(", ")} within ${LONGEST_RUN_MS / 60_000} minutes`);
}

/**
 * The week's features count from Monday at six. Here a week takes seconds, so the next flight waits until they are
 * online.
 */
async function featuresFollow(api: ApiClient): Promise<void> {
  const until = Date.now() + LONGEST_RUN_MS;
  while (Date.now() < until) {
    const { items } = await api.get<Page<FeatureViewSummary>>("/api/v1/feature-views");
    if (items.every(({ isCurrent }) => isCurrent)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("the online features did not follow their sources; the server's log says why");
}

async function liveEndpoint(api: ApiClient): Promise<EndpointDetail | undefined> {
  return api.get<EndpointDetail>("/api/v1/endpoints/production/delay").catch(() => undefined);
}

/** `delay 3 passed`, or what stands in its way. */
function describeRun(run: PipelineRunDetail): string {
  const made = run.stepRuns.flatMap((step) => step.made).find(({ kind }) => kind === "model");
  const name = made === undefined ? run.pipeline : `${made.asset} ${made.version}`;
  const failed = run.stepRuns.find(({ status }) => status === "failed");
  if (failed !== undefined) return `${name} failed in ${failed.step}: ${failed.error?.message ?? ""}`;
  return run.blocked === undefined
    ? `${name} ${run.status === "waiting" ? "passed its test" : "passed its test and took over"}`
    : `${name} held back: ${run.blocked}`;
}

function count(value: number | undefined): string {
  return (value ?? 0).toLocaleString("en-US");
}
