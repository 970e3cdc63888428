import type { AssetVersionSummary, VersionReference } from "#api";
import {
  type AssetVersion,
  listDirectInputs,
  listVersionHeads,
  type ReadTransaction,
  type VersionHead,
} from "#metadata-store";
import { nameStepRuns } from "#metadata-store/engine";

/** Enough of a version to name it and to link to it. */
export function toReference(version: VersionHead, role?: string): VersionReference {
  return {
    id: version.id,
    asset: version.asset,
    kind: version.kind,
    version: version.version,
    digest: version.digest,
    role,
    rowCount: version.rowCount,
    sizeBytes: version.sizeBytes,
  };
}

/** Versions in a list, each with the step that made it and what it was made from. */
export async function toVersionSummaries(
  transaction: ReadTransaction,
  versions: readonly AssetVersion[],
): Promise<readonly AssetVersionSummary[]> {
  const steps = await nameStepRuns(
    transaction,
    versions.flatMap(({ stepRunId }) => stepRunId ?? []),
  );
  const inputs = await directInputs(
    transaction,
    versions.map(({ id }) => id),
  );
  return versions.map((version) => {
    const { quarantine } = version.content as { quarantine?: { quarantined?: number } };
    return {
      id: version.id,
      asset: version.asset,
      kind: version.kind,
      version: version.version,
      digest: version.digest,
      madeAtMs: version.madeAtMs,
      rowCount: version.rowCount,
      sizeBytes: version.sizeBytes,
      ...(version.stepRunId === undefined ? {} : steps.get(version.stepRunId)),
      pipelineRunId: version.pipelineRunId,
      stepRunId: version.stepRunId,
      expiredAtMs: version.expiredAtMs,
      quarantinedCount: quarantine?.quarantined,
      inputs: inputs.get(version.id) ?? [],
    };
  });
}

/** The versions that each one was made from, without theirs, by its id. */
async function directInputs(
  transaction: ReadTransaction,
  versionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly VersionReference[]>> {
  const edges = await listDirectInputs(transaction, versionIds);
  const heads = await listVersionHeads(
    transaction,
    [...edges.values()].flat().map(({ versionId }) => versionId),
  );
  return new Map(
    [...edges].map(([id, list]) => [
      id,
      toReferences(
        heads,
        list.map(({ versionId, role }) => ({ id: versionId, role })),
      ),
    ]),
  );
}

/** The versions that stand behind ids, unknown ones left out. */
export async function referencesOf(
  transaction: ReadTransaction,
  ids: readonly { readonly id: string; readonly role?: string }[],
): Promise<readonly VersionReference[]> {
  return toReferences(
    await listVersionHeads(
      transaction,
      ids.map(({ id }) => id),
    ),
    ids,
  );
}

/** References in the order of the ids, unknown ones left out. */
export function toReferences(
  heads: ReadonlyMap<string, VersionHead>,
  ids: readonly { readonly id: string; readonly role?: string }[],
): readonly VersionReference[] {
  return ids.flatMap(({ id, role }) => {
    const head = heads.get(id);
    return head === undefined ? [] : [toReference(head, role)];
  });
}
