import { workerData } from "node:worker_threads";
import type { MetadataStore } from "../metadata-store.ts";
import { openMetadataStore } from "../open-metadata-store.ts";
import { renewLeases } from "./lease.ts";
import { ALIVE, type LeaseKeeping, LONGEST_SILENCE_MS, processMs, RENEWED } from "./lease-keeper.ts";

/*
 * Prolongs the leases of the engine of this process by a connection of its own, as long as its loop is not silent.
 */

const { address, engineId, leaseMs, shared } = workerData as LeaseKeeping;

async function keep(): Promise<never> {
  const times = new Float64Array(shared);
  let store: MetadataStore | undefined;
  for (;;) {
    const sentAt = processMs();
    if (sentAt - (times[ALIVE] ?? 0) < LONGEST_SILENCE_MS) {
      try {
        store ??= await openMetadataStore(address);
        await store.write((transaction) => renewLeases(transaction, { id: engineId, leaseMs }));
        times[RENEWED] = sentAt;
      } catch {
        // The engine says so itself: it writes to the same database.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, leaseMs / 4));
  }
}

// The bundle has no `await` outside functions.
void keep();
