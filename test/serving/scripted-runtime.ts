import { after } from "node:test";
import { type Clock, type Log, type Metrics, silentLog, systemClock } from "#base";
import type { AssetVersion } from "#metadata-store";
import { createEndpoints, type Endpoints } from "../../src/serving/endpoints.ts";
import { createLoadedModels } from "../../src/serving/loaded-model.ts";
import type { ModelHandle, ModelRuntime } from "../../src/serving/model-runtime.ts";
import { createModelTarget } from "../../src/serving/model-target.ts";
import type { PredictionLog } from "../../src/serving/prediction-log.ts";
import { createPredictionLog } from "../../src/serving/prediction-log.ts";
import { openTestStore } from "../setup/stores.ts";
import { registerModel } from "./served.ts";

/** What a version of a model does, written by a test. */
export type Script = Partial<Pick<ModelHandle, "predict" | "stream">>;

/** Endpoints over models whose code is a test's. */
export interface Scripted {
  readonly store: Awaited<ReturnType<typeof openTestStore>>["store"];
  readonly endpoints: Endpoints;
  /** Registers the next version and deploys it. */
  deploy(script: Script, strategy?: object): Promise<AssetVersion>;
}

const OUTPUTS = { task: "outputs", label: undefined, example: { distance: 1, hour: 1 } };

export const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;

/** A runtime of the port that serving asks for, in the place of ONNX. */
export async function openScripted(
  options: {
    readonly clock?: Clock;
    readonly log?: Log;
    readonly metrics?: Metrics;
    readonly longestStreamMs?: number;
    readonly around?: (predictions: PredictionLog) => PredictionLog;
  } = {},
): Promise<Scripted> {
  const { clock = systemClock, log = silentLog, around = (predictions) => predictions } = options;
  const stored = await openTestStore("sqlite");
  const { store } = stored;
  const scripts = new Map<string, Script>();
  const runtime: ModelRuntime = {
    name: "onnx",
    capabilities: { parallel: 8, workers: false, interruptible: true },
    load: async ({ version }) => {
      const { predict, stream } = scripts.get(version.id) ?? {};
      return {
        exact: [],
        predict: predict ?? (async ({ rowCount }) => tensorsOf(rowCount, 1)),
        ...(stream === undefined ? {} : { stream }),
        unload: async () => {},
      };
    },
    close: async () => {},
  };
  const models = createLoadedModels({ runtimes: [runtime] });
  const predictions = around(createPredictionLog(store));
  const endpoints = createEndpoints({ store, models, predictions, log, clock, ...options });
  after(() => endpoints.close());
  const target = createModelTarget({ store, models, endpoints, clock });
  let deployments = 0;
  return {
    store,
    endpoints,
    async deploy(script, strategy) {
      const version = await registerModel(stored, "every-shape", { change: OUTPUTS });
      scripts.set(version.id, script);
      const place = { project: "p", environment: "production", endpoint: "delay", actor: "ana" };
      const deployment = { ...place, deploymentId: `d${++deployments}`, version };
      await target.deploy(strategy === undefined ? deployment : { ...deployment, strategy }, {
        signal: new AbortController().signal,
        log: () => {},
      });
      return version;
    },
  };
}

/** An output of so many numbers a row. */
export function tensorsOf(rowCount: number, width: number): Awaited<ReturnType<ModelHandle["predict"]>> {
  const values = new Float64Array(rowCount * width).fill(0.5);
  return { kind: "tensors", rowCount, tensors: [{ name: "score", datatype: "FP64", shape: [width], values }] };
}

/** A stream that gives the parts, then ends; a part that is an error is thrown. */
export function streamOf(...parts: readonly (string | Error)[]): NonNullable<Script["stream"]> {
  return async () => {
    const rest = [...parts];
    return {
      async next() {
        const part = rest.shift();
        if (part instanceof Error) throw part;
        return part === undefined ? undefined : { chunk: part };
      },
      stop: async () => {},
    };
  };
}
