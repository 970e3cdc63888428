import type { StoreVerification } from "#governance";
import type { StorePlatform } from "./platform.ts";

/** Reads every object, log entry and data file of a store and compares them with their digests. Nothing is changed. */
export async function verifyPlatformStore(
  { store, objects, tableFiles }: StorePlatform,
  signal: AbortSignal,
): Promise<StoreVerification> {
  const { verifyStore } = await import("#governance");
  return verifyStore({ store, objects }, { tableFiles, signal });
}
