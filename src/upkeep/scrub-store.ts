import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "#base";
import { appendEvent, listEvents, type MetadataStore } from "#metadata-store";
import { holdUpkeep } from "#metadata-store/upkeep";
import { digestOfNewFile } from "#storage";
import { type Damage, type StoreVerification, verifyStore, type VerifyOptions } from "./verify-store.ts";

/** What the event of a verification names; the rest is counted. */
const MOST_NAMED = 100;
const LOOKED_BACK = 50;
/** A verification that has not ended by then was killed. Damage is looked at again after it, too. */
const LONGEST_MS = 24 * 3600_000;
const SUBJECT = { subjectKind: "store", subject: "store" } as const;

/** The last verification that ended, as its event tells. */
export interface LastVerification {
  readonly atMs: number;
  /** Files that are not what was recorded. */
  readonly damaged: number;
  /** The first of them. */
  readonly damages: readonly Damage[];
}

type ScrubParts = Pick<VerifyOptions, "store" | "objects" | "tableFiles" | "artifacts"> & {
  readonly clock: Clock;
  readonly project: string;
  /** The start of a file's path that is left out where it is told. */
  readonly folder: string;
};

/**
 * Verifies every byte of a store, no faster than `bytesPerSecond`, if nobody did for so long; with the events
 * `store.verification_began` and `store.verified`. Of several servers on a store one does it. A store in which damage
 * was found is looked at again after a day.
 *
 * @returns undefined when it is not due, or somebody else is at it
 */
export async function scrubStore(
  parts: ScrubParts,
  request: {
    readonly everyMs: number;
    readonly bytesPerSecond: number;
    readonly actor: string;
    readonly signal: AbortSignal;
  },
): Promise<StoreVerification | undefined> {
  const { store, clock, project, folder } = parts;
  const { actor, signal } = request;
  const startedAtMs = clock.now();
  if (!(await claim(parts, request))) return undefined;
  const pace = createPace(request.bytesPerSecond, signal);
  const { damages, ...counts } = await verifyStore({
    ...parts,
    depth: "bytes",
    signal,
    digestFile: (path) => digestOfNewFile(path, pace),
  });
  const told = damages.map((damage) => ({ ...damage, file: within(folder, damage.file) }));
  await store.write((transaction) =>
    appendEvent(transaction, {
      ...SUBJECT,
      atMs: clock.now(),
      project,
      type: "store.verified",
      actor,
      data: {
        ...counts,
        durationMs: clock.now() - startedAtMs,
        damaged: damages.length,
        damages: told.slice(0, MOST_NAMED),
      },
    }),
  );
  return { ...counts, damages: told };
}

/** @returns undefined before the first */
export async function findLastVerification(store: MetadataStore): Promise<LastVerification | undefined> {
  const events = await store.read((transaction) =>
    listEvents(transaction, { ...SUBJECT, newestFirst: true, limit: LOOKED_BACK }),
  );
  for (const event of events)
    if (event.type === "store.verified") {
      const { damaged, damages } = event.data;
      return { atMs: event.atMs, damaged, damages };
    }
  return undefined;
}

async function claim(
  { store, clock, project }: ScrubParts,
  { everyMs, actor }: { readonly everyMs: number; readonly actor: string },
): Promise<boolean> {
  return store.write(async (transaction) => {
    await holdUpkeep(transaction);
    const nowMs = clock.now();
    const events = await listEvents(transaction, { ...SUBJECT, newestFirst: true, limit: LOOKED_BACK });
    const lastOf = (type: string): number => events.find((event) => event.type === type)?.atMs ?? -Infinity;
    const last = events.find((event) => event.type === "store.verified");
    // What was damaged may have been mended.
    const isDamaged = last?.type === "store.verified" && last.data.damaged > 0;
    const pauseMs = isDamaged ? Math.min(everyMs, LONGEST_MS) : everyMs;
    if (lastOf("store.verified") > nowMs - pauseMs) return false;
    if (lastOf("store.verification_began") > nowMs - Math.min(everyMs, LONGEST_MS)) return false;
    await appendEvent(transaction, {
      ...SUBJECT,
      atMs: nowMs,
      project,
      type: "store.verification_began",
      actor,
      data: { everyMs },
    });
    return true;
  });
}

/** Waits after each piece for as long as the rate asks for. */
function createPace(bytesPerSecond: number, signal: AbortSignal): (sizeBytes: number) => Promise<void> {
  let dueMs = performance.now();
  return async (sizeBytes) => {
    signal.throwIfAborted();
    dueMs = Math.max(dueMs, performance.now() - 1000) + (sizeBytes / bytesPerSecond) * 1000;
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 1) await delay(aheadMs, undefined, { signal });
  };
}

function within(folder: string, file: string): string {
  return file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}
