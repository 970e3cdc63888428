import type { VersionReference } from "#api";

/** One asset that differs between two releases; a side that is missing did not hold it. */
export interface ReleaseChange {
  readonly asset: string;
  readonly kind: string;
  readonly from: VersionReference | undefined;
  readonly to: VersionReference | undefined;
}

/**
 * What changes on the way from one release's contents to another's: the deployed asset first, then by kind and name.
 */
export function releaseChanges(
  from: readonly VersionReference[],
  to: readonly VersionReference[],
): readonly ReleaseChange[] {
  const before = newestByAsset(from);
  const after = newestByAsset(to);
  const changes = [...new Set([...after.keys(), ...before.keys()])].flatMap((key): readonly ReleaseChange[] => {
    const [old, next] = [before.get(key), after.get(key)];
    const known = next ?? old;
    return known === undefined || old?.id === next?.id
      ? []
      : [{ asset: known.asset, kind: known.kind, from: old, to: next }];
  });
  return changes.sort(
    (left, right) =>
      rank(left) - rank(right) || left.kind.localeCompare(right.kind) || left.asset.localeCompare(right.asset),
  );
}

/** The version that a release deploys, beside what that was made from. */
export function deployedItem(release: {
  readonly asset: string;
  readonly items: readonly VersionReference[];
}): VersionReference | undefined {
  return (
    release.items.find(({ role }) => role === "deployed") ?? release.items.find(({ asset }) => asset === release.asset)
  );
}

function rank({ from, to }: ReleaseChange): number {
  return [from, to].some((version) => version?.role === "deployed") ? 0 : 1;
}

/** Of an asset that is there in several versions the newest stands for all. */
function newestByAsset(items: readonly VersionReference[]): ReadonlyMap<string, VersionReference> {
  const newest = new Map<string, VersionReference>();
  for (const item of items) {
    const key = `${item.kind} ${item.asset}`;
    const known = newest.get(key);
    if (known === undefined || known.version < item.version) newest.set(key, item);
  }
  return newest;
}
