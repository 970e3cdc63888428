import type { Clock } from "#base";
import { createHash } from "node:crypto";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import type { KeyValue } from "#metadata-store/registry";
import {
  ATTEMPT_TAG,
  createExperiment,
  createRun,
  findExperiment,
  findRun,
  findRunOfAttempt,
  hydrateRuns,
  logDatasets,
  logParams,
  type Run,
  type RunDataset,
  type RunStatus,
  updateRun,
} from "#metadata-store/tracking";
import { appendPath } from "./artifact-uri.ts";
import { experimentNotActive, runMissing } from "./errors.ts";
import { truncate } from "./mlflow-rest/name-rules.ts";
import { artifactLocationOf } from "./mlflow-rest/tracking-call.ts";

/** What a run of a step is made from. */
export interface NewStepRun {
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly attemptId: string;
  /** User name, or `engine`. */
  readonly actor: string;
  /** Git commit of the project's code, when it is known. */
  readonly commit?: string;
  /** File that holds the step's code: a notebook, a script. */
  readonly source?: { readonly name: string; readonly kind: "NOTEBOOK" | "JOB" | "LOCAL" };
  /** Asset versions that the step reads. */
  readonly inputs: readonly {
    readonly name: string;
    readonly version: number;
    readonly digest: string;
    readonly context?: string;
  }[];
  readonly params: Readonly<Record<string, unknown>>;
  /** More tags, over those made here. */
  readonly tags?: Readonly<Record<string, string>>;
}

export interface OpenedRun {
  /** 32 hexadecimal digits. */
  readonly runId: string;
  /** An integer as text. */
  readonly experimentId: string;
  readonly artifactUri: string;
}

/** Experiments and runs for the program's own parts; MLflow's clients use the routes. */
export interface Tracking {
  /**
   * Opens the run of one attempt, in the experiment `<project>/<pipeline>`, with tags, params and inputs that say where
   * it came from.
   * Idempotent by attempt: the second call answers the same run.
   *
   * @throws TRACKING_EXPERIMENT_NOT_ACTIVE when the experiment was deleted
   */
  openRun(facts: NewStepRun): Promise<OpenedRun>;
  /**
   * Ends a run: `FINISHED`, `FAILED` or `KILLED`. A run that has ended keeps its end time. @throws TRACKING_RUN_MISSING
   */
  closeRun(runId: string, status: Extract<RunStatus, "FINISHED" | "FAILED" | "KILLED">): Promise<void>;
  /** Ends the run that an attempt had opened, as `KILLED`, when it is still running. */
  killRunOf(
    transaction: WriteTransaction,
    attempt: { readonly attemptId: string; readonly atMs: number },
  ): Promise<void>;
  /** A run with its latest metrics, params, tags and inputs; undefined when there is none. */
  getRun(runId: string): Promise<Run | undefined>;
  /**
   * The latest value of each metric: the greatest by (step, timestamp, value). NaN stays NaN. @throws
   * TRACKING_RUN_MISSING
   */
  latestMetrics(runId: string): Promise<ReadonlyMap<string, number>>;
}

export interface TrackingOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  /** As for the routes: `mlflow-artifacts:/` or another URI. */
  readonly artifactRoot: string;
}

/** Tracking for the engine. */
export function createTracking({ store, clock, artifactRoot }: TrackingOptions): Tracking {
  return {
    openRun: (facts) => store.write((transaction) => openRun(transaction, { facts, atMs: clock.now(), artifactRoot })),
    async closeRun(runId, status) {
      await store.write(async (transaction) => {
        const run = await findRun(transaction, runId);
        if (run === undefined) throw runMissing({ runId });
        const atMs = clock.now();
        await updateRun(transaction, {
          run,
          status,
          atMs,
          actor: "engine",
          ...(run.endTimeMs === undefined ? { endTimeMs: atMs } : {}),
        });
      });
    },
    async killRunOf(transaction, { attemptId, atMs }) {
      const run = await findRunOfAttempt(transaction, attemptId);
      if (run?.status === "RUNNING")
        await updateRun(transaction, { run, status: "KILLED", endTimeMs: atMs, atMs, actor: "engine" });
    },
    getRun: (runId) =>
      store.read(async (transaction) => {
        const info = await findRun(transaction, runId);
        return info === undefined ? undefined : (await hydrateRuns(transaction, [info]))[0];
      }),
    async latestMetrics(runId) {
      const run = await this.getRun(runId);
      if (run === undefined) throw runMissing({ runId });
      return new Map(run.metrics.map(({ key, value }) => [key, value]));
    },
  };
}

interface Opening {
  readonly facts: NewStepRun;
  readonly atMs: number;
  readonly artifactRoot: string;
}

const LONGEST_PARAM_VALUE = 6000;
const LONGEST_DIGEST = 36;

async function openRun(transaction: WriteTransaction, { facts, atMs, artifactRoot }: Opening): Promise<OpenedRun> {
  const known = await findRunOfAttempt(transaction, facts.attemptId);
  if (known !== undefined)
    return { runId: known.runId, experimentId: String(known.experimentId), artifactUri: known.artifactUri };
  const { experimentId, location } = await openExperiment(transaction, { facts, atMs, artifactRoot });
  // The same attempt has the same id, whichever process asks.
  const runId = createHash("sha256").update(`esteira/run/${facts.attemptId}`).digest("hex").slice(0, 32);
  const artifactUri = appendPath(location, runId, "artifacts");
  const { project, attemptId, pipelineRunId, actor } = facts;
  const run = await createRun(transaction, {
    runId,
    experimentId,
    project,
    runName: facts.step,
    userId: actor,
    startTimeMs: atMs,
    artifactUri,
    tags: tagsOf(facts),
    attemptId,
    pipelineRunId,
    atMs,
    actor,
  });
  const params = Object.entries(facts.params).map(([key, value]) => ({
    key,
    value: truncate(typeof value === "string" ? value : (JSON.stringify(value) ?? ""), LONGEST_PARAM_VALUE),
  }));
  await logParams(transaction, run.number, params, atMs);
  await logDatasets(
    transaction,
    run,
    facts.inputs.map((input) => toDataset(facts.project, input)),
    atMs,
  );
  return { runId, experimentId: String(experimentId), artifactUri };
}

async function openExperiment(
  transaction: WriteTransaction,
  { facts, atMs, artifactRoot }: Opening,
): Promise<{ readonly experimentId: number; readonly location: string }> {
  const name = `${facts.project}/${facts.pipeline}`;
  const known = await findExperiment(transaction, { name });
  if (known?.lifecycleStage === "deleted") throw experimentNotActive({ experimentId: String(known.experimentId) });
  if (known !== undefined)
    return { experimentId: known.experimentId, location: artifactLocationOf(known, artifactRoot) };
  const artifactLocation = (id: number): string => appendPath(artifactRoot, String(id));
  const tags = [
    { key: "esteira.project", value: facts.project },
    { key: "esteira.pipeline", value: facts.pipeline },
  ];
  const experimentId = await createExperiment(transaction, {
    project: facts.project,
    name,
    artifactLocation,
    tags,
    atMs,
    actor: facts.actor,
  });
  if (experimentId !== undefined) return { experimentId, location: artifactLocation(experimentId) };
  // Another process made it between the two statements.
  const other = await findExperiment(transaction, { name });
  if (other === undefined) throw experimentNotActive({ experimentId: name });
  return { experimentId: other.experimentId, location: artifactLocationOf(other, artifactRoot) };
}

function tagsOf(facts: NewStepRun): readonly KeyValue[] {
  const tags: Record<string, string | undefined> = {
    "mlflow.runName": facts.step,
    "mlflow.user": facts.actor,
    "mlflow.source.name": facts.source?.name ?? `${facts.pipeline}/${facts.step}`,
    "mlflow.source.type": facts.source?.kind ?? "JOB",
    "mlflow.source.git.commit": facts.commit,
    "esteira.project": facts.project,
    "esteira.pipeline": facts.pipeline,
    "esteira.step": facts.step,
    "esteira.pipeline_run": facts.pipelineRunId,
    "esteira.step_run": facts.stepRunId,
    [ATTEMPT_TAG]: facts.attemptId,
    ...Object.fromEntries(facts.inputs.map(({ name, version }) => [`esteira.input.${name}`, String(version)])),
    ...facts.tags,
  };
  return Object.entries(tags).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
}

/** MLflow's digests have at most 36 characters: the start of ours. The whole one stands in the source. */
function toDataset(project: string, input: NewStepRun["inputs"][number]): RunDataset {
  const { name, version, digest, context } = input;
  return {
    name,
    digest: digest.replace(/^sha256:/, "").slice(0, LONGEST_DIGEST),
    sourceType: "esteira",
    source: JSON.stringify({ project, asset: name, version, digest }),
    schema: undefined,
    profile: undefined,
    tags: [
      { key: "mlflow.data.context", value: context ?? "input" },
      { key: "esteira.version", value: String(version) },
    ],
  };
}
