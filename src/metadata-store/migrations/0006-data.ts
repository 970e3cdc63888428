import type { Migration } from "../migrate.ts";

export const dataMigration: Migration = {
  name: "data",
  async up(database) {
    await database.schema
      .createTable("dataset_lock")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("asset", "text", (column) => column.notNull())
      .addColumn("locked_at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("dataset_lock_key", ["project", "asset"] as never)
      .execute();
    await database.schema
      .createTable("dataset_write")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("asset", "text", (column) => column.notNull())
      .addColumn("operation_id", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("table_name", "text", (column) => column.notNull())
      .addColumn("read_version", "bigint", (column) => column.notNull())
      .addColumn("delta_version", "bigint")
      .addColumn("digest", "text")
      .addColumn("made", "text")
      .addColumn("begun_at_ms", "bigint", (column) => column.notNull())
      .addColumn("expires_at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("dataset_write_key", ["project", "asset", "operation_id"] as never)
      .execute();
    await database.schema
      .createIndex("dataset_write_state")
      .on("dataset_write")
      .columns(["project", "asset", "state"] as never)
      .execute();
    await database.schema
      .createTable("captured_file")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("dataset", "text", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("path", "text", (column) => column.notNull())
      .addColumn("size_bytes", "bigint", (column) => column.notNull())
      .addColumn("mtime_ms", "bigint", (column) => column.notNull())
      .addColumn("rows_read", "bigint", (column) => column.notNull())
      .addColumn("rows_published", "bigint", (column) => column.notNull())
      .addColumn("rows_quarantined", "bigint", (column) => column.notNull())
      .addColumn("step_run_id", "text")
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("captured_file_key", ["project", "dataset", "digest"] as never)
      .execute();
    await database.schema
      .createTable("quarantine_batch")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("dataset", "text", (column) => column.notNull())
      .addColumn("source_path", "text", (column) => column.notNull())
      .addColumn("source_digest", "text", (column) => column.notNull())
      .addColumn("source_format", "text", (column) => column.notNull())
      .addColumn("file_problem", "text")
      .addColumn("rows", "bigint", (column) => column.notNull())
      .addColumn("object_digest", "text")
      .addColumn("rules", "text", (column) => column.notNull())
      .addColumn("contract", "text")
      .addColumn("pipeline_run_id", "text")
      .addColumn("step_run_id", "text")
      .addColumn("attempt_id", "text")
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addColumn("held", "bigint", (column) => column.notNull())
      .addColumn("replayed", "bigint", (column) => column.notNull())
      .addColumn("discarded", "bigint", (column) => column.notNull())
      .execute();
    await database.schema
      .createIndex("quarantine_batch_dataset")
      .on("quarantine_batch")
      .columns(["project", "dataset", "id"] as never)
      .execute();
    await database.schema
      .createTable("quarantine_row")
      .addColumn("batch_id", "text", (column) => column.notNull())
      .addColumn("row_number", "bigint", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("actor", "text", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("quarantine_row_key", ["batch_id", "row_number"] as never)
      .execute();
  },
};
