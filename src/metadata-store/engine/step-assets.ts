import type { AssetVersion } from "../asset/asset-version.ts";
import { toAssetVersion } from "../asset/asset-version.ts";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** Notes which versions a step run read. */
export async function putStepInputs(
  transaction: WriteTransaction,
  facts: {
    readonly stepRunId: string;
    readonly inputs: readonly { readonly asset: string; readonly role: string; readonly versionId: string }[];
    /** Nothing can be there yet. */
    readonly isFirst?: boolean;
  },
): Promise<void> {
  if (facts.isFirst !== true)
    await transaction.deleteFrom("step_input").where("step_run_id", "=", facts.stepRunId).execute();
  if (facts.inputs.length === 0) return;
  await transaction
    .insertInto("step_input")
    .values(
      facts.inputs.map(({ asset, role, versionId }) => ({
        step_run_id: facts.stepRunId,
        asset,
        role,
        version_id: versionId,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Notes which versions a step run gave, whether it made them or reused them. */
export async function putStepOutputs(
  transaction: WriteTransaction,
  facts: {
    readonly stepRunId: string;
    readonly outputs: readonly { readonly asset: string; readonly versionId: string; readonly created: boolean }[];
    /** Nothing can be there yet. */
    readonly isFirst?: boolean;
  },
): Promise<void> {
  if (facts.isFirst !== true)
    await transaction.deleteFrom("step_output").where("step_run_id", "=", facts.stepRunId).execute();
  for (const { asset, versionId, created } of facts.outputs) {
    const row = { version_id: versionId, created: created ? 1 : 0 };
    await transaction
      .insertInto("step_output")
      .values({ step_run_id: facts.stepRunId, asset, ...row })
      .onConflict((conflict) => conflict.columns(["step_run_id", "asset"]).doUpdateSet(row))
      .execute();
  }
}

const IDS_A_STATEMENT = 500;
const MOST_MAKERS = 10_000;

/**
 * Facts of the step runs that gave versions and say how their processes were isolated, by version: equal content may
 * have been made more than once.
 */
export async function listFactsOfMakers(
  transaction: ReadTransaction,
  versionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>> {
  const found = new Map<string, Readonly<Record<string, unknown>>[]>();
  for (let from = 0; from < versionIds.length; from += IDS_A_STATEMENT) {
    const rows = await transaction
      .selectFrom("step_output")
      .innerJoin("step_run", "step_run.id", "step_output.step_run_id")
      .select(["step_output.version_id", "step_run.facts"])
      .where("step_output.version_id", "in", versionIds.slice(from, from + IDS_A_STATEMENT))
      .where("step_run.status", "=", "succeeded")
      .where("step_run.facts", "like", '%"isolation":%')
      .orderBy("step_run.id", "desc")
      .limit(MOST_MAKERS)
      .execute();
    for (const { version_id: id, facts } of rows) {
      const known = found.get(id) ?? [];
      const parsed: Readonly<Record<string, unknown>> = JSON.parse(facts ?? "{}");
      found.set(id, [...known, parsed]);
    }
  }
  return found;
}

/** The version of an asset that a pipeline run has given so far; undefined when no step of it did. */
export async function getRunOutput(
  transaction: ReadTransaction,
  key: { readonly pipelineRunId: string; readonly asset: string },
): Promise<AssetVersion | undefined> {
  const row = await transaction
    .selectFrom("step_run")
    .innerJoin("step_output", "step_output.step_run_id", "step_run.id")
    .innerJoin("asset_version", "asset_version.id", "step_output.version_id")
    .selectAll("asset_version")
    .where("step_run.pipeline_run_id", "=", key.pipelineRunId)
    .where("step_run.status", "=", "succeeded")
    .where("step_output.asset", "=", key.asset)
    .orderBy("asset_version.version", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toAssetVersion(row);
}

/**
 * How the named steps of one pipeline run stand, with their facts: what `${{ steps.x.status }}` and `${{
 * steps.x.facts.y }}` read.
 * A step of several instances has the worst of their statuses, and the facts of the first.
 */
export async function getStepFacts(
  transaction: ReadTransaction,
  key: { readonly pipelineRunId: string; readonly steps: readonly string[] },
): Promise<ReadonlyMap<string, { readonly status: string; readonly facts: object }>> {
  if (key.steps.length === 0) return new Map();
  const rows = await transaction
    .selectFrom("step_run")
    .innerJoin("run_step", (join) =>
      join
        .onRef("run_step.pipeline_run_id", "=", "step_run.pipeline_run_id")
        .onRef("run_step.step", "=", "step_run.step"),
    )
    .select([
      "step_run.step as step",
      "step_run.status as status",
      "step_run.facts as facts",
      "run_step.remaining as remaining",
      "run_step.outcome as outcome",
    ])
    .where("step_run.pipeline_run_id", "=", key.pipelineRunId)
    .where("step_run.step", "in", key.steps)
    .where("step_run.matrix_index", "=", 0)
    .execute();
  return new Map(
    rows.map(({ step, status, facts, remaining, outcome }) => [
      step,
      {
        status: remaining > 0 ? status : statusOf(outcome),
        facts: facts === null ? {} : (JSON.parse(facts) as object),
      },
    ]),
  );
}

/** A step that refused has succeeded: it did its work. */
function statusOf(outcome: string | null): string {
  return outcome === null || outcome === "blocked" ? "succeeded" : outcome;
}

/**
 * How the steps of a pipeline run that have ended otherwise than well ended, and whether the run is being cancelled.
 */
export async function getRunOutcomes(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<{ readonly outcomes: ReadonlyMap<string, string>; readonly isCancelled: boolean }> {
  const run = await transaction
    .selectFrom("pipeline_run")
    .select("cancel_requested")
    .where("id", "=", pipelineRunId)
    .executeTakeFirst();
  const rows = await transaction
    .selectFrom("run_step")
    .select(["step", "outcome"])
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("outcome", "is not", null)
    .execute();
  return {
    outcomes: new Map(rows.map(({ step, outcome }) => [step, outcome ?? ""])),
    isCancelled: (run?.cancel_requested ?? 0) > 0,
  };
}

/** Shows how far a running step run is. */
export async function setStepProgress(
  transaction: WriteTransaction,
  facts: { readonly stepRunId: string; readonly progress: object },
): Promise<void> {
  await transaction
    .updateTable("step_run")
    .set({ progress: JSON.stringify(facts.progress) })
    .where("id", "=", facts.stepRunId)
    .where("status", "=", "running")
    .execute();
}

/** The version of an asset that a pipeline run has read already, so that all its steps read the same. */
export async function getRunInput(
  transaction: ReadTransaction,
  key: { readonly pipelineRunId: string; readonly asset: string },
): Promise<AssetVersion | undefined> {
  const row = await transaction
    .selectFrom("step_run")
    .innerJoin("step_input", "step_input.step_run_id", "step_run.id")
    .innerJoin("asset_version", "asset_version.id", "step_input.version_id")
    .selectAll("asset_version")
    .where("step_run.pipeline_run_id", "=", key.pipelineRunId)
    .where("step_run.status", "=", "succeeded")
    .where("step_input.asset", "=", key.asset)
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toAssetVersion(row);
}
