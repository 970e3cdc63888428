import type { Migration } from "../migrate.ts";

export const assetMigration: Migration = {
  name: "asset",
  async up(database) {
    await database.schema
      .createTable("asset")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("latest_version", "bigint", (column) => column.notNull())
      .addColumn("created_at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("asset_key", ["project", "name"] as never)
      .execute();
    await database.schema
      .createTable("asset_version")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("asset", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("version", "bigint", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("made_at_ms", "bigint", (column) => column.notNull())
      .addColumn("pipeline_run_id", "text")
      .addColumn("step_run_id", "text")
      .addColumn("row_count", "bigint")
      .addColumn("size_bytes", "bigint")
      .addColumn("content", "text", (column) => column.notNull())
      .addUniqueConstraint("asset_version_number", ["project", "asset", "version"] as never)
      .execute();
    await database.schema
      .createIndex("asset_version_digest")
      .on("asset_version")
      .columns(["project", "digest"] as never)
      .execute();
    await database.schema
      .createIndex("asset_version_step_run")
      .on("asset_version")
      .columns(["step_run_id"] as never)
      .execute();
    await database.schema
      .createTable("asset_version_input")
      .addColumn("version_id", "text", (column) => column.notNull())
      .addColumn("input_version_id", "text", (column) => column.notNull())
      .addColumn("role", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("asset_version_input_key", ["version_id", "input_version_id", "role"] as never)
      .execute();
    await database.schema
      .createIndex("asset_version_input_of")
      .on("asset_version_input")
      .columns(["input_version_id"] as never)
      .execute();
  },
};
