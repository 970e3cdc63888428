import { join } from "node:path";
import { after } from "node:test";
import { type Clock, silentLog } from "#base";
import { type Analytics, createAnalytics } from "#data";
import type { MetadataStore } from "#metadata-store";
import { createPredictions, type Predictions } from "#predictions";
import { createFileSystemFiles } from "#storage";
import { temporaryFolder } from "./stores.ts";

/** The predictions of a store, with a folder of its own for what left the database. */
export async function openTestPredictions(
  store: MetadataStore,
  options: { readonly clock?: Clock; readonly folder?: string } = {},
): Promise<Predictions & { readonly folder: string; readonly analytics: Analytics }> {
  const folder = options.folder ?? (await temporaryFolder());
  const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 2 });
  after(() => analytics.close());
  const files = createFileSystemFiles({ root: join(folder, "tables"), allowsLinks: true });
  const { clock } = options;
  return {
    ...createPredictions({ store, analytics, files, log: silentLog, ...(clock === undefined ? {} : { clock }) }),
    folder: join(folder, "tables"),
    analytics,
  };
}
