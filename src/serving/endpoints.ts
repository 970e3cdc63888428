import { type Clock, type Log, type Metrics, messageOf, newId, systemClock } from "#base";
import type { SeenRequest } from "#monitoring";
import type { ArmObservation } from "#delivery";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import type { EndpointKey } from "#metadata-store/serving";
import { rowsTooMany } from "./errors.ts";
import { createEndpointStatistics, type VersionStatistics } from "./endpoint-statistics.ts";
import { createEndpointStreams, type StreamAnswer } from "./endpoint-streams.ts";
import { outcomeOf } from "./failure.ts";
import { createFeatureReader } from "./feature-reader.ts";
import { createLiveEndpoints, type EndpointProblem, type LiveEndpoint } from "./live-endpoints.ts";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";
import type { OnlineFeatures } from "./ports.ts";
import { joinOutputs, toPredictionRows } from "./prediction-part.ts";
import type { PredictionLog, TrialNote } from "./prediction-log.ts";
import { createPredictionMetrics } from "./prediction-metrics.ts";
import { exampleRequest, type RequestColumn, requestColumns } from "./request-columns.ts";
import type { RowSource } from "./row-source.ts";
import type { ModelOutput } from "./model-runtime.ts";
import { createArms, isUnderTrial } from "./arms.ts";
import { assignRows, chanceOf } from "./assignment.ts";

/** Features of one row that were not read as they are stored, by name. */
export type RowFeatures = Readonly<Record<string, "NULL_VALUE" | "NOT_FOUND" | "OUTSIDE_MAX_AGE" | "DEFAULT">>;

/** What became of the features that an endpoint reads for its rows. */
export interface FeatureReport {
  /** Inputs of the model that the feature service gives. */
  readonly names: readonly string[];
  readonly rows: readonly RowFeatures[];
  /** Those that each row brought itself. */
  readonly sent?: readonly (readonly string[])[];
}

/** Rows to predict. */
export interface PredictRequest {
  readonly source: RowSource;
  /** The caller's key of each row, by which labels find it later; also what a canary routes by. */
  readonly entityKeys?: readonly (string | undefined)[] | undefined;
  /** Event time of each row, epoch ms; default: now. */
  readonly atMs?: readonly number[] | undefined;
  readonly requestId?: string | undefined;
  /** A header of the call, by its lower-case name: with one a request may choose its version, or say who asks. */
  readonly header?: ((name: string) => string | undefined) | undefined;
  /** Default `refuse`. */
  readonly unknownColumns?: "refuse" | "ignore";
  readonly signal?: AbortSignal;
  /** Columns that are no inputs of the model and no mistake either: join keys, features of the service. */
  readonly allowedColumns?: ReadonlySet<string>;
  /** Inputs that a policy lets be null. */
  readonly nullableColumns?: ReadonlySet<string>;
  readonly features?: FeatureReport;
}

/** Predictions, durable when they are returned. */
export interface PredictAnswer {
  readonly requestId: string;
  /** One ULID per row. */
  readonly predictionIds: readonly string[];
  readonly output: ModelOutput;
  /** The stable model. */
  readonly model: LoadedModel;
  /** The candidate's version, and the rows it answered; undefined when it answered none. */
  readonly candidate: { readonly version: AssetVersion; readonly rows: readonly number[] } | undefined;
  /** Of an endpoint with a feature service. */
  readonly features: FeatureReport | undefined;
}

/** The endpoints that this process serves. */
export interface Endpoints {
  /**
   * Loads what is deployed and follows changes of the store. Resolves when the first load was tried; failures are
   * logged and tried again with the next change. Where other processes serve it does nothing.
   */
  start(): Promise<void>;
  /** Deployed endpoints whose model is not loaded; undefined until the first load was tried. */
  problems(): readonly EndpointProblem[] | undefined;
  /**
   * Predicts rows and logs them durably.
   *
   * @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY, SERVING_COLUMN_MISSING, SERVING_COLUMN_UNKNOWN,
   *   SERVING_INPUT_INVALID,
   * SERVING_ROWS_TOO_MANY, SERVING_QUEUE_FULL, SERVING_RUNTIME_FAILED, SERVING_RUNTIME_DIED,
   * METADATA_STORE_WRITE_FAILED
   */
  predict(key: EndpointKey, request: PredictRequest): Promise<PredictAnswer>;
  /**
   * Predicts one row in parts, of a model that has them; the log has the whole when the last part was given.
   *
   * @throws what `predict` throws, and SERVING_STREAM_UNSUPPORTED
   */
  stream(key: EndpointKey, request: PredictRequest): Promise<StreamAnswer>;
  /** The loaded stable model of an endpoint. @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY */
  model(key: EndpointKey): Promise<LoadedModel>;
  /** What a request may and must bring. @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY */
  columns(key: EndpointKey): Promise<readonly RequestColumn[]>;
  /** What the versions of an endpoint answered, in this process. */
  statistics(key: EndpointKey): readonly VersionStatistics[];
  /** A request that the endpoint accepts; undefined when none is known. */
  example(key: EndpointKey): ReturnType<typeof exampleRequest>;
  /**
   * Brings what is loaded in line with an endpoint's row in the store: the switch. Requests in flight finish on the
   * model they began with.
   */
  refresh(key: EndpointKey): Promise<void>;
  /**
   * Shadow predictions that were dropped because the shadow failed or fell behind; canary calls that fell back to the
   * stable version.
   */
  readonly counters: { readonly shadowDropped: number; readonly candidateFailed: number };
  /** Calls `see` after each request, whatever became of it, with how long it took. */
  onRequest(see: (key: EndpointKey, request: SeenRequest) => void): void;
  /** Calls `judge` after each request that a candidate could not answer, before the request is answered. */
  onCandidateFailure(judge: (key: EndpointKey) => Promise<void>): void;
  close(): Promise<void>;
}

export interface EndpointsOptions {
  readonly store: MetadataStore;
  readonly models: LoadedModels;
  readonly predictions: PredictionLog;
  readonly log: Log;
  readonly clock?: Clock;
  /** Needed by endpoints that name a feature service. */
  readonly features?: OnlineFeatures | undefined;
  readonly metrics?: Metrics | undefined;
  /** Default true. */
  readonly isServing?: boolean;
  /** Rows per request; default 50,000. */
  readonly maxRows?: number;
  /** How long an answer in parts may take, its reader included; default 15 minutes. */
  readonly longestStreamMs?: number | undefined;
}

/** Makes the endpoints of one process. Nothing is loaded before `start` or the first request. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { store, predictions, log, clock = systemClock, maxRows = 50_000 } = options;
  const live = createLiveEndpoints(options);
  const arms = createArms({ predictions, log, clock });
  const { counters, tryCandidate, runShadow } = arms;
  const enrich = createFeatureReader(options.features);
  const measured = createPredictionMetrics(options.metrics);
  const statistics = createEndpointStatistics(clock);
  let see: (key: EndpointKey, request: SeenRequest) => void = () => undefined;
  let judge: (key: EndpointKey) => Promise<void> = async () => undefined;
  let unsubscribe: (() => Promise<void>) | undefined;

  async function noteFailure(key: EndpointKey, modelVersion: number, rows: number): Promise<void> {
    measured?.armFailed(key, { arm: "candidate", modelVersion, rows });
    await judge(key).catch((error: unknown) =>
      log.error("a trial could not be judged", { endpoint: key.endpoint, error: messageOf(error) }),
    );
  }

  async function answer(current: LiveEndpoint, key: EndpointKey, request: PredictRequest): Promise<PredictAnswer> {
    const nowMs = clock.now();
    const startMs = clock.monotonic();
    const requestId = request.requestId ?? newId(nowMs);
    const predictionIds = Array.from({ length: request.source.rowCount }, () => newId(nowMs));
    const assigned = assignRows(current, request, requestId);
    const { part: trial, seen } = await tryCandidate(current, request, assigned);
    const { parts, stable } = await arms.answerRest(current, key, { trial, request, assigned });
    const taken = parts.find(({ arm }) => arm === "candidate");
    const output = joinOutputs(parts, request.source.rowCount);
    const ids = { requestId, predictionIds, nowMs, redact: current.endpoint.options.log?.redact };
    await predictions.append(
      parts.flatMap((part) =>
        toPredictionRows(part, key, request, { ...ids, chanceOf: (row) => chanceOf(assigned, part.arm, row) }),
      ),
      noteOf(current, key, [stable, seen]),
    );
    if (seen?.failure !== undefined) await noteFailure(key, current.candidate?.version.version ?? 0, seen.rows);
    const shadowed = shadowOf(current);
    if (shadowed !== undefined) {
      runShadow(current, shadowed, { request, given: output }, (part, shadow) =>
        predictions.append(part === undefined ? [] : toPredictionRows(part, key, request, ids), {
          key,
          observations: [shadow],
        }),
      );
    }
    const durationMs = clock.monotonic() - startMs;
    measured?.answered(key, { parts, features: request.features, durationMs });
    statistics.answered(key, { parts, durationMs });
    return {
      requestId,
      predictionIds,
      output,
      model: current.stable,
      features: request.features,
      candidate: taken === undefined ? undefined : { version: taken.model.version, rows: taken.rows },
    };
  }

  const parts = { live, arms, enrich, predictions, measured, statistics, clock, log };
  const stream = createEndpointStreams({
    ...parts,
    noteFailure,
    see: (key, request) => see(key, request),
    longestMs: options.longestStreamMs,
  });

  return {
    counters,
    onRequest(call) {
      see = call;
    },
    onCandidateFailure(call) {
      judge = call;
    },
    async start() {
      await live.refreshAll();
      if (options.isServing !== false) unsubscribe = followChanges(store, live, log);
    },
    problems: live.problems,
    predict(key, request) {
      if (request.source.rowCount > maxRows)
        return Promise.reject(rowsTooMany({ rows: request.source.rowCount, limit: maxRows }));
      const askedMs = clock.monotonic();
      const answered = live.use(key, async (current) => {
        const startMs = clock.monotonic();
        try {
          return await answer(current, key, await enrich(current.endpoint, current.stable.signature, request));
        } catch (error) {
          const durationMs = clock.monotonic() - startMs;
          measured?.failed(key, { error, durationMs });
          statistics.failed(key, { version: current.stable.version.version, durationMs });
          throw error;
        }
      });
      answered.then(
        () => see(key, { durationMs: clock.monotonic() - askedMs, outcome: "answered" }),
        (error: unknown) => see(key, { durationMs: clock.monotonic() - askedMs, outcome: outcomeOf(error) }),
      );
      return answered;
    },
    stream: async (key, request) => stream(key, request),
    model: (key) => live.use(key, (current) => Promise.resolve(current.stable)),
    columns: (key) => live.use(key, ({ endpoint, stable }) => requestColumns(endpoint, stable, options.features)),
    example: (key) => live.use(key, ({ endpoint, stable }) => exampleRequest(endpoint, stable, options.features)),
    statistics: (key) => statistics.of(key),
    refresh: live.refresh,
    async close() {
      await unsubscribe?.();
    },
  };
}

function shadowOf({ endpoint, candidate }: LiveEndpoint): LoadedModel | undefined {
  return endpoint.strategy.kind === "shadow" ? candidate : undefined;
}

/** What the arms of a trial did; undefined where nothing is tried. */
function noteOf(
  current: LiveEndpoint,
  key: EndpointKey,
  seen: readonly (ArmObservation | undefined)[],
): TrialNote | undefined {
  return isUnderTrial(current) ? { key, observations: seen.filter((each) => each !== undefined) } : undefined;
}

const QUIET_MS = 100;

/** Predictions change the store all the time; only a change of an endpoint's row is of interest. */
function followChanges(
  store: MetadataStore,
  live: Pick<ReturnType<typeof createLiveEndpoints>, "behind" | "refreshAll">,
  log: Log,
): () => Promise<void> {
  const following = mergeCalls(async () => {
    if (await live.behind()) await live.refreshAll();
  }, log);
  const stopHearing = store.onChange(following.call);
  return () => {
    stopHearing();
    return following.end();
  };
}

interface MergedCalls {
  readonly call: () => void;
  /** No work begins any more; resolves when the last has ended. */
  readonly end: () => Promise<void>;
}

/** Runs work once for the calls that arrive while it runs, and not more often than every 100 ms, until it is ended. */
function mergeCalls(work: () => Promise<void>, log: Log): MergedCalls {
  let wanted = false;
  let running = false;
  let isEnded = false;
  let working = Promise.resolve();
  async function loop(): Promise<void> {
    while (wanted && !isEnded) {
      wanted = false;
      working = work().catch((error: unknown) =>
        log.error("the endpoints could not be read", { error: messageOf(error) }),
      );
      await working;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS).unref());
    }
    running = false;
  }
  return {
    call: () => {
      wanted = true;
      if (running) return;
      running = true;
      void loop();
    },
    end: () => {
      isEnded = true;
      return working;
    },
  };
}
