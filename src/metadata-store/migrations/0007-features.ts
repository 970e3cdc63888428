import type { Migration } from "../migrate.ts";

export const featuresMigration: Migration = {
  name: "features",
  async up(database) {
    await database.schema
      .createTable("feature_view_state")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("view", "text", (column) => column.notNull())
      .addColumn("definition_digest", "text", (column) => column.notNull())
      .addColumn("source_version_id", "text", (column) => column.notNull())
      .addColumn("source_version", "bigint", (column) => column.notNull())
      .addColumn("generation", "bigint", (column) => column.notNull())
      .addColumn("materialized_at_ms", "bigint", (column) => column.notNull())
      .addColumn("row_count", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("feature_view_state_key", ["project", "view"] as never)
      .execute();
    await database.schema
      .createTable("online_feature")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("view", "text", (column) => column.notNull())
      .addColumn("generation", "bigint", (column) => column.notNull())
      .addColumn("entity_key", "text", (column) => column.notNull())
      .addColumn("event_us", "bigint", (column) => column.notNull())
      .addColumn("created_us", "bigint")
      .addColumn("payload", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("online_feature_key", ["project", "view", "generation", "entity_key"] as never)
      .execute();
    await database.schema
      .createTable("dataset_order")
      .addColumn("version_id", "text", (column) => column.notNull())
      .addColumn("order_digest", "text", (column) => column.notNull())
      .addColumn("is_unique", "smallint", (column) => column.notNull())
      .addPrimaryKeyConstraint("dataset_order_key", ["version_id", "order_digest"] as never)
      .execute();
  },
};
