import { type Clock, type Log, messageOf, newId, systemClock } from "#base";
import type { AssetVersion, EndpointKey, MetadataStore } from "#metadata-store";
import { rowsTooMany } from "./errors.ts";
import { createFeatureReader } from "./feature-reader.ts";
import { createLiveEndpoints, type EndpointProblem, type LiveEndpoint } from "./live-endpoints.ts";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";
import type { OnlineFeatures } from "./ports.ts";
import { joinOutputs, toPredictionRows } from "./prediction-part.ts";
import type { PredictionLog } from "./prediction-log.ts";
import type { RowSource } from "./row-source.ts";
import type { ModelOutput } from "./runtime/onnx-messages.ts";
import { allRows, createArms, isUnderTrial } from "./arms.ts";

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

/** Makes the endpoints of one process. Nothing is loaded before `start` or the first request. */
export function createEndpoints(options: EndpointsOptions): Endpoints {
  const { store, predictions, log, clock = systemClock, maxRows = 50_000 } = options;
  const live = createLiveEndpoints(options);
  const { counters, tryCandidate, runStable, runShadow } = createArms({ predictions, log, clock });
  const enrich = createFeatureReader(options.features);
  let judge: (key: EndpointKey) => Promise<void> = async () => undefined;
  let unsubscribe: (() => void) | undefined;

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
