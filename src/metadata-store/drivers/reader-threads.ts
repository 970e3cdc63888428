import { Worker } from "node:worker_threads";
import { entryFile } from "#base";
import { readerEnded, readTooLong } from "../errors.ts";
import type { ReaderAnswer, ReaderRequest } from "./reader-messages.ts";

const THREADS = 2;
const LONGEST_READ_MS = 60_000;
const LARGEST_HEAP_MB = 512;

/** Rows of a statement that was answered aside, and what it took there. */
export interface AsideAnswer {
  readonly rows: readonly Record<string, unknown>[];
  readonly tookMs: number;
}

/** Threads that read a SQLite file beside the main one. */
export interface ReaderThreads {
  /**
   * Runs one statement; what was committed before the call is seen.
   *
   * @throws METADATA_STORE_READ_TOO_LONG, METADATA_STORE_READER_ENDED, SQLite's own error
   */
  read(sql: string, parameters: readonly unknown[]): Promise<AsideAnswer>;
  /** Ends the threads; reads in flight fail. */
  close(): Promise<void>;
}

/** States: waiting → running on a thread → settled: answered, failed, or given up at its time limit. */
interface Read {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly rows: Record<string, unknown>[];
  readonly resolve: (answer: AsideAnswer) => void;
  readonly reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
}

/** States: idle ↔ reading → ending (its read took too long, or the store is closed) → gone. */
interface Thread {
  readonly worker: Worker;
  read: Read | undefined;
}

/**
 * No thread is started before the first read. One that dies fails its read and is started again by the next one; one
 * whose read exceeds its time is left to itself, ends when SQLite comes back, and another takes its place. There are
 * never more than twice as many as `threads`.
 *
 * @param options.longestMs how long a read may take, waiting included; default a minute
 * @param options.heapMb memory of the rows of a thread; default 512
 */
export function createReaderThreads(
  file: string,
  options: {
    readonly timeoutMs: number;
    readonly threads?: number;
    readonly longestMs?: number;
    readonly heapMb?: number;
  },
): ReaderThreads {
  const { threads: most = THREADS, longestMs = LONGEST_READ_MS, heapMb = LARGEST_HEAP_MB, timeoutMs } = options;
  const threads = new Set<Thread>();
  const ending = new Set<Worker>();
  const queue: Read[] = [];
  let closed = false;

  function start(): Thread {
    const worker = new Worker(entryFile("reader-thread", import.meta.url), {
      workerData: { file, timeoutMs },
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    const thread: Thread = { worker, read: undefined };
    threads.add(thread);
    worker.on("message", (answer: ReaderAnswer) => take(thread, answer));
    worker.on("error", (error) => lose(thread, error.message));
    worker.on("exit", (code) => {
      ending.delete(worker);
      lose(thread, `exit code ${code}`);
    });
    return thread;
  }

  function lose(thread: Thread, reason: string): void {
    threads.delete(thread);
    settle(thread)?.reject(readerEnded({ reason }));
    pump();
  }

  /** Frees a thread of its read. */
  function settle(thread: Thread): Read | undefined {
    const { read } = thread;
    clearTimeout(read?.timer);
    thread.read = undefined;
    return read;
  }

  function take(thread: Thread, answer: ReaderAnswer): void {
    const { read } = thread;
    if (read === undefined) return;
    if (answer.ok) {
      read.rows.push(...answer.rows);
      // In a later turn of the event loop, so that others get theirs between the parts of a long answer.
      if (answer.more) return void setImmediate(() => post(thread, { kind: "more" }));
      settle(thread)?.resolve({ rows: read.rows, tookMs: answer.tookMs });
    } else {
      settle(thread)?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
    }
    thread.worker.unref();
    pump();
  }

  function giveUp(read: Read): void {
    read.reject(readTooLong({ seconds: longestMs / 1000, sql: read.sql }));
    const position = queue.indexOf(read);
    if (position >= 0) queue.splice(position, 1);
    const thread = [...threads].find((candidate) => candidate.read === read);
    if (thread === undefined) return;
    threads.delete(thread);
    thread.read = undefined;
    ending.add(thread.worker);
    thread.worker.unref();
    void thread.worker.terminate();
    pump();
  }

  function pump(): void {
    while (!closed && queue.length > 0) {
      const idle = [...threads].find((thread) => thread.read === undefined);
      if (idle === undefined && (threads.size >= most || threads.size + ending.size >= 2 * most)) return;
      const thread = idle ?? start();
      const read = queue.shift();
      if (read === undefined) return;
      thread.read = read;
      thread.worker.ref();
      post(thread, { kind: "read", sql: read.sql, parameters: read.parameters });
    }
  }

  return {
    read: (sql, parameters) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(readerEnded({ reason: "the store is closed" }));
        const read: Read = { sql, parameters, rows: [], resolve, reject, timer: undefined };
        read.timer = setTimeout(() => giveUp(read), longestMs);
        queue.push(read);
        pump();
      }),
    async close() {
      closed = true;
      const error = readerEnded({ reason: "the store is closed" });
      for (const read of queue.splice(0)) {
        clearTimeout(read.timer);
        read.reject(error);
      }
      const ended = [...threads].map((thread) => {
        settle(thread)?.reject(error);
        return thread.worker.terminate();
      });
      await Promise.all(ended);
    },
  };
}

function post(thread: Thread, request: ReaderRequest): void {
  if (thread.read !== undefined) thread.worker.postMessage(request);
}
