import { type Selectable, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { chunksOf, groupPairs, type KeyValue } from "./key-value.ts";
import type { ModelStage, RegistryTables } from "./tables.ts";

/** A numbered version of a registered model. */
export interface ModelVersion {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly description: string | undefined;
  readonly stage: ModelStage;
  /** As the client gave it: `runs:/…`, `models:/m-…`, a location. */
  readonly source: string;
  /** Where the files are. */
  readonly storageLocation: string;
  readonly runId: string | undefined;
  readonly runLink: string | undefined;
  readonly loggedModelId: string | undefined;
  readonly assetVersionId: string | undefined;
  readonly actor: string;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly string[];
}

export type ModelVersionRow = Selectable<RegistryTables["model_version"]> & { readonly name: string };

/** Adds tags and aliases to rows: two statements per 5,000. */
export async function hydrateModelVersions(
  transaction: ReadTransaction,
  rows: readonly ModelVersionRow[],
): Promise<readonly ModelVersion[]> {
  if (rows.length === 0) return [];
  const tags: { owner: string; key: string; value: string }[] = [];
  for (const ids of chunksOf(rows.map((row) => row.id))) {
    const found = await transaction
      .selectFrom("model_version_tag")
      .select(["model_version_id as owner", "key", "value"])
      .where("model_version_id", "in", ids)
      .orderBy("position")
      .execute();
    tags.push(...found);
  }
  const tagsOf = groupPairs(tags);
  const aliasesOf = await readAliases(transaction, [...new Set(rows.map((row) => row.registered_model_id))]);
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    version: row.version,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    description: row.description ?? undefined,
    stage: row.stage,
    source: row.source,
    storageLocation: row.storage_location,
    runId: row.run_id ?? undefined,
    runLink: row.run_link ?? undefined,
    loggedModelId: row.logged_model_id ?? undefined,
    assetVersionId: row.asset_version_id ?? undefined,
    actor: row.actor,
    tags: tagsOf.get(row.id) ?? [],
    aliases: (aliasesOf.get(row.registered_model_id) ?? [])
      .filter(({ version }) => version === row.version)
      .map(({ alias }) => alias),
  }));
}

/** Aliases by registered model id, sorted. */
export async function readAliases(
  transaction: ReadTransaction,
  modelIds: readonly string[],
): Promise<ReadonlyMap<string, readonly { readonly alias: string; readonly version: number }[]>> {
  const aliases = new Map<string, { alias: string; version: number }[]>();
  for (const ids of chunksOf(modelIds)) {
    const rows = await transaction
      .selectFrom("registered_model_alias")
      .selectAll()
      .where("registered_model_id", "in", ids)
      .orderBy("alias")
      .execute();
    for (const { registered_model_id: owner, alias, version } of rows) {
      const group = aliases.get(owner);
      if (group === undefined) aliases.set(owner, [{ alias, version }]);
      else group.push({ alias, version });
    }
  }
  return aliases;
}

/** The newest version of each stage, by model id; stages by name, as MLflow answers them. */
export async function readLatestVersions(
  transaction: ReadTransaction,
  modelIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ModelVersion[]>> {
  const latest = new Map<string, ModelVersion[]>();
  for (const ids of chunksOf(modelIds)) {
    const newest = transaction
      .selectFrom("model_version")
      .select((select) => ["registered_model_id as owner", "stage", select.fn.max("version").as("newest")])
      .where("registered_model_id", "in", ids)
      .groupBy(["registered_model_id", "stage"])
      .as("latest");
    const rows = await transaction
      .selectFrom("model_version")
      .innerJoin(newest, (join) =>
        join
          .onRef("latest.owner", "=", "model_version.registered_model_id")
          .on(sql<boolean>`latest.newest = model_version.version`),
      )
      .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
      .selectAll("model_version")
      .select("registered_model.name")
      .orderBy("model_version.stage")
      .execute();
    const versions = await hydrateModelVersions(transaction, rows);
    for (const [index, version] of versions.entries()) {
      const owner = rows[index]?.registered_model_id ?? "";
      const group = latest.get(owner);
      if (group === undefined) latest.set(owner, [version]);
      else group.push(version);
    }
  }
  return latest;
}
