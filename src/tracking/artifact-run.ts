import type { MetadataStore } from "#metadata-store";
import { getRunLocation, type RunLocation } from "#metadata-store/registry";
import { runMissing } from "./errors.ts";

/** Where a run keeps its artifacts; deleted runs too. @throws TRACKING_RUN_MISSING */
export async function findArtifactRun(store: MetadataStore, runId: string): Promise<RunLocation> {
  const run = await store.read((transaction) => getRunLocation(transaction, runId));
  if (run === undefined) throw runMissing({ runId });
  return run;
}
