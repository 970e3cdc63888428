import type { EnvironmentRollbackPlan, ReleaseHead } from "#api";
import type { Platform } from "#app";
import type { RollbackPlan } from "#delivery";
import { listVersionHeads } from "#metadata-store";
import type { Release } from "#metadata-store/delivery";

/** A plan as the API shows it. */
export async function describeRollback(
  { store }: Pick<Platform, "store">,
  { environment, changes, stays }: RollbackPlan,
): Promise<EnvironmentRollbackPlan> {
  const releases = [...changes.flatMap(({ from, to }) => [from, to]), ...stays.map(({ release }) => release)];
  const heads = await store.read((transaction) =>
    listVersionHeads(
      transaction,
      releases.map(({ versionId }) => versionId),
    ),
  );
  const headOf = ({ id, number, versionId }: Release): ReleaseHead => ({
    id,
    number,
    version: heads.get(versionId)?.version ?? 0,
  });
  return {
    environment,
    changes: changes.map(({ from, to }) => ({
      asset: to.asset,
      kind: heads.get(to.versionId)?.kind ?? "code",
      from: headOf(from),
      to: headOf(to),
    })),
    stays: stays.map(({ release, isNew }) => ({ asset: release.asset, release: headOf(release), isNew })),
  };
}
