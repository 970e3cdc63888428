import { type Clock, EsteiraError, type Log, messageOf, newId, systemClock } from "#base";
import type { AssetVersion, EndpointKey, MetadataStore } from "#metadata-store";
import { rowsTooMany } from "./errors.ts";
import { createFeatureReader } from "./feature-reader.ts";
import { createLiveEndpoints, type EndpointProblem, type LiveEndpoint } from "./live-endpoints.ts";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";
import type { OnlineFeatures } from "./ports.ts";
import { joinOutputs, type PredictionPart, runPart, toPredictionRows } from "./prediction-part.ts";
import type { PredictionLog } from "./prediction-log.ts";
import type { RowSource } from "./row-source.ts";
import type { ModelOutput } from "./runtime/onnx-messages.ts";
import { isCandidateUnit } from "./strategy.ts";
import { type ArmObservation, compareOutputs } from "./trial-figures.ts";

/** Rows to predict. */
export interface PredictRequest {
  readonly source: RowSource;
  /** The caller's key of each row, by which labels find it later; also what a canary routes by. */
  readonly entityKeys?: readonly (string | undefined)[] | undefined;
  /** Event time of each row, epoch ms; default: now. */
  readonly atMs?: readonly number[] | undefined;
  readonly requestId?: string | undefined;
  /** Default `refuse`. */
  readonly unknownColumns?: "refuse" | "ignore";
  readonly signal?: AbortSignal;
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
}

/** The endpoints that this process serves. */
export interface Endpoints {
  /** Loads what is deployed and follows changes of the store. Resolves when the first load was tried; failures are logged and tried again with the next change. */
  start(): Promise<void>;
  /** Deployed endpoints whose model is not loaded; undefined until the first load was tried. */
  problems(): readonly EndpointProblem[] | undefined;
  /**
   * Predicts rows and logs them durably.
   *
   * @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY, SERVING_COLUMN_MISSING, SERVING_COLUMN_UNKNOWN, SERVING_INPUT_INVALID,
   * SERVING_ROWS_TOO_MANY, SERVING_QUEUE_FULL, SERVING_RUNTIME_FAILED, SERVING_RUNTIME_DIED, METADATA_STORE_WRITE_FAILED
   */
  predict(key: EndpointKey, request: PredictRequest): Promise<PredictAnswer>;
  /** The loaded stable model of an endpoint. @throws SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY */
  model(key: EndpointKey): Promise<LoadedModel>;
  /** Brings what is loaded in line with an endpoint's row in the store: the switch. Requests in flight finish on the model they began with. */
  refresh(key: EndpointKey): Promise<void>;
  /** Shadow predictions that were dropped because the shadow failed or fell behind; canary calls that fell back to the stable version. */
  readonly counters: { readonly shadowDropped: number; readonly candidateFailed: number };
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
  /** Rows per request; default 50,000. */
  readonly maxRows?: number;
}

const SHADOW_QUEUE = 64;

/** Makes the endpoints of one process. Nothing is loaded before `start` or the first request. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { store, predictions, log, clock = systemClock, maxRows = 50_000 } = options;
  const live = createLiveEndpoints(options);
  const counters = { shadowDropped: 0, candidateFailed: 0 };
  const enrich = createFeatureReader(options.features);
  let shadows = 0;
  let judge: (key: EndpointKey) => Promise<void> = async () => undefined;
  let unsubscribe: (() => void) | undefined;

  /** What the candidate made of its rows, and the observation that it is judged by. */
  async function tryCandidate(current: LiveEndpoint, request: PredictRequest, requestId: string): Promise<{ readonly part?: PredictionPart; readonly seen?: ArmObservation }> {
    const rows = candidateRows(current, request, requestId);
    if (rows.length === 0 || current.candidate === undefined) return {};
    const startMs = clock.monotonic();
    try {
      const part = await runPart(current.candidate, "candidate", rows, request);
      return { part, seen: { arm: "candidate", rows: rows.length, durationMs: clock.monotonic() - startMs } };
    } catch (error) {
      // The caller must not pay for a trial: the stable version answers these rows too.
      counters.candidateFailed++;
      log.warn("a canary failed; the stable version answered", { endpoint: current.endpoint.name, error: messageOf(error) });
      return { seen: { arm: "candidate", rows: rows.length, failure: codeOf(error) } };
    }
  }

  /** The stable version's answer; while a trial goes on its failures are counted too, unless they are the caller's. */
  async function runStable(current: LiveEndpoint, key: EndpointKey, rows: readonly number[], request: PredictRequest): Promise<{ readonly part: PredictionPart; readonly seen: ArmObservation }> {
    const startMs = clock.monotonic();
    try {
      const part = await runPart(current.stable, "stable", rows, request);
      return { part, seen: { arm: "stable", rows: rows.length, durationMs: clock.monotonic() - startMs } };
    } catch (error) {
      if (isUnderTrial(current) && !(error instanceof EsteiraError && error.status < 500)) {
        await predictions.append([], { key, observations: [{ arm: "stable", rows: rows.length, failure: codeOf(error) }] }).catch((problem: unknown) => log.error("a failure could not be counted", { error: messageOf(problem) }));
      }
      throw error;
    }
  }

  /** After the answer is chosen: never delays, never fails the caller; what falls behind is dropped and counted. */
  function runShadow(candidate: LoadedModel, request: PredictRequest, given: ModelOutput, write: (rows: PredictionPart | undefined, seen: ArmObservation) => Promise<void>): void {
    if (shadows >= SHADOW_QUEUE) {
      counters.shadowDropped++;
      return;
    }
    shadows++;
    const startMs = clock.monotonic();
    const rows = request.source.rowCount;
    void runPart(candidate, "shadow", allRows(request.source), request)
      .then((part) => write(part, { arm: "shadow", rows, durationMs: clock.monotonic() - startMs, comparison: compareOutputs(given, part.output) }))
      .catch((error: unknown) => {
        counters.shadowDropped++;
        log.warn("a shadow prediction was dropped", { model: candidate.title, error: messageOf(error) });
        return write(undefined, { arm: "shadow", rows, failure: codeOf(error) });
      })
      .catch((error: unknown) => log.warn("a shadow's failure could not be counted", { error: messageOf(error) }))
      .finally(() => shadows--);
  }

  async function answer(current: LiveEndpoint, key: EndpointKey, request: PredictRequest): Promise<PredictAnswer> {
    const nowMs = clock.now();
    const requestId = request.requestId ?? newId(nowMs);
    const predictionIds = Array.from({ length: request.source.rowCount }, () => newId(nowMs));
    const { part: trial, seen } = await tryCandidate(current, request, requestId);
    const taken = new Set(trial?.rows);
    const rest = trial === undefined ? allRows(request.source) : allRows(request.source).filter((row) => !taken.has(row));
    const stable = rest.length > 0 || trial === undefined ? await runStable(current, key, rest, request) : undefined;
    const parts = [stable?.part, trial].filter((part) => part !== undefined);
    const output = joinOutputs(parts, request.source.rowCount);
    const ids = { requestId, predictionIds, nowMs };
    const note = isUnderTrial(current) ? { key, observations: [stable?.seen, seen].filter((each) => each !== undefined) } : undefined;
    await predictions.append(parts.flatMap((part) => toPredictionRows(part, key, request, ids)), note);
    if (seen?.failure !== undefined) await judge(key).catch((error: unknown) => log.error("a trial could not be judged", { endpoint: key.endpoint, error: messageOf(error) }));
    if (current.endpoint.strategy.kind === "shadow" && current.candidate !== undefined) {
      runShadow(current.candidate, request, output, (part, shadow) => predictions.append(part === undefined ? [] : toPredictionRows(part, key, request, ids), { key, observations: [shadow] }));
    }
    return {
      requestId,
      predictionIds,
      output,
      model: current.stable,
      candidate: trial === undefined ? undefined : { version: trial.model.version, rows: trial.rows },
    };
  }

  return {
    counters,
    onCandidateFailure(call) {
      judge = call;
    },
    async start() {
      await live.refreshAll();
      // Predictions change the store all the time; only a change of an endpoint's row is of interest.
      unsubscribe = store.onChange(
        mergeCalls(async () => {
          if (await live.behind()) await live.refreshAll();
        }, log),
      );
    },
    problems: live.problems,
    predict(key, request) {
      if (request.source.rowCount > maxRows) return Promise.reject(rowsTooMany({ rows: request.source.rowCount, limit: maxRows }));
      return live.use(key, async (current) => answer(current, key, await enrich(current.endpoint, current.stable.signature, request)));
    },
    model: (key) => live.use(key, (current) => Promise.resolve(current.stable)),
    refresh: live.refresh,
    async close() {
      unsubscribe?.();
    },
  };
}

function isUnderTrial({ endpoint, candidate }: LiveEndpoint): boolean {
  return endpoint.strategy.kind !== "direct" && candidate !== undefined;
}

function codeOf(error: unknown): string {
  return error instanceof EsteiraError ? error.code : "SERVING_REQUEST_FAILED";
}

function candidateRows(current: LiveEndpoint, request: PredictRequest, requestId: string): readonly number[] {
  const { strategy } = current.endpoint;
  const trial = current.candidate?.version.id;
  if (strategy.kind !== "canary" || trial === undefined) return [];
  return allRows(request.source).filter((row) => isCandidateUnit(trial, request.entityKeys?.[row] ?? requestId, strategy.percent));
}

function allRows(source: RowSource): number[] {
  return Array.from({ length: source.rowCount }, (_, row) => row);
}

const QUIET_MS = 100;

/** Runs work once for the calls that arrive while it runs, and not more often than every 100 ms. */
function mergeCalls(work: () => Promise<void>, log: Log): () => void {
  let wanted = false;
  let running = false;
  async function loop(): Promise<void> {
    while (wanted) {
      wanted = false;
      await work().catch((error: unknown) => log.error("the endpoints could not be read", { error: messageOf(error) }));
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS).unref());
    }
    running = false;
  }
  return () => {
    wanted = true;
    if (running) return;
    running = true;
    void loop();
  };
}
