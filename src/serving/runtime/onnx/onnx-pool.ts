import type { Log } from "#base";
import { modelStuck, modelUnusable, runtimeFailed, valuesRefused } from "../../errors.ts";
import type { ModelSignature } from "../../model-signature.ts";
import type { InputColumns } from "../../row-source.ts";
import type { ModelOutput } from "../../model-runtime.ts";
import type { WorkerAnswer } from "./onnx-messages.ts";
import { createOnnxSchedule } from "./onnx-schedule.ts";
import type { Load, OnnxThread, Unnumbered } from "./onnx-thread.ts";

const LONGEST_CALL_MS = 60_000;

/** A model as the pool knows it. */
export interface PooledModel {
  readonly key: string;
  readonly title: string;
}

/** Threads that run ONNX models; a thread loads a model when it is asked for it the first time. */
export interface OnnxPool {
  /** Calls of one model that may be computed at once. */
  readonly threads: number;
  /**
   * @returns inputs that the graph takes as whole numbers or truth values
   * @throws SERVING_MODEL_UNUSABLE when the file is not ONNX or does not fit the signature
   */
  load(model: PooledModel & { readonly path: string; readonly signature: ModelSignature }): Promise<readonly string[]>;
  /**
   * Refused while as many calls of the model as it may have threads were given up and still compute.
   *
   * @throws SERVING_RUNTIME_FAILED, SERVING_RUNTIME_DIED, SERVING_TIME_EXCEEDED, SERVING_MODEL_STUCK
   */
  run(model: PooledModel, inputs: InputColumns): Promise<ModelOutput>;
  unload(key: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param options.threads default 1; more only help when several cores are free
 * @param options.timeoutMs how long a call may compute; default a minute
 */
export function createOnnxPool(options: {
  readonly threads?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly log: Log;
}): OnnxPool {
  const { log, timeoutMs = LONGEST_CALL_MS } = options;
  const usual = Math.max(1, options.threads ?? 1);
  const models = new Map<string, Unnumbered<Load>>();
  const schedule = createOnnxSchedule({
    usual,
    timeoutMs,
    log,
    onFree: (thread) => {
      for (const key of thread.loaded) if (!models.has(key)) unloadFrom(thread, key);
    },
  });
  return {
    threads: usual,
    async load({ key, title, path, signature }) {
      const request = {
        kind: "load" as const,
        key,
        path,
        task: signature.task,
        inputs: signature.inputs.map(({ name, type }) => ({ name, type })),
      };
      models.set(key, request);
      const answer = await schedule
        .run({ key, title, rowCount: 0, on: (thread) => loadInto(thread, request) })
        .catch((error: unknown) => {
          models.delete(key);
          throw error;
        });
      if (answer.ok) return answer.exact ?? [];
      models.delete(key);
      const { problem, advice } = answer;
      throw modelUnusable({ model: title, problem, ...(advice === undefined ? {} : { advice }) });
    },
    async run({ key, title }, inputs) {
      const calls = schedule.countGivenUp(key);
      if (calls >= usual) throw modelStuck({ model: title, calls });
      const load = models.get(key);
      const request = { kind: "run" as const, key, rowCount: inputs.rowCount, columns: inputs.columns };
      const on = async (thread: OnnxThread): Promise<WorkerAnswer> => {
        if (load !== undefined && !thread.loaded.has(key)) {
          const answer = await loadInto(thread, load);
          if (!answer.ok) return answer;
        }
        return thread.send(request);
      };
      return outputOf(await schedule.run({ key, title, rowCount: inputs.rowCount, on }), title);
    },
    async unload(key) {
      models.delete(key);
      for (const thread of schedule.idle) unloadFrom(thread, key);
    },
    close: () => schedule.close(),
  };
}

async function loadInto(thread: OnnxThread, request: Unnumbered<Load>): Promise<WorkerAnswer> {
  const answer = await thread.send(request);
  if (answer.ok) thread.loaded.add(request.key);
  return answer;
}

function unloadFrom(thread: OnnxThread, key: string): void {
  if (!thread.loaded.delete(key)) return;
  thread.send({ kind: "unload", key }).catch(() => undefined);
}

/** @throws SERVING_RUNTIME_FAILED, SERVING_VALUES_REFUSED */
function outputOf(answer: WorkerAnswer, title: string): ModelOutput {
  if (answer.ok && answer.output !== undefined) return answer.output;
  if (!answer.ok && answer.refused === true) throw valuesRefused({ model: title, reason: answer.problem });
  throw runtimeFailed({ model: title, reason: answer.ok ? "it gave no output" : answer.problem });
}
