import type { MetadataStore } from "#metadata-store";
import { type DatabaseFacts, readDatabaseFacts } from "#metadata-store/upkeep";

/** What somebody who looks for a fault wants to know of a store. */
export function readStoreFacts(store: MetadataStore): Promise<DatabaseFacts> {
  return store.read((transaction) => readDatabaseFacts(transaction, store.kind));
}
