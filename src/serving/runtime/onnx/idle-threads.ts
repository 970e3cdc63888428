import type { OnnxThread } from "./onnx-thread.ts";

const IDLE_MS = 30_000;

/** Threads that compute nothing. */
export interface IdleThreads {
  /** One of them, best one that has the model. */
  take(key: string): OnnxThread | undefined;
  add(thread: OnnxThread): void;
  /** Whether it was one of them. */
  remove(thread: OnnxThread): boolean;
  all(): readonly OnnxThread[];
  /** Ends all of them. */
  close(): Promise<void>;
}

/** @param isTooMany whether a thread that had nothing to do for half a minute may end */
export function createIdleThreads(isTooMany: (idle: number) => boolean): IdleThreads {
  let idle: { readonly thread: OnnxThread; readonly sinceMs: number }[] = [];
  let timer: NodeJS.Timeout | undefined;

  function endSome(): void {
    timer = undefined;
    const before = performance.now() - IDLE_MS;
    for (const { thread } of idle.filter(({ sinceMs }) => sinceMs <= before)) {
      if (!isTooMany(idle.length)) return;
      remove(thread);
      void thread.end();
    }
    plan();
  }

  function plan(): void {
    if (isTooMany(idle.length)) timer ??= setTimeout(endSome, IDLE_MS).unref();
  }

  function remove(thread: OnnxThread): boolean {
    const before = idle.length;
    idle = idle.filter((candidate) => candidate.thread !== thread);
    return idle.length < before;
  }

  return {
    take(key) {
      const found = idle.find(({ thread }) => thread.loaded.has(key)) ?? idle[0];
      if (found !== undefined) remove(found.thread);
      return found?.thread;
    },
    add(thread) {
      idle.push({ thread, sinceMs: performance.now() });
      plan();
    },
    remove,
    all: () => idle.map(({ thread }) => thread),
    async close() {
      clearTimeout(timer);
      await Promise.all(idle.splice(0).map(({ thread }) => thread.end()));
    },
  };
}
