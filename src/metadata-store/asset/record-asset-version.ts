import { type Digest, newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { inputsDigest, settledContent } from "../event/told-digest.ts";
import { forgetAssetPartitions, noteAssetPartition } from "./asset-partition.ts";
import { type AssetKind, type AssetVersion, toAssetVersion } from "./asset-version.ts";

export interface NewAssetVersion {
  readonly project: string;
  readonly asset: string;
  readonly kind: AssetKind;
  readonly digest: Digest;
  readonly madeAtMs: number;
  readonly actor: string;
  readonly pipelineRunId?: string | undefined;
  readonly stepRunId?: string | undefined;
  /** The part of the asset that was made; the others are as they were. */
  readonly partition?: string | undefined;
  readonly rowCount?: number | undefined;
  readonly sizeBytes?: number | undefined;
  readonly content: object;
  /** What it was made from: asset version ids and the part each played (`input`, `spine`, `champion`, …). */
  readonly inputs: readonly { readonly versionId: string; readonly role: string }[];
}

/**
 * Content of a version made before recipes, with that of the step that makes the same content now; undefined when
 * there is nothing to add.
 */
function withRecipe(stored: object, made: object): string | undefined {
  if ("recipe" in stored || !("recipe" in made)) return undefined;
  return JSON.stringify({ ...stored, recipe: made.recipe });
}

/**
 * Makes the next version of an asset visible, and its event `asset_version.made`.
 *
 * Content equal to the latest version's makes no new version: that one is returned, `created: false`.
 * Callers check the attempt's fencing token in the same transaction.
 */
export async function recordAssetVersion(
  transaction: WriteTransaction,
  made: NewAssetVersion,
): Promise<{ readonly version: AssetVersion; readonly created: boolean }> {
  const recorded = await recordVersion(transaction, made);
  const { project, asset, partition, stepRunId } = made;
  if (partition !== undefined && stepRunId !== undefined)
    await noteAssetPartition(transaction, {
      project,
      asset,
      partition,
      stepRunId,
      versionId: recorded.version.id,
      isChanged: recorded.created,
      atMs: made.madeAtMs,
    });
  else if (recorded.created) await forgetAssetPartitions(transaction, { project, asset });
  return recorded;
}

async function recordVersion(
  transaction: WriteTransaction,
  made: NewAssetVersion,
): Promise<{ readonly version: AssetVersion; readonly created: boolean }> {
  await transaction
    .insertInto("asset")
    .values({
      project: made.project,
      name: made.asset,
      kind: made.kind,
      latest_version: 0,
      created_at_ms: made.madeAtMs,
      dropped_at_ms: null,
    })
    .onConflict((conflict) => conflict.columns(["project", "name"]).doNothing())
    .execute();
  const latest = await transaction
    .selectFrom("asset_version")
    .selectAll()
    .where("project", "=", made.project)
    .where("asset", "=", made.asset)
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  if (latest?.digest === made.digest) {
    const content = withRecipe(toAssetVersion(latest).content, made.content);
    if (content === undefined) return { version: toAssetVersion(latest), created: false };
    await transaction.updateTable("asset_version").set({ content }).where("id", "=", latest.id).execute();
    return { version: toAssetVersion({ ...latest, content }), created: false };
  }
  const { latest_version: number } = await transaction
    .updateTable("asset")
    .set((update) => ({ latest_version: update("latest_version", "+", 1), kind: made.kind, dropped_at_ms: null }))
    .where("project", "=", made.project)
    .where("name", "=", made.asset)
    .returning("latest_version")
    .executeTakeFirstOrThrow();
  const row = {
    id: newId(made.madeAtMs),
    project: made.project,
    asset: made.asset,
    kind: made.kind,
    version: number,
    digest: made.digest,
    made_at_ms: made.madeAtMs,
    pipeline_run_id: made.pipelineRunId ?? null,
    step_run_id: made.stepRunId ?? null,
    row_count: made.rowCount ?? null,
    size_bytes: made.sizeBytes ?? null,
    content: JSON.stringify(made.content),
    expired_at_ms: null,
  };
  await transaction.insertInto("asset_version").values(row).execute();
  if (made.inputs.length > 0) {
    await transaction
      .insertInto("asset_version_input")
      .values(made.inputs.map(({ versionId, role }) => ({ version_id: row.id, input_version_id: versionId, role })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await appendEvent(transaction, {
    atMs: made.madeAtMs,
    project: made.project,
    type: "asset_version.made",
    subjectKind: "asset",
    subject: made.asset,
    actor: made.actor,
    data: {
      id: row.id,
      kind: made.kind,
      version: number,
      digest: made.digest,
      stepRunId: made.stepRunId,
      rowCount: made.rowCount,
      content: settledContent(row.content),
      inputs: inputsDigest(made.inputs),
    },
  });
  return { version: toAssetVersion(row), created: true };
}
