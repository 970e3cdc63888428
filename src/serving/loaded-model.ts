import { messageOf } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { ObjectStore } from "#object-store";
import { exampleFailed } from "./errors.ts";
import { type ModelSignature, readSignature, titleOf, withNulls } from "./model-signature.ts";
import type { TrainingNulls } from "./ports.ts";
import { type InputColumns, readInputs, sourceOfRecords } from "./row-source.ts";
import { type Batcher, createBatcher, type RunOptions } from "./runtime/batcher.ts";
import type { ModelOutput } from "./runtime/onnx-messages.ts";
import type { OnnxPool } from "./runtime/onnx-pool.ts";

/**
 * A model version ready to answer.
 *
 * States: loaded → draining (released by its last holder, calls in flight finish) → unloaded.
 */
export interface LoadedModel {
  readonly version: AssetVersion;
  readonly signature: ModelSignature;
  /** `delay version 3` */
  readonly title: string;
  run(inputs: InputColumns, options?: RunOptions): Promise<ModelOutput>;
  readonly counters: Batcher["counters"];
}

/** Loads model versions once, however many endpoints hold them. */
export interface LoadedModels {
  /** Takes a hold; give it back with `release`. @throws SERVING_MODEL_UNUSABLE, SERVING_EXAMPLE_FAILED */
  acquire(version: AssetVersion): Promise<LoadedModel>;
  release(versionId: string): Promise<void>;
}

interface Held {
  readonly model: Promise<LoadedModel>;
  holds: number;
}

/** Reads signature and ONNX file of model versions from the object store and loads them into the pool. */
export function createLoadedModels(options: {
  readonly objects: ObjectStore;
  readonly pool: OnnxPool;
  readonly maxWaiting?: number;
  readonly timeoutMs?: number | undefined;
  readonly trainingNulls?: TrainingNulls | undefined;
}): LoadedModels {
  const { objects, pool } = options;
  const held = new Map<string, Held>();

  async function load(version: AssetVersion): Promise<LoadedModel> {
    const title = titleOf(version);
    const declared = readSignature(version);
    const exact = await pool.load({
      key: version.id,
      title,
      path: await objects.localPath(declared.file),
      signature: declared,
    });
    const signature = withNulls(declared, { trainingNulls: await options.trainingNulls?.(version.id), exact });
    const batcher = createBatcher({
      name: title,
      parallel: pool.threads,
      execute: (inputs) => pool.run({ key: version.id, title }, inputs),
      ...(options.maxWaiting === undefined ? {} : { maxWaiting: options.maxWaiting }),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    const model = { version, signature, title, run: batcher.run, counters: batcher.counters };
    try {
      await answerExample(model);
    } catch (error) {
      await pool.unload(version.id);
      throw exampleFailed({ model: title, reason: messageOf(error) }, error);
    }
    return model;
  }

  return {
    acquire(version) {
      const known = held.get(version.id);
      if (known !== undefined) {
        known.holds++;
        return known.model;
      }
      const model = load(version);
      held.set(version.id, { model, holds: 1 });
      model.catch(() => held.delete(version.id));
      return model;
    },
    async release(versionId) {
      const known = held.get(versionId);
      if (known === undefined || --known.holds > 0) return;
      held.delete(versionId);
      await known.model;
      await pool.unload(versionId);
    },
  };
}

/**
 * The example row must give an answer; without one, a row of zeros and empty texts shows at least that the graph runs.
 */
async function answerExample(model: LoadedModel): Promise<void> {
  const { signature } = model;
  if (signature.example === undefined) {
    await model.run({
      rowCount: 1,
      columns: signature.inputs.map((input) => (input.type === "string" ? [""] : new Float64Array(1))),
    });
    return;
  }
  const output = await model.run(readInputs(signature, sourceOfRecords([signature.example]), "ignore"));
  const [value] = output.kind === "numbers" ? output.values : [0];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`it answered ${value}, expected a number`);
  if (signature.task === "binary_classification" && (value < 0 || value > 1))
    throw new Error(`it answered ${value}, expected a probability between 0 and 1`);
}
