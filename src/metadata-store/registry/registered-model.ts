import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { registeredModelMissing } from "./errors.ts";
import { chunksOf, groupPairs, type KeyValue } from "./key-value.ts";
import { type ModelVersion, readAliases, readLatestVersions } from "./model-version.ts";
import type { RegistryTables } from "./tables.ts";

/** A model's name with what belongs to all its versions. */
export interface RegisteredModel {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
  /** The newest version of each stage. */
  readonly latestVersions: readonly ModelVersion[];
}

export type RegisteredModelRow = Selectable<RegistryTables["registered_model"]>;

/** @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function findRegisteredModel(transaction: ReadTransaction, name: string): Promise<RegisteredModelRow> {
  const row = await transaction.selectFrom("registered_model").selectAll().where("name", "=", name).executeTakeFirst();
  if (row === undefined) throw registeredModelMissing({ name });
  return row;
}

export async function hydrateRegisteredModels(
  transaction: ReadTransaction,
  rows: readonly RegisteredModelRow[],
): Promise<readonly RegisteredModel[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const tags: { owner: string; key: string; value: string }[] = [];
  for (const chunk of chunksOf(ids)) {
    const found = await transaction
      .selectFrom("registered_model_tag")
      .select(["registered_model_id as owner", "key", "value"])
      .where("registered_model_id", "in", chunk)
      .orderBy("position")
      .execute();
    tags.push(...found);
  }
  const tagsOf = groupPairs(tags);
  const aliasesOf = await readAliases(transaction, ids);
  const latestOf = await readLatestVersions(transaction, ids);
  return rows.map((row) => ({
    id: row.id,
    project: row.project,
    name: row.name,
    description: row.description ?? undefined,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    tags: tagsOf.get(row.id) ?? [],
    aliases: aliasesOf.get(row.id) ?? [],
    latestVersions: latestOf.get(row.id) ?? [],
  }));
}
