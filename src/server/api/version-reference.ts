import type { AssetVersionSummary, VersionReference } from "#api";
import { type AssetVersion, findStepRun, getAssetVersion, getVersionGraph, type ReadTransaction } from "#metadata-store";

/** Enough of a version to name it and to link to it. */
export function toReference(version: AssetVersion, role?: string): VersionReference {
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

/** A version in a list, with the step that made it and what it was made from. */
export async function toVersionSummary(transaction: ReadTransaction, version: AssetVersion): Promise<AssetVersionSummary> {
  const stepRun = version.stepRunId === undefined ? undefined : await findStepRun(transaction, version.stepRunId);
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
    pipeline: stepRun?.pipeline,
    step: stepRun?.step,
    pipelineRunId: version.pipelineRunId,
    stepRunId: version.stepRunId,
    quarantinedCount: quarantine?.quarantined,
    inputs: await directInputs(transaction, version.id),
  };
}

/** The versions that one was made from, without theirs. */
export async function directInputs(transaction: ReadTransaction, versionId: string): Promise<readonly VersionReference[]> {
  const { versions, edges } = await getVersionGraph(transaction, versionId, "upstream");
  return edges.filter((edge) => edge.to === versionId).flatMap((edge) => versions.filter((version) => version.id === edge.from).map((version) => toReference(version, edge.role)));
}

/** The versions that stand behind ids, unknown ones left out. */
export async function referencesOf(transaction: ReadTransaction, ids: readonly { readonly id: string; readonly role?: string }[]): Promise<readonly VersionReference[]> {
  const found: VersionReference[] = [];
  for (const { id, role } of ids) {
    const version = await getAssetVersion(transaction, { id });
    if (version !== undefined) found.push(toReference(version, role));
  }
  return found;
}
