import type { ColumnDefinitionBuilder, Kysely } from "kysely";
import type { Migration } from "../migrate.ts";

const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull();

/** Registered models and versions, logged models, webhooks. */
export const registryMigration: Migration = {
  name: "registry",
  async up(database) {
    await createRegisteredModels(database);
    await createLoggedModels(database);
    await createWebhooks(database);
  },
};

async function createRegisteredModels(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("registered_model")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", required)
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("description", "text")
    .addColumn("created_at_ms", "bigint", required)
    .addColumn("updated_at_ms", "bigint", required)
    .addColumn("last_version", "bigint", required)
    .addColumn("is_prompt", "smallint", required)
    .execute();
  await database.schema
    .createIndex("registered_model_updated")
    .on("registered_model")
    .columns(["updated_at_ms", "name"] as never)
    .execute();
  await createPairs(database, "registered_model_tag", "registered_model_id");
  await addPosition(database, "registered_model_tag");
  await database.schema
    .createTable("registered_model_alias")
    .addColumn("registered_model_id", "text", required)
    .addColumn("alias", "text", required)
    .addColumn("version", "bigint", required)
    .addPrimaryKeyConstraint("registered_model_alias_key", ["registered_model_id", "alias"] as never)
    .execute();
  await database.schema
    .createTable("model_version")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("registered_model_id", "text", required)
    .addColumn("version", "bigint", required)
    .addColumn("created_at_ms", "bigint", required)
    .addColumn("updated_at_ms", "bigint", required)
    .addColumn("description", "text")
    .addColumn("stage", "text", required)
    .addColumn("source", "text", required)
    .addColumn("storage_location", "text", required)
    .addColumn("run_id", "text")
    .addColumn("run_link", "text")
    .addColumn("logged_model_id", "text")
    .addColumn("asset_version_id", "text")
    .addColumn("actor", "text", required)
    .addUniqueConstraint("model_version_number", ["registered_model_id", "version"] as never)
    .execute();
  await database.schema
    .createIndex("model_version_run")
    .on("model_version")
    .columns(["run_id"] as never)
    .execute();
  await database.schema
    .createIndex("model_version_asset")
    .on("model_version")
    .columns(["asset_version_id"] as never)
    .execute();
  await database.schema
    .createIndex("model_version_updated")
    .on("model_version")
    .columns(["updated_at_ms"] as never)
    .execute();
  await createPairs(database, "model_version_tag", "model_version_id");
  await addPosition(database, "model_version_tag");
}

async function createLoggedModels(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("logged_model")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("experiment_id", "text", required)
    .addColumn("name", "text", required)
    .addColumn("artifact_uri", "text", required)
    .addColumn("created_at_ms", "bigint", required)
    .addColumn("updated_at_ms", "bigint", required)
    .addColumn("status", "text", required)
    .addColumn("model_type", "text")
    .addColumn("source_run_id", "text")
    .addColumn("deleted", "smallint", required)
    .addColumn("deleted_at_ms", "bigint")
    .execute();
  await database.schema
    .createIndex("logged_model_experiment")
    .on("logged_model")
    .columns(["experiment_id", "created_at_ms"] as never)
    .execute();
  await database.schema
    .createIndex("logged_model_run")
    .on("logged_model")
    .columns(["source_run_id"] as never)
    .execute();
  await createPairs(database, "logged_model_param", "logged_model_id");
  await createPairs(database, "logged_model_tag", "logged_model_id");
  await database.schema
    .createTable("logged_model_metric")
    .addColumn("logged_model_id", "text", required)
    .addColumn("key", "text", required)
    .addColumn("dataset_name", "text", required)
    .addColumn("dataset_digest", "text", required)
    .addColumn("run_id", "text", required)
    .addColumn("value", "double precision", required)
    .addColumn("is_nan", "smallint", required)
    .addColumn("timestamp_ms", "bigint", required)
    .addColumn("step", "bigint", required)
    .addPrimaryKeyConstraint("logged_model_metric_key", [
      "logged_model_id",
      "key",
      "run_id",
      "timestamp_ms",
      "step",
      "dataset_name",
      "dataset_digest",
    ] as never)
    .execute();
}

async function createWebhooks(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("webhook")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", required)
    .addColumn("description", "text")
    .addColumn("url", "text", required)
    .addColumn("events", "text", required)
    .addColumn("secret", "text")
    .addColumn("status", "text", required)
    .addColumn("created_at_ms", "bigint", required)
    .addColumn("updated_at_ms", "bigint", required)
    .execute();
  await database.schema
    .createTable("webhook_delivery")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("webhook_id", "text", required)
    .addColumn("body", "text", required)
    .addColumn("state", "text", required)
    .addColumn("attempts", "bigint", required)
    .addColumn("due_at_ms", "bigint", required)
    .addColumn("created_at_ms", "bigint", required)
    .addColumn("response_status", "bigint")
    .addColumn("error", "text")
    .execute();
  await database.schema
    .createIndex("webhook_delivery_due")
    .on("webhook_delivery")
    .columns(["state", "due_at_ms"] as never)
    .execute();
}

/** A table of keys and values below one owner. */
async function createPairs(database: Kysely<never>, table: string, owner: string): Promise<void> {
  await database.schema
    .createTable(table)
    .addColumn(owner, "text", required)
    .addColumn("key", "text", required)
    .addColumn("value", "text", required)
    .addPrimaryKeyConstraint(`${table}_key`, [owner, "key"] as never)
    .execute();
}

/** The order in which a table's rows came. */
async function addPosition(database: Kysely<never>, table: string): Promise<void> {
  await database.schema
    .alterTable(table)
    .addColumn("position", "text", (column) => column.notNull().defaultTo(""))
    .execute();
}
