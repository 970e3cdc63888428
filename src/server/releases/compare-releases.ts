import type { ReleaseComparison, ReleaseDifference, VersionReference } from "#api";
import type { Platform } from "#app";
import { compareSettings, sideMissing } from "#delivery";
import { listVersionHeads, type ReadTransaction } from "#metadata-store";
import { getRelease, listDeployed, listReleasesById, type Release } from "#metadata-store/delivery";
import { toReferences } from "../api/version-reference.ts";

const KIND_ORDER = ["code", "model", "features", "data", "notebook", "report"];

/**
 * What differs between two releases, or between what is live in two environments: versions of every load, and how they
 * are deployed. @throws DELIVERY_RELEASE_UNKNOWN
 */
export async function compareReleases(
  { store, project, rules }: Pick<Platform, "store" | "project" | "rules">,
  sides: { readonly from: string; readonly to: string },
): Promise<ReleaseComparison> {
  const environments = rules.current().map(({ name }) => name);
  return store.read(async (transaction) => {
    const from = await readSide(transaction, { project, side: sides.from, environments });
    const to = await readSide(transaction, { project, side: sides.to, environments });
    const [before, after] = await Promise.all([itemsOf(transaction, from), itemsOf(transaction, to)]);
    const assets = [...new Set([...before.keys(), ...after.keys()])];
    const all = assets.map((asset): ReleaseDifference => {
      const [left, right] = [before.get(asset) ?? [], after.get(asset) ?? []];
      return { asset, kind: (right[0] ?? left[0])?.kind ?? "code", before: left, after: right };
    });
    const differences = all.filter((one) => idsOf(one.before) !== idsOf(one.after)).toSorted(byKind);
    return {
      from: from.map(({ id }) => id),
      to: to.map(({ id }) => id),
      differences,
      same: all.length - differences.length,
      settings: to.flatMap((release) => {
        const other = from.find(({ asset }) => asset === release.asset);
        return other === undefined ? [] : compareSettings(other, release);
      }),
    };
  });
}

function byKind(left: ReleaseDifference, right: ReleaseDifference): number {
  const rank = ({ kind }: ReleaseDifference): number => KIND_ORDER.indexOf(kind);
  return rank(left) - rank(right) || (left.asset < right.asset ? -1 : 1);
}

function idsOf(references: readonly VersionReference[]): string {
  return references
    .map(({ id }) => id)
    .toSorted()
    .join(" ");
}

async function readSide(
  transaction: ReadTransaction,
  facts: { readonly project: string; readonly side: string; readonly environments: readonly string[] },
): Promise<readonly Release[]> {
  const { project, side, environments } = facts;
  if (environments.includes(side)) {
    const deployed = await listDeployed(transaction, { project, environment: side });
    const found = await listReleasesById(
      transaction,
      deployed.map(({ releaseId }) => releaseId),
    );
    return [...found.values()];
  }
  const release = await getRelease(transaction, { id: side });
  if (release === undefined || release.project !== project) throw sideMissing({ side, environments });
  return [release];
}

/** Versions by asset; a release may hold several of one. */
async function itemsOf(
  transaction: ReadTransaction,
  releases: readonly Release[],
): Promise<ReadonlyMap<string, readonly VersionReference[]>> {
  const ids = [...new Set(releases.flatMap(({ versions }) => versions.map(({ versionId }) => versionId)))];
  const heads = await listVersionHeads(transaction, ids);
  const references = toReferences(
    heads,
    ids.map((id) => ({ id })),
  );
  return Map.groupBy(references, ({ asset }) => asset);
}
