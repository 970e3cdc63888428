import type { Digest } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";

/** What of a feature view is online. */
export interface FeatureViewState {
  readonly project: string;
  readonly view: string;
  readonly definitionDigest: Digest;
  readonly sourceVersionId: string;
  readonly sourceVersion: number;
  readonly generation: number;
  readonly materializedAtMs: number;
  readonly rowCount: number;
}

const MOST_VIEWS = 10_000;

/** The views of a project that are online, by name; at most 10,000. */
export async function listFeatureViewStates(
  transaction: ReadTransaction,
  project: string,
): Promise<readonly FeatureViewState[]> {
  const rows = await transaction
    .selectFrom("feature_view_state")
    .selectAll()
    .where("project", "=", project)
    .orderBy("view")
    .limit(MOST_VIEWS)
    .execute();
  return rows.map((row) => ({
    project: row.project,
    view: row.view,
    definitionDigest: row.definition_digest as Digest,
    sourceVersionId: row.source_version_id,
    sourceVersion: row.source_version,
    generation: row.generation,
    materializedAtMs: row.materialized_at_ms,
    rowCount: row.row_count,
  }));
}

/**
 * Makes a materialization the one that is read, and its event `feature_view.materialized`.
 *
 * @returns false, and changes nothing, when another process has put an equal or later source version online meanwhile
 */
export async function setFeatureViewState(
  transaction: WriteTransaction,
  state: FeatureViewState,
  previous: FeatureViewState | undefined,
): Promise<boolean> {
  const values = {
    project: state.project,
    view: state.view,
    definition_digest: state.definitionDigest,
    source_version_id: state.sourceVersionId,
    source_version: state.sourceVersion,
    generation: state.generation,
    materialized_at_ms: state.materializedAtMs,
    row_count: state.rowCount,
  };
  if (previous === undefined) {
    const inserted = await transaction
      .insertInto("feature_view_state")
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .returning("view")
      .execute();
    if (inserted.length === 0) return false;
  } else {
    const updated = await transaction
      .updateTable("feature_view_state")
      .set(values)
      .where("project", "=", state.project)
      .where("view", "=", state.view)
      .where("source_version_id", "=", previous.sourceVersionId)
      .where("generation", "=", previous.generation)
      .where("definition_digest", "=", previous.definitionDigest)
      .returning("view")
      .execute();
    if (updated.length === 0) return false;
  }
  await appendEvent(transaction, {
    atMs: state.materializedAtMs,
    project: state.project,
    type: "feature_view.materialized",
    subjectKind: "feature_view",
    subject: state.view,
    actor: "engine",
    data: {
      sourceVersionId: state.sourceVersionId,
      sourceVersion: state.sourceVersion,
      rows: state.rowCount,
      definitionDigest: state.definitionDigest,
    },
  });
  return true;
}
