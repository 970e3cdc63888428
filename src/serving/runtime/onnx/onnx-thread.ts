import { Worker } from "node:worker_threads";
import { entryFile } from "#base";
import { runtimeDied } from "../../errors.ts";
import type { WorkerAnswer, WorkerRequest } from "./onnx-messages.ts";

export type Load = Extract<WorkerRequest, { kind: "load" }>;
export type Unnumbered<Request> = Request extends WorkerRequest ? Omit<Request, "call"> : never;

/** One thread that runs ONNX models. States: running → ended (by itself, or because it was told to). */
export interface OnnxThread {
  /** Keys of the models that it has loaded. */
  readonly loaded: Set<string>;
  /** @throws SERVING_RUNTIME_DIED */
  send(request: Unnumbered<WorkerRequest>): Promise<WorkerAnswer>;
  /** Only while it computes nothing: the process would end with a native call that finds its thread ended. */
  end(): Promise<void>;
}

/** @param onEnd called once when the thread has ended, with the reason. Models that it computes fail as transient. */
export function startOnnxThread(onEnd: (reason: string) => void): OnnxThread {
  refuseTelemetry();
  const worker = new Worker(entryFile("onnx-worker", import.meta.url));
  worker.unref();
  const calls = new Map<number, { resolve(answer: WorkerAnswer): void; reject(error: Error): void }>();
  let nextCall = 1;
  let ended = false;
  worker.on("message", (answer: WorkerAnswer) => {
    const call = calls.get(answer.call);
    calls.delete(answer.call);
    call?.resolve(answer);
    if (calls.size === 0) worker.unref();
  });
  const end = (reason: string): void => {
    if (ended) return;
    ended = true;
    for (const call of calls.values()) call.reject(runtimeDied({ reason }));
    calls.clear();
    onEnd(reason);
  };
  worker.on("error", (error) => end(error.message)).on("exit", (code) => end(`exit code ${code}`));
  return {
    loaded: new Set(),
    send(request) {
      const call = nextCall++;
      worker.ref();
      return new Promise((resolve, reject) => {
        calls.set(call, { resolve, reject });
        worker.postMessage({ ...request, call });
      });
    },
    async end() {
      worker.unref();
      await worker.terminate();
    },
  };
}

/**
 * ONNX Runtime (from 1.29) sends events about sessions and models to its maker unless told not to before it is loaded.
 * It reads the variable of the process, which a worker cannot set.
 */
function refuseTelemetry(): void {
  // oxlint-disable-next-line node/no-process-env -- written, not read
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
}
