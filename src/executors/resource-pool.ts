import { readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { hasRoomFor, type Resources } from "#pipeline";

/** What a process holds of the machine until it has ended. */
export interface Share {
  /** Variables that say which devices are its own. */
  readonly environment: Readonly<Record<string, string>>;
  release(): void;
}

/** Shares what a machine has among processes that say what they need. Those that say nothing are not counted. */
export interface ResourcePool {
  readonly total: Required<Resources>;
  /** Waits for its turn, first come, first served. Rejects with the signal's reason when that aborts. */
  take(asked: Resources, signal?: AbortSignal): Promise<Share>;
}

/** Numbers of the NVIDIA devices of this machine. */
function listGpus(): readonly number[] {
  try {
    return readdirSync("/dev")
      .flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((one, other) => one - other);
  } catch {
    // Another system than Linux.
    return [];
  }
}

/** @param share the part of the machine that may be given; default all of it */
export function createResourcePool(share: Resources = {}): ResourcePool {
  const devices = listGpus();
  const total = {
    cpus: share.cpus ?? availableParallelism(),
    gpus: Math.min(share.gpus ?? Infinity, devices.length),
    memoryBytes: share.memoryBytes ?? totalmem(),
  };
  const free = { ...total };
  const freeGpus = devices.slice(0, total.gpus);
  const waiting: { readonly asked: Resources; readonly start: () => void }[] = [];

  const serve = (): void => {
    for (let next = waiting[0]; next !== undefined && hasRoomFor(free, next.asked); next = waiting[0]) {
      waiting.shift();
      next.start();
    }
  };
  const take = (asked: Resources): Share => {
    const { cpus = 0, gpus = 0, memoryBytes = 0 } = asked;
    free.cpus -= cpus;
    free.gpus -= gpus;
    free.memoryBytes -= memoryBytes;
    const own = freeGpus.splice(0, gpus);
    let held = true;
    return {
      environment: asked.gpus === undefined ? {} : { CUDA_VISIBLE_DEVICES: own.join(",") },
      release() {
        if (!held) return;
        held = false;
        free.cpus += cpus;
        free.gpus += gpus;
        free.memoryBytes += memoryBytes;
        freeGpus.push(...own);
        serve();
      },
    };
  };
  return {
    total,
    take(asked, signal) {
      if (waiting.length === 0 && hasRoomFor(free, asked)) return Promise.resolve(take(asked));
      return new Promise((resolve, reject) => {
        const entry = {
          asked,
          start: () => {
            signal?.removeEventListener("abort", leave);
            resolve(take(asked));
          },
        };
        const leave = (): void => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason)));
          serve();
        };
        waiting.push(entry);
        signal?.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
