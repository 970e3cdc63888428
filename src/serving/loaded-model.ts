import { isEsteiraError, messageOf } from "#base";
import type { AssetVersion } from "#metadata-store";
import { readModelContent } from "#models";
import { exampleFailed, modelUnusable, queueFull, runtimeFailed, valuesRefused } from "./errors.ts";
import type { ModelHandle, ModelOutput, ModelRuntime } from "./model-runtime.ts";
import { type ModelSignature, readSignature, titleOf, withNulls } from "./model-signature.ts";
import { generalize, type TensorForm } from "./model-tensor.ts";
import type { TrainingNulls } from "./ports.ts";
import { type InputColumns, readInputs, sourceOfRecords } from "./row-source.ts";
import { type Batcher, createBatcher, type RunOptions } from "./runtime/batcher.ts";

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
  /** One row in parts; resolves with the first. undefined where the model has only whole answers. */
  readonly stream?: ModelHandle["stream"];
  /** Forms of its outputs, of the task `outputs`, as far as its answers have shown them. */
  readonly outputs: () => readonly TensorForm[] | undefined;
  readonly counters: Batcher["counters"];
}

interface LoadOptions {
  /** Takes lines that say what a load that lasts is doing. */
  readonly report?: ((line: string) => void) | undefined;
  /** Processes that compute it; default 1. */
  readonly workers?: number | undefined;
}

/** Loads model versions once for each number of workers, however many endpoints hold them. */
export interface LoadedModels {
  /** Takes a hold; give it back with `release`. @throws SERVING_MODEL_UNUSABLE, SERVING_EXAMPLE_FAILED */
  acquire(version: AssetVersion, options?: LoadOptions): Promise<LoadedModel>;
  release(model: LoadedModel): Promise<void>;
}

interface Loaded {
  readonly model: LoadedModel;
  readonly handle: ModelHandle;
}

interface Held {
  readonly loaded: Promise<Loaded>;
  holds: number;
}

/** Loads model versions, each into the runtime that its description names. */
export function createLoadedModels(options: {
  readonly runtimes: readonly ModelRuntime[];
  readonly maxWaiting?: number;
  readonly timeoutMs?: number | undefined;
  readonly trainingNulls?: TrainingNulls | undefined;
}): LoadedModels {
  const held = new Map<string, Held>();
  const keys = new WeakMap<LoadedModel, string>();

  async function open(version: AssetVersion, { report, workers = 1 }: LoadOptions): Promise<Loaded> {
    const title = titleOf(version);
    const declared = readSignature(version);
    const runtime = findRuntime(version, title);
    if (workers > 1 && !runtime.capabilities.workers)
      throw modelUnusable({
        model: title,
        problem: `${workers} workers are asked for, and the runtime ${runtime.name} has none: it computes on the server's threads`,
        advice:
          "Remove `workers` from the step; `serving: { threads: N }` in esteira.yaml says how many threads there are.",
      });
    const handle = await runtime.load({ version, signature: declared, title, report, workers });
    const { exact } = handle;
    const signature = withNulls(declared, { trainingNulls: await options.trainingNulls?.(version.id), exact });
    const batcher = createBatcher({
      name: title,
      parallel: runtime.capabilities.parallel * workers,
      execute: (inputs) => handle.predict(inputs),
      ...(options.maxWaiting === undefined ? {} : { maxWaiting: options.maxWaiting }),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    const { run, outputs } = withForms(batcher.run);
    const model: LoadedModel = {
      version,
      signature,
      title,
      run,
      outputs,
      counters: batcher.counters,
      ...(handle.stream === undefined ? {} : { stream: boundStreams(handle.stream, title) }),
    };
    try {
      await answerExample(model, runtime.name);
    } catch (error) {
      await handle.unload();
      throw exampleFailed({ model: title, reason: messageOf(error) }, error);
    }
    return { model, handle };
  }

  function findRuntime(version: AssetVersion, title: string): ModelRuntime {
    const wanted = readModelContent(version).model.runtime;
    const runtime = options.runtimes.find(({ name }) => name === wanted);
    if (runtime !== undefined) return runtime;
    const known = options.runtimes.map(({ name }) => name).join(", ");
    throw modelUnusable({ model: title, problem: `it needs the runtime ${wanted}; this process has ${known}` });
  }

  return {
    async acquire(version, load = {}) {
      const key = `${version.id} ${load.workers ?? 1}`;
      const known = held.get(key);
      if (known !== undefined) {
        known.holds++;
        return (await known.loaded).model;
      }
      const loaded = open(version, load);
      held.set(key, { loaded, holds: 1 });
      loaded.then(
        ({ model }) => keys.set(model, key),
        () => held.delete(key),
      );
      return (await loaded).model;
    },
    async release(model) {
      const key = keys.get(model) ?? "";
      const known = held.get(key);
      if (known === undefined || --known.holds > 0) return;
      held.delete(key);
      const { handle } = await known.loaded;
      await handle.unload();
    },
  };
}

const MOST_STREAMS = 256;

/** Streams that are open at once are bounded: each holds what its model keeps for it. @throws SERVING_QUEUE_FULL */
function boundStreams(open: NonNullable<ModelHandle["stream"]>, title: string): NonNullable<ModelHandle["stream"]> {
  let count = 0;
  return async (inputs, signal) => {
    if (count >= MOST_STREAMS) throw queueFull({ endpoint: title, waiting: count });
    count++;
    let isOver = false;
    const over = (): void => {
      if (!isOver) count--;
      isOver = true;
    };
    const stream = await open(inputs, signal).catch((error: unknown) => {
      over();
      throw error;
    });
    return {
      async next() {
        try {
          const part = await stream.next();
          if (part === undefined) over();
          return part;
        } catch (error) {
          over();
          throw error;
        }
      },
      async stop() {
        over();
        await stream.stop();
      },
    };
  };
}

/** Remembers the forms of what was answered. */
function withForms(run: LoadedModel["run"]): Pick<LoadedModel, "run" | "outputs"> {
  let forms: readonly TensorForm[] | undefined;
  return {
    outputs: () => forms,
    async run(inputs, options) {
      const output = await run(inputs, options);
      if (output.kind === "tensors" && output.tensors.length > 0) forms = generalize(forms, output.tensors);
      return output;
    },
  };
}

/**
 * The example row must give an answer; without one, a row of zeros and empty texts shows at least that the graph runs.
 * Code may rightly refuse such a row: no such text was in its training.
 */
async function answerExample(model: LoadedModel, runtime: ModelRuntime["name"]): Promise<void> {
  const { signature } = model;
  if (signature.example === undefined) {
    const made = model.run({
      rowCount: 1,
      columns: signature.inputs.map((input) => (input.type === "string" ? [""] : new Float64Array(1))),
    });
    await made.catch((error: unknown) => {
      const isOfValues = isEsteiraError(error, runtimeFailed.code) || isEsteiraError(error, valuesRefused.code);
      if (runtime !== "python" || !isOfValues) throw error;
    });
    return;
  }
  const output = await model.run(readInputs(signature, sourceOfRecords([signature.example]), "ignore"));
  const [value] = output.kind === "numbers" ? output.values : [0];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`it answered ${value}, expected a number`);
  if (signature.task === "binary_classification" && (value < 0 || value > 1))
    throw new Error(`it answered ${value}, expected a probability between 0 and 1`);
}
