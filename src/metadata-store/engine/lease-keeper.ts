import { Worker } from "node:worker_threads";
import { entryFile, messageOf } from "#base";

/** What the thread is given. Times are in milliseconds of one clock of the process, which runs on in every thread. */
export interface LeaseKeeping {
  readonly address: string;
  readonly engineId: string;
  readonly leaseMs: number;
  readonly shared: SharedArrayBuffer;
}

/** Places of the shared numbers. */
export const RENEWED = 0;
export const ALIVE = 1;

/** How long an engine may be silent before its leases are kept no longer: then it does not work, it hangs. */
export const LONGEST_SILENCE_MS = 60_000;

/** Milliseconds that have passed on the clock of the process. */
export function processMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Prolongs the leases of one engine beside its event loop, which others may keep busy. */
export interface LeaseKeeper {
  /** How long ago the last prolongation that took place was begun; undefined before the first. */
  age(): number | undefined;
  /** The engine's own loop still runs. */
  beat(): void;
  close(): Promise<void>;
}

/**
 * Starts the thread. It ends with the process; what it cannot open or write it tries again. Should it end by itself,
 * the engine prolongs its leases alone, as it does besides, and `onEnd` hears why.
 */
export function keepLeases(
  facts: Omit<LeaseKeeping, "shared">,
  onEnd: (reason: string) => void = () => undefined,
): LeaseKeeper {
  const shared = new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT);
  const times = new Float64Array(shared);
  times[ALIVE] = processMs();
  const worker = new Worker(entryFile("lease-thread", import.meta.url), {
    workerData: { ...facts, shared } satisfies LeaseKeeping,
  });
  worker.unref();
  let isClosed = false;
  let reason = "its thread ended";
  worker.on("error", (error) => (reason = messageOf(error)));
  worker.on("exit", (code) => {
    if (!isClosed) onEnd(`${reason} (code ${code})`);
  });
  return {
    age() {
      const at = times[RENEWED] ?? 0;
      return at === 0 ? undefined : processMs() - at;
    },
    beat() {
      times[ALIVE] = processMs();
    },
    async close() {
      isClosed = true;
      await worker.terminate();
    },
  };
}
