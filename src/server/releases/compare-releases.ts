import type { ReleaseComparison, ReleaseDifference, VersionReference } from "#api";
import type { Platform } from "#app";
import { compareSettings, sideMissing } from "#delivery";
import { listVersionHeads, type ReadTransaction } from "#metadata-store";
import { getRelease, listDeployed, listReleaseCourses, listReleasesById, type Release } from "#metadata-store/delivery";
import { toReferences } from "../api/version-reference.ts";
import { lookInside } from "./look-inside.ts";

const KIND_ORDER = ["code", "model", "features", "data", "notebook", "report"];

type Parts = Pick<Platform, "store" | "objects" | "project" | "rules" | "delivery" | "changedSources">;

interface Sides {
  readonly from: readonly Release[];
  readonly to: readonly Release[];
}

/**
 * What differs between two releases, or between what is live in two environments: versions of every load, what is in
 * them, and how they are deployed. Without `from`, `to` is compared to what ran before it.
 *
 * @throws DELIVERY_RELEASE_UNKNOWN, DELIVERY_ENVIRONMENT_EMPTY
 */
export async function compareReleases(
  parts: Parts,
  names: { readonly from?: string | undefined; readonly to: string },
): Promise<ReleaseComparison> {
  const { from, to } = await readSides(parts, names);
  const [before, after] = await parts.store.read(async (transaction) => [
    await itemsOf(transaction, from),
    await itemsOf(transaction, to),
  ]);
  const assets = [...new Set([...before.keys(), ...after.keys()])];
  const all = assets.map((asset): ReleaseDifference => {
    const [left, right] = [before.get(asset) ?? [], after.get(asset) ?? []];
    return { asset, kind: (right[0] ?? left[0])?.kind ?? "code", before: left, after: right };
  });
  const differences = all.filter((one) => idsOf(one.before) !== idsOf(one.after)).toSorted(byKind);
  return {
    from: from.map(({ id }) => id),
    to: to.map(({ id }) => id),
    differences: await lookInside(parts, differences),
    same: all.length - differences.length,
    settings: to.flatMap((release) => {
      const other = from.find(({ asset }) => asset === release.asset);
      return other === undefined ? [] : compareSettings(other, release);
    }),
  };
}

async function readSides(
  parts: Parts,
  names: { readonly from?: string | undefined; readonly to: string },
): Promise<Sides> {
  const { store, project, rules, delivery } = parts;
  const environments = rules.current().map(({ name }) => name);
  const { from } = names;
  if (from === undefined && environments.includes(names.to)) {
    const { changes, stays } = await delivery.planTogether({ project, environment: names.to });
    const same = stays.filter(({ isNew }) => !isNew).map(({ release }) => release);
    return {
      from: [...changes.map((change) => change.to), ...same],
      to: [...changes.map((change) => change.from), ...stays.map(({ release }) => release)],
    };
  }
  return store.read(async (transaction) => {
    const to = await readSide(transaction, { project, side: names.to, environments });
    if (from !== undefined) return { from: await readSide(transaction, { project, side: from, environments }), to };
    const ids = to.map(({ id }) => id);
    const courses = await listReleaseCourses(transaction, ids);
    const replaced = ids.flatMap((id) => courses.get(id)?.beforeId ?? []);
    return { from: [...(await listReleasesById(transaction, replaced)).values()], to };
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
