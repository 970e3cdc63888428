import type { Log } from "#base";
import { runtimeDied, timeExceeded } from "../../errors.ts";
import { createIdleThreads } from "./idle-threads.ts";
import type { WorkerAnswer } from "./onnx-messages.ts";
import { type OnnxThread, startOnnxThread } from "./onnx-thread.ts";

/** Threads beside the usual ones, for models that would wait for others. */
const MOST_EXTRA = 8;
const PATIENCE_MS = 20;
const CLOSING_MS = 2000;

/** What a thread is asked to do. */
export interface Work {
  /** Of the model. */
  readonly key: string;
  readonly title: string;
  readonly rowCount: number;
  readonly on: (thread: OnnxThread) => Promise<WorkerAnswer>;
}

/** Gives work to threads. */
export interface OnnxSchedule {
  /** @throws SERVING_TIME_EXCEEDED, SERVING_RUNTIME_DIED, what the work throws */
  run(work: Work): Promise<WorkerAnswer>;
  /** Calls of a model that were given up and still compute. */
  countGivenUp(key: string): number;
  readonly idle: readonly OnnxThread[];
  /** Waits for what is computed, but not for long. */
  close(): Promise<void>;
}

/** States: waiting for a thread → computed → settled: answered, failed, or given up at its time limit. */
interface Call extends Work {
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Shares threads between models. Work waits in its order; a thread does one thing at a time.
 *
 * - Work that waits although its model computes nothing gets a thread beside the usual ones, so that no model waits for
 *   another one, however slow that is. Such threads end when they have nothing to do.
 * - Work that takes longer than it may is given up and another thread takes the place of its own, which serves again
 *   when the native call has come back: nothing can interrupt that, and ending the thread would end the process.
 *
 * States of a thread: idle ↔ computing (→ given up) → idle; or died: its work fails as transient.
 *
 * @param options.onFree a thread has nothing to do: tells it what it need not keep
 */
export function createOnnxSchedule(options: {
  readonly usual: number;
  readonly timeoutMs: number;
  readonly log: Log;
  readonly onFree: (thread: OnnxThread) => void;
}): OnnxSchedule {
  const { usual, timeoutMs, log, onFree } = options;
  const busy = new Map<OnnxThread, Call>();
  const givenUp = new Map<OnnxThread, Call>();
  const idle = createIdleThreads((count) => busy.size + count > usual);
  /** What threads compute, given up or not. */
  const computed = new Set<Promise<void>>();
  const queue: Call[] = [];
  let patience: NodeJS.Timeout | undefined;
  let closed = false;

  function start(): OnnxThread {
    const thread = startOnnxThread((reason) => {
      const isMissed = idle.remove(thread) || busy.delete(thread) || givenUp.delete(thread);
      if (isMissed && !closed) log.error("an inference thread ended", { reason });
      pump();
    });
    return thread;
  }

  function pump(): void {
    for (let call = queue[0]; call !== undefined; call = queue[0]) {
      const thread = idle.take(call.key) ?? (busy.size < usual ? start() : undefined);
      if (thread === undefined) {
        patience ??= setTimeout(addThread, PATIENCE_MS);
        return;
      }
      queue.shift();
      assign(thread, call);
    }
  }

  /** For the first call that waits although its model computes nothing. */
  function addThread(): void {
    patience = undefined;
    const computing = new Set([...busy.values()].map(({ key }) => key));
    const position = queue.findIndex(({ key }) => !computing.has(key));
    const [call] = position < 0 || busy.size >= usual + MOST_EXTRA ? [] : queue.splice(position, 1);
    if (call !== undefined) assign(start(), call);
    pump();
  }

  function assign(thread: OnnxThread, call: Call): void {
    const computing = compute(thread, call).finally(() => computed.delete(computing));
    computed.add(computing);
  }

  async function compute(thread: OnnxThread, call: Call): Promise<void> {
    busy.set(thread, call);
    const timer = setTimeout(() => giveUp(thread, call), timeoutMs);
    await call.on(thread).then(call.resolve, call.reject);
    clearTimeout(timer);
    // A thread that died is in neither.
    if (!busy.delete(thread) && !givenUp.delete(thread)) return;
    if (closed) return thread.end();
    onFree(thread);
    idle.add(thread);
    pump();
  }

  function giveUp(thread: OnnxThread, call: Call): void {
    const { title, rowCount } = call;
    busy.delete(thread);
    givenUp.set(thread, call);
    log.error("a model did not answer in time; another thread takes the place of its own", { model: title, rowCount });
    call.reject(timeExceeded({ model: title, seconds: timeoutMs / 1000, rows: rowCount }));
    pump();
  }

  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(runtimeDied({ reason: "serving is closed" }));
        queue.push({ ...work, resolve, reject });
        pump();
      }),
    countGivenUp: (key) => [...givenUp.values()].filter((call) => call.key === key).length,
    get idle() {
      return idle.all();
    },
    async close() {
      closed = true;
      clearTimeout(patience);
      for (const call of queue.splice(0)) call.reject(runtimeDied({ reason: "serving is closed" }));
      await idle.close();
      await Promise.race([Promise.all(computed), later(CLOSING_MS)]);
    },
  };
}

/** Does not keep the process alive. */
function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
