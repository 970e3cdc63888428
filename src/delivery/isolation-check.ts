import { findWeaklyMade, type WeaklyMade } from "#engine";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import { type Environment, isolationOf } from "./environment.ts";
import { isolationTooWeak } from "./errors.ts";

/** What of a version was made with less isolation than an environment requires. */
export async function findWeakness(
  version: AssetVersion,
  environment: Environment,
  store: MetadataStore,
): Promise<WeaklyMade | undefined> {
  const required = isolationOf(environment)?.atLeast;
  return required === undefined
    ? undefined
    : store.read((transaction) => findWeaklyMade(transaction, version, required));
}

/**
 * Refuses a version for an environment that requires more isolation than it, or anything it was made from, was made
 * with.
 *
 * @throws DELIVERY_ISOLATION_TOO_WEAK
 */
export async function assertIsolated(
  version: AssetVersion,
  environment: Environment,
  store: MetadataStore,
): Promise<void> {
  const weak = await findWeakness(version, environment, store);
  if (weak === undefined) return;
  throw isolationTooWeak({
    asset: version.asset,
    version: version.version,
    environment: environment.name,
    required: isolationOf(environment)?.atLeast ?? "none",
    made: `${weak.version.asset} ${weak.version.version}`,
    level: weak.level,
  });
}
