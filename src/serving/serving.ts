import { type Clock, type Log, type Metrics, systemClock } from "#base";
import type { ModelTarget, RolloutTarget } from "#delivery";
import type { MetadataStore } from "#metadata-store";
import type { Blobs } from "#storage";
import { createEndpoints, type Endpoints } from "./endpoints.ts";
import { createLoadedModels } from "./loaded-model.ts";
import { createModelTarget } from "./model-target.ts";
import type { OnlineFeatures, TrainingNulls } from "./ports.ts";
import { createPredictionLog } from "./prediction-log.ts";
import { createRolloutTarget } from "./rollout-target.ts";
import { type BatchScorer, createScorer } from "./scorer.ts";
import { createOnnxPool } from "./runtime/onnx/onnx-pool.ts";
import { createOnnxRuntime } from "./runtime/onnx/onnx-runtime.ts";
import { createPythonRuntime, type PythonServing } from "./runtime/python/python-runtime.ts";

export interface ServingOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly log: Log;
  readonly clock?: Clock;
  /** Calls of one model that are computed at once; default 1. */
  readonly threads?: number;
  /** Rows per request; default 50,000. */
  readonly maxRows?: number;
  /** Requests that may wait for a model; default 1,024. */
  readonly maxWaiting?: number;
  /** How long a request may take, waiting included; default a minute. */
  readonly timeoutMs?: number;
  /** How long an answer in parts may take, its reader included; default 15 minutes. */
  readonly longestStreamMs?: number;
  /** Needed by Python models. */
  readonly python?: PythonServing;
  readonly features?: OnlineFeatures;
  readonly trainingNulls?: TrainingNulls;
  readonly metrics?: Metrics;
  /** False where other processes answer: then no endpoint is loaded. Default true. */
  readonly isServing?: boolean;
}

/** Everything that serves models, sharing the runtimes. */
export interface Serving {
  readonly endpoints: Endpoints;
  /** `ModelTarget` of `delivery`. */
  readonly target: ModelTarget;
  /** `RolloutTarget` of `delivery`. */
  readonly rollouts: RolloutTarget;
  /** `Scorer` of `models`. */
  readonly scorer: BatchScorer;
  /** Ends the threads; requests in flight fail. */
  close(): Promise<void>;
}

/** Builds serving. No thread or process is started and no ONNX loaded before the first model. */
export function createServing(options: ServingOptions): Serving {
  const { store, objects, log, clock = systemClock } = options;
  const runtimes = [
    createOnnxRuntime({
      objects,
      pool: createOnnxPool({ log, threads: options.threads, timeoutMs: options.timeoutMs }),
    }),
    ...(options.python === undefined
      ? []
      : [createPythonRuntime({ ...options.python, log, timeoutMs: options.timeoutMs })]),
  ];
  const models = createLoadedModels({
    runtimes,
    timeoutMs: options.timeoutMs,
    trainingNulls: options.trainingNulls,
    ...(options.maxWaiting === undefined ? {} : { maxWaiting: options.maxWaiting }),
  });
  const endpoints = createEndpoints({
    store,
    models,
    predictions: createPredictionLog(store),
    log,
    clock,
    features: options.features,
    metrics: options.metrics,
    isServing: options.isServing ?? true,
    longestStreamMs: options.longestStreamMs,
    ...(options.maxRows === undefined ? {} : { maxRows: options.maxRows }),
  });
  return {
    endpoints,
    target: createModelTarget({ store, models, endpoints, clock }),
    rollouts: createRolloutTarget({ store, endpoints }),
    scorer: createScorer({ models }),
    async close() {
      await endpoints.close();
      await Promise.all(runtimes.map((runtime) => runtime.close()));
    },
  };
}
