import type { MetadataStore } from "#metadata-store";
import { savePools } from "#metadata-store/engine";
import type { Pools } from "#pipeline";

/** Makes these the pools of a project, for all engines on its store from their next step on. Idempotent. */
export async function registerPools(
  store: MetadataStore,
  facts: {
    readonly project: string;
    readonly pools: Readonly<Record<string, Pools[string] & { readonly description?: string | undefined }>>;
    readonly atMs: number;
  },
): Promise<void> {
  const pools = Object.entries(facts.pools).map(([name, { slots, description }]) => ({ name, slots, description }));
  await store.write((transaction) => savePools(transaction, { ...facts, pools }));
}
