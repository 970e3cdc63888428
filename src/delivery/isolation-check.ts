import { type AssetVersion, getVersionGraph, type ReadTransaction } from "#metadata-store";
import { listFactsOfMakers } from "#metadata-store/engine";
import { isAtLeast, ISOLATION_LEVELS, type IsolationLevel } from "#pipeline";
import { type Environment, isolationOf } from "./environment.ts";
import { isolationTooWeak } from "./errors.ts";

/**
 * How the processes that made a version were isolated; undefined when the engine made it, or nobody wrote it down. The
 * version says it of the first time; equal content that was made again counts as it was made best.
 */
async function levelOf(transaction: ReadTransaction, version: AssetVersion): Promise<IsolationLevel | undefined> {
  const first = "isolation" in version.content ? version.content.isolation : undefined;
  const again = first === "sandbox" ? [] : await listFactsOfMakers(transaction, version.id);
  const found: readonly unknown[] = [first, ...again.map((facts) => facts["isolation"])];
  return ISOLATION_LEVELS.findLast((level) => found.includes(level));
}

/**
 * Refuses a version for an environment that requires more isolation than it, or anything it was made from, was made
 * with. Of the version itself it must be known.
 *
 * @throws DELIVERY_ISOLATION_TOO_WEAK
 */
export async function assertIsolated(
  transaction: ReadTransaction,
  environment: Environment,
  version: AssetVersion,
): Promise<void> {
  const required = isolationOf(environment)?.atLeast;
  if (required === undefined) return;
  const { versions } = await getVersionGraph(transaction, version.id, "upstream");
  for (const each of versions) {
    const level = await levelOf(transaction, each);
    if (level === undefined ? each.id !== version.id : isAtLeast(level, required)) continue;
    throw isolationTooWeak({
      asset: version.asset,
      version: version.version,
      environment: environment.name,
      required,
      made: `${each.asset} ${each.version}`,
      level,
    });
  }
}
