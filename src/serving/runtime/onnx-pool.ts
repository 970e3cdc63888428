import { Worker } from "node:worker_threads";
import { entryFile, type Log } from "#base";
import { modelUnusable, runtimeDied, runtimeFailed } from "../errors.ts";
import type { ModelSignature } from "../model-signature.ts";
import type { InputColumns } from "../row-source.ts";
import type { ModelOutput, WorkerAnswer, WorkerRequest } from "./onnx-messages.ts";

type Load = Extract<WorkerRequest, { kind: "load" }>;
type Unnumbered<Request> = Request extends WorkerRequest ? Omit<Request, "call"> : never;

/** Threads that run ONNX models. Every model is loaded in every thread. */
export interface OnnxPool {
  readonly threads: number;
  /**
   * @returns inputs that the graph takes as whole numbers or truth values @throws SERVING_MODEL_UNUSABLE when the file
   * is not ONNX or does not fit the signature
   */
  load(model: {
    readonly key: string;
    readonly title: string;
    readonly path: string;
    readonly signature: ModelSignature;
  }): Promise<readonly string[]>;
  /** @throws SERVING_RUNTIME_FAILED, SERVING_RUNTIME_DIED */
  run(model: { readonly key: string; readonly title: string }, inputs: InputColumns): Promise<ModelOutput>;
  unload(key: string): Promise<void>;
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  readonly calls: Map<
    number,
    { readonly resolve: (answer: WorkerAnswer) => void; readonly reject: (error: Error) => void }
  >;
}

/**
 * States of a thread: absent (until the first load) → running → died (its calls fail as transient) → running again,
 * models loaded anew.
 *
 * @param options.threads default 1; more only help when several cores are free
 */
export function createOnnxPool(options: { readonly threads?: number; readonly log: Log }): OnnxPool {
  const count = Math.max(1, options.threads ?? 1);
  const slots: (Promise<Thread> | undefined)[] = Array.from({ length: count }, () => undefined);
  const busy = Array.from({ length: count }, () => 0);
  const loads = new Map<string, Unnumbered<Load>>();
  let nextCall = 1;
  let closed = false;

  function start(slot: number): Thread {
    refuseTelemetry();
    const worker = new Worker(entryFile("onnx-worker", import.meta.url));
    worker.unref();
    const thread: Thread = { worker, calls: new Map() };
    worker.on("message", (answer: WorkerAnswer) => {
      const call = thread.calls.get(answer.call);
      thread.calls.delete(answer.call);
      call?.resolve(answer);
      if (thread.calls.size === 0) worker.unref();
    });
    const end = (reason: string): void => {
      if (slots[slot] !== undefined && !closed) options.log.error("an inference thread ended", { reason });
      slots[slot] = undefined;
      for (const call of thread.calls.values()) call.reject(runtimeDied({ reason }));
      thread.calls.clear();
    };
    worker.on("error", (error) => end(error.message)).on("exit", (code) => end(`exit code ${code}`));
    return thread;
  }

  function send(thread: Thread, request: Unnumbered<WorkerRequest>): Promise<WorkerAnswer> {
    const call = nextCall++;
    thread.worker.ref();
    return new Promise((resolve, reject) => {
      thread.calls.set(call, { resolve, reject });
      thread.worker.postMessage({ ...request, call });
    });
  }

  /** A running thread with all models loaded. */
  function threadAt(slot: number): Promise<Thread> {
    const known = slots[slot];
    if (known !== undefined) return known;
    const starting = (async () => {
      const thread = start(slot);
      for (const load of loads.values()) await send(thread, load);
      return thread;
    })();
    slots[slot] = starting;
    starting.catch(() => (slots[slot] = undefined));
    return starting;
  }

  return {
    threads: count,
    async load({ key, title, path, signature }) {
      const request = {
        kind: "load" as const,
        key,
        path,
        task: signature.task,
        inputs: signature.inputs.map(({ name, type }) => ({ name, type })),
      };
      let exact: readonly string[] = [];
      for (let slot = 0; slot < count; slot++) {
        const answer = await send(await threadAt(slot), request);
        if (!answer.ok)
          throw modelUnusable({
            model: title,
            problem: answer.problem,
            ...(answer.advice === undefined ? {} : { advice: answer.advice }),
          });
        exact = answer.exact ?? exact;
      }
      loads.set(key, request);
      return exact;
    },
    async run({ key, title }, inputs) {
      const slot = busy.indexOf(Math.min(...busy));
      busy[slot] = (busy[slot] ?? 0) + 1;
      try {
        const answer = await send(await threadAt(slot), {
          kind: "run",
          key,
          rowCount: inputs.rowCount,
          columns: inputs.columns,
        });
        return outputOf(answer, title);
      } finally {
        busy[slot] = (busy[slot] ?? 1) - 1;
      }
    },
    async unload(key) {
      if (!loads.delete(key)) return;
      await Promise.all(
        slots.map(
          async (slot) => slot !== undefined && send(await slot, { kind: "unload", key }).catch(() => undefined),
        ),
      );
    },
    close: async () => {
      closed = true;
      await Promise.all(slots.map(async (slot) => (await slot)?.worker.terminate()));
    },
  };
}

/** @throws SERVING_RUNTIME_FAILED */
function outputOf(answer: WorkerAnswer, title: string): ModelOutput {
  if (answer.ok && answer.output !== undefined) return answer.output;
  throw runtimeFailed({ model: title, reason: answer.ok ? "it gave no output" : answer.problem });
}

/**
 * ONNX Runtime (from 1.29) sends events about sessions and models to its maker unless told not to before it is loaded.
 * It reads the variable of the process, which a worker cannot set.
 */
function refuseTelemetry(): void {
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
}
