import { type AssetVersion, getVersionGraph, type ReadTransaction } from "#metadata-store";
import { listFactsOfMakers } from "#metadata-store/engine";
import { isAtLeast, ISOLATION_LEVELS, type IsolationLevel } from "#pipeline";

/** A version, or one that it was made from, whose processes were kept away less than is required. */
export interface WeaklyMade {
  readonly version: AssetVersion;
  /** Undefined: nobody wrote it down. */
  readonly level: IsolationLevel | undefined;
}

/**
 * The first of a version and all it was made from that was made with less isolation; undefined when there is none. Of
 * the version itself it must be known.
 */
export async function findWeaklyMade(
  transaction: ReadTransaction,
  version: AssetVersion,
  required: IsolationLevel,
): Promise<WeaklyMade | undefined> {
  const { versions } = await getVersionGraph(transaction, version.id, "upstream");
  const unsure = versions.filter((each) => firstLevel(each) !== "sandbox").map(({ id }) => id);
  const makers = await listFactsOfMakers(transaction, unsure);
  for (const each of versions) {
    const level = levelOf(each, makers.get(each.id) ?? []);
    const isEnough = level === undefined ? each.id !== version.id : isAtLeast(level, required);
    if (!isEnough) return { version: each, level };
  }
  return undefined;
}

function firstLevel({ content }: AssetVersion): unknown {
  return "isolation" in content ? content.isolation : undefined;
}

/**
 * How the processes that made a version were isolated; undefined when the engine made it, or nobody wrote it down. The
 * version says it of the first time; equal content that was made again counts as it was made best.
 */
function levelOf(
  version: AssetVersion,
  makers: readonly Readonly<Record<string, unknown>>[],
): IsolationLevel | undefined {
  const found = [firstLevel(version), ...makers.map((facts) => facts["isolation"])];
  return ISOLATION_LEVELS.findLast((level) => found.includes(level));
}
