import type { Json } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { ModelDescription } from "#models";
import type { ModelSignature } from "./model-signature.ts";
import type { ModelTensor } from "./model-tensor.ts";
import type { InputColumns } from "./row-source.ts";

/** What computes a version's answers; `runtime` of its `model.json`. */
export type ModelRuntimeName = ModelDescription["runtime"];

/** What a model answers for some rows. */
export type ModelOutput =
  | {
      readonly kind: "numbers";
      /**
       * `probability` of the positive class, or the `prediction` of a regression; one per row. NaN where the model
       * gives none.
       */
      readonly values: Float64Array;
    }
  | {
      readonly kind: "classes";
      /** One label per row. */
      readonly labels: readonly string[];
      /** Row-major, `classCount` per row; empty when the model gives none. */
      readonly probabilities: Float64Array;
      readonly classCount: number;
    }
  | {
      /** Of the task `outputs`: what the model gives, under its own names. */
      readonly kind: "tensors";
      readonly rowCount: number;
      readonly tensors: readonly ModelTensor[];
    };

/** An answer that comes in parts. */
export interface ModelStream {
  /** The next part, when it is computed; undefined after the last. @throws what `predict` of the handle throws */
  next(): Promise<{ readonly chunk: Json } | undefined>;
  /** Gives up what is not computed yet. Idempotent. */
  stop(): Promise<void>;
}

/** A version to load, with what its description says of its inputs. */
export interface ModelToLoad {
  readonly version: AssetVersion;
  readonly signature: ModelSignature;
  /** `delay version 3` */
  readonly title: string;
  /** Takes lines that say what a load that lasts is doing. */
  readonly report?: ((line: string) => void) | undefined;
  /** Processes that compute it; 1 where the runtime has none. */
  readonly workers?: number | undefined;
}

/** States: loaded → unloaded. A call that runs while it is unloaded is answered or fails; none begins after it. */
export interface ModelHandle {
  /** Inputs that have no form for a missing value: whole numbers and truth values of the model itself. */
  readonly exact: readonly string[];
  /**
   * Computes rows that fit the signature; no rows give no answers. Requests are merged, cut, and bounded in their
   * waiting by the caller; the runtime bounds the call itself by its own time limit.
   *
   * @throws SERVING_RUNTIME_FAILED: the model fails on these rows; SERVING_VALUES_REFUSED: it says that they are wrong;
   *   SERVING_WORKER_DIED: it ends its process on them;
   *   SERVING_RUNTIME_DIED; SERVING_TIME_EXCEEDED, which
   *   leaves every other model as quick as before; SERVING_MODEL_STUCK where a call that was given up cannot be ended
   */
  predict(inputs: InputColumns): Promise<ModelOutput>;
  /** Computes one row in parts; resolves with the first. undefined where the model has only whole answers. */
  readonly stream?: ((inputs: InputColumns, signal?: AbortSignal) => Promise<ModelStream>) | undefined;
  /** Idempotent. */
  unload(): Promise<void>;
}

/**
 * Computes models of one kind. One file or folder below `runtime/` each; all pass `test/conformance/model-runtime.ts`.
 *
 * States: open → closed: calls in flight fail, none begins.
 */
export interface ModelRuntime {
  readonly name: ModelRuntimeName;
  readonly capabilities: {
    /** Calls of one model that it computes at once, or that one of its workers does. */
    readonly parallel: number;
    /** Models are computed by workers, as many as are asked for. */
    readonly workers: boolean;
    /** A call beyond its time is ended, not left to end by itself. */
    readonly interruptible: boolean;
  };
  /** @throws SERVING_MODEL_UNUSABLE: what is stored is no model of this runtime or does not fit its signature */
  load(model: ModelToLoad): Promise<ModelHandle>;
  close(): Promise<void>;
}
