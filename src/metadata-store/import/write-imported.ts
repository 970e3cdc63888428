import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { addLoggedModelMetrics } from "../registry/change-logged-model.ts";
import { isPromptTag } from "../registry/create-registered-model.ts";
import { chunksOf, lastOfEachKey } from "../registry/key-value.ts";
import { createExperiment, setExperimentStage, setExperimentTag } from "../tracking/change-experiment.ts";
import { createRun, setRunTags } from "../tracking/change-run.ts";
import { findExperiment } from "../tracking/experiment.ts";
import { logParams } from "../tracking/log-run.ts";
import { findRun, type RunInfo } from "../tracking/run.ts";
import { logDatasets, logRunModels } from "../tracking/run-inputs.ts";
import type { SourceExperiment, SourceLoggedModel, SourceRegisteredModel, SourceRun } from "./mlflow-source.ts";

interface ImportFacts {
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

/**
 * Takes over an experiment; one of the same name is the same experiment. `location` says where its artifacts are, given
 * the id here.
 */
export async function importExperiment(
  transaction: WriteTransaction,
  facts: ImportFacts & { readonly experiment: SourceExperiment; readonly location: (experimentId: number) => string },
): Promise<{
  readonly experimentId: number;
  readonly created: boolean;
  readonly artifactLocation: string | undefined;
}> {
  const { experiment, project, atMs, actor } = facts;
  const known = await findExperiment(transaction, { name: experiment.name });
  if (known !== undefined) {
    for (const [index, tag] of experiment.tags.entries())
      await setExperimentTag(transaction, { experimentId: known.experimentId, ...tag, sequence: atMs * 1000 + index });
    return { experimentId: known.experimentId, created: false, artifactLocation: known.artifactLocation };
  }
  const experimentId = await createExperiment(transaction, {
    project,
    name: experiment.name,
    artifactLocation: facts.location,
    tags: experiment.tags,
    atMs: experiment.createdAtMs,
    actor,
  });
  if (experimentId === undefined) throw new Error(`experiment ${experiment.name} appeared twice in one transaction`);
  await transaction
    .updateTable("experiment")
    .set({ last_update_time: experiment.updatedAtMs })
    .where("experiment_id", "=", experimentId)
    .execute();
  if (experiment.deleted)
    await setExperimentStage(transaction, { experimentId, project, atMs, actor, stage: "deleted" });
  return { experimentId, created: true, artifactLocation: facts.location(experimentId) };
}

/**
 * Takes over a run without its metrics; one of the same id is brought up to date. A param that differs keeps its value
 * here.
 */
export async function importRun(
  transaction: WriteTransaction,
  facts: ImportFacts & { readonly run: SourceRun; readonly experimentId: number; readonly artifactUri: string },
): Promise<{ readonly run: RunInfo; readonly created: boolean; readonly paramConflicts: number }> {
  const { run: source, experimentId, project, artifactUri, atMs, actor } = facts;
  const known = await findRun(transaction, source.runId);
  const run =
    known ??
    (await createRun(transaction, {
      runId: source.runId,
      experimentId,
      project,
      runName: source.name,
      userId: source.userId,
      startTimeMs: source.startTimeMs,
      artifactUri,
      tags: [],
      atMs,
      actor,
    }));
  await setRunTags(transaction, run.number, source.tags, atMs);
  const conflicts = await logParams(transaction, run.number, lastOfEachKey(source.params), atMs);
  await transaction
    .updateTable("run")
    .set({
      status: source.status,
      end_time: source.endTimeMs ?? null,
      run_name: source.name,
      lifecycle_stage: source.deleted ? "deleted" : "active",
    })
    .where("number", "=", run.number)
    .execute();
  await logDatasets(transaction, run, source.datasets, atMs);
  await logRunModels(transaction, { run: run.number, direction: "input", models: source.modelInputs, atMs });
  await logRunModels(transaction, { run: run.number, direction: "output", models: source.modelOutputs, atMs });
  return { run, created: known === undefined, paramConflicts: conflicts.length };
}

/** Takes over a logged model with everything that belongs to it; one of the same id is brought up to date. */
export async function importLoggedModel(
  transaction: WriteTransaction,
  facts: ImportFacts & {
    readonly model: SourceLoggedModel;
    readonly experimentId: number;
    readonly artifactUri: string;
  },
): Promise<{ readonly created: boolean }> {
  const { model, experimentId, artifactUri, atMs, actor, project } = facts;
  const changing = {
    status: model.status,
    updated_at_ms: model.updatedAtMs,
    deleted: model.deleted ? 1 : 0,
    deleted_at_ms: model.deleted ? model.updatedAtMs : null,
  };
  const known = await transaction
    .updateTable("logged_model")
    .set(changing)
    .where("id", "=", model.id)
    .returning("id")
    .executeTakeFirst();
  if (known === undefined) {
    await transaction
      .insertInto("logged_model")
      .values({
        id: model.id,
        experiment_id: String(experimentId),
        name: model.name,
        artifact_uri: artifactUri,
        created_at_ms: model.createdAtMs,
        model_type: model.modelType ?? null,
        source_run_id: model.sourceRunId ?? null,
        ...changing,
      })
      .execute();
    await appendEvent(transaction, {
      atMs,
      project,
      type: "logged_model.imported",
      subjectKind: "logged_model",
      subject: model.id,
      actor,
    });
  }
  for (const params of chunksOf(lastOfEachKey(model.params), 1000)) {
    await transaction
      .insertInto("logged_model_param")
      .values(params.map((pair) => ({ logged_model_id: model.id, ...pair })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const tags of chunksOf(lastOfEachKey(model.tags), 1000)) {
    await transaction
      .insertInto("logged_model_tag")
      .values(tags.map((pair) => ({ logged_model_id: model.id, ...pair })))
      .onConflict((conflict) =>
        conflict.columns(["logged_model_id", "key"]).doUpdateSet((update) => ({ value: update.ref("excluded.value") })),
      )
      .execute();
  }
  if (model.metrics.length > 0)
    await addLoggedModelMetrics(
      transaction,
      model.metrics.map((metric) => ({ ...metric, loggedModelId: model.id })),
    );
  return { created: known === undefined };
}

/**
 * Takes over a registered model with its versions, tags and aliases. A version that is here already stays as it is:
 * versions are immutable, and what was decided about them here counts. Aliases that are here already stay where they
 * point.
 *
 * @returns `conflicts`: versions whose number another version has here; they were not taken
 */
export async function importRegisteredModel(
  transaction: WriteTransaction,
  facts: ImportFacts & {
    readonly model: SourceRegisteredModel;
    readonly locate: (location: string, runId: string | undefined) => string;
  },
): Promise<{
  readonly created: boolean;
  readonly versions: number;
  readonly aliases: number;
  readonly conflicts: number;
}> {
  const { model, project, atMs, actor } = facts;
  const isPrompt = isPromptTag(model.tags) ? 1 : 0;
  const row = {
    id: newId(atMs),
    project,
    name: model.name,
    description: model.description ?? null,
    created_at_ms: model.createdAtMs,
    updated_at_ms: model.updatedAtMs,
    last_version: model.lastVersion,
    is_prompt: isPrompt,
  };
  const added = await transaction
    .insertInto("registered_model")
    .values(row)
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("id")
    .executeTakeFirst();
  const { id, last_version: lastVersion } = await transaction
    .selectFrom("registered_model")
    .select(["id", "last_version"])
    .where("name", "=", model.name)
    .executeTakeFirstOrThrow();
  if (lastVersion < model.lastVersion)
    await transaction
      .updateTable("registered_model")
      .set({ last_version: model.lastVersion })
      .where("id", "=", id)
      .execute();
  for (const tag of lastOfEachKey(model.tags)) {
    await transaction
      .insertInto("registered_model_tag")
      .values({ registered_model_id: id, ...tag, position: newId(atMs) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  const outcomes = { added: 0, known: 0, conflict: 0 };
  for (const version of model.versions)
    outcomes[await importVersion(transaction, { ...facts, modelId: id, version })]++;
  const versions = outcomes.added;
  const aliases = new Map<string, number>();
  for (const { alias, version } of model.aliases) {
    const set = await transaction
      .insertInto("registered_model_alias")
      .values({ registered_model_id: id, alias, version })
      .onConflict((conflict) => conflict.doNothing())
      .returning("alias")
      .executeTakeFirst();
    if (set !== undefined) aliases.set(alias, version);
  }
  if (added !== undefined || versions > 0 || aliases.size > 0) {
    await appendEvent(transaction, {
      atMs,
      project,
      type: "registered_model.imported",
      subjectKind: "registered_model",
      subject: model.name,
      actor,
      data: { versions, aliases: Object.fromEntries(aliases) },
    });
  }
  return { created: added !== undefined, versions, aliases: aliases.size, conflicts: outcomes.conflict };
}

async function importVersion(
  transaction: WriteTransaction,
  facts: ImportFacts & {
    readonly modelId: string;
    readonly version: SourceRegisteredModel["versions"][number];
    readonly locate: (location: string, runId: string | undefined) => string;
  },
): Promise<"added" | "known" | "conflict"> {
  const { version, modelId, locate, atMs, actor } = facts;
  const id = newId(atMs);
  const added = await transaction
    .insertInto("model_version")
    .values({
      id,
      registered_model_id: modelId,
      version: version.version,
      created_at_ms: version.createdAtMs,
      updated_at_ms: version.updatedAtMs,
      description: version.description ?? null,
      stage: version.stage,
      source: locate(version.source, version.runId),
      storage_location: locate(version.storageLocation, version.runId),
      run_id: version.runId ?? null,
      run_link: version.runLink ?? null,
      logged_model_id: version.loggedModelId ?? null,
      asset_version_id: null,
      actor: version.userId ?? actor,
    })
    .onConflict((conflict) => conflict.columns(["registered_model_id", "version"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  if (added === undefined) {
    const known = await transaction
      .selectFrom("model_version")
      .select("created_at_ms")
      .where("registered_model_id", "=", modelId)
      .where("version", "=", version.version)
      .executeTakeFirst();
    return known?.created_at_ms === version.createdAtMs ? "known" : "conflict";
  }
  for (const tag of lastOfEachKey(version.tags)) {
    await transaction
      .insertInto("model_version_tag")
      .values({ model_version_id: id, ...tag, position: newId(atMs) })
      .execute();
  }
  return "added";
}
