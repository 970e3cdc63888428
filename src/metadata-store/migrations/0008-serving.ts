import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** Endpoints, predictions, labels, monitors, windows and alerts. */
export const servingMigration: Migration = {
  name: "serving",
  async up(database) {
    await createEndpoints(database);
    await createPredictions(database);
    await createMonitors(database);
    await createAlerts(database);
  },
};

async function createEndpoints(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("endpoint")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("model_version_id", "text", (column) => column.notNull())
    .addColumn("candidate_version_id", "text")
    .addColumn("previous_version_id", "text")
    .addColumn("strategy", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("options", "text", (column) => column.notNull())
    .addColumn("generation", "bigint", (column) => column.notNull())
    .addColumn("updated_at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("endpoint_key", ["project", "environment", "name"] as never)
    .execute();
  await database.schema
    .createTable("endpoint_change")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("model_version_id", "text", (column) => column.notNull())
    .addColumn("previous_version_id", "text")
    .addColumn("strategy", "text", (column) => column.notNull())
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("operation_id", "text", (column) => column.notNull().unique())
    .execute();
  await database.schema
    .createIndex("endpoint_change_of")
    .on("endpoint_change")
    .columns(["project", "environment", "endpoint", "id"] as never)
    .execute();
}

async function createPredictions(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("prediction")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("model_version_id", "text", (column) => column.notNull())
    .addColumn("arm", "text", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("received_at_ms", "bigint", (column) => column.notNull())
    .addColumn("request_id", "text", (column) => column.notNull())
    .addColumn("features", "text", (column) => column.notNull())
    .addColumn("context", "text")
    .addColumn("prediction", "double precision")
    .addColumn("prediction_text", "text")
    .addColumn("entity_key", "text")
    .addColumn("label", "double precision")
    .addColumn("label_text", "text")
    .addColumn("label_at_ms", "bigint")
    .addColumn("label_received_at_ms", "bigint")
    .addColumn("label_corrections", "bigint", (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex("prediction_time")
    .on("prediction")
    .columns(["project", "environment", "endpoint", "at_ms", "id"] as never)
    .execute();
  await sql`create index prediction_entity on prediction (entity_key) where entity_key is not null`.execute(database);
  await database.schema
    .createIndex("prediction_model")
    .on("prediction")
    .columns(["model_version_id", "id"] as never)
    .execute();
  await database.schema
    .createTable("unmatched_label")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("label_key", "text", (column) => column.notNull())
    .addColumn("label", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("received_at_ms", "bigint", (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex("unmatched_label_of")
    .on("unmatched_label")
    .columns(["project", "environment", "endpoint", "id"] as never)
    .execute();
}

async function createMonitors(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("monitor")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("declaration", "text", (column) => column.notNull())
    .addColumn("file", "text", (column) => column.notNull())
    .addColumn("updated_at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("monitor_key", ["project", "environment", "name"] as never)
    .execute();
  await database.schema
    .createTable("monitor_window")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("size", "text", (column) => column.notNull())
    .addColumn("start_ms", "bigint", (column) => column.notNull())
    .addColumn("end_ms", "bigint", (column) => column.notNull())
    .addColumn("predictions", "bigint", (column) => column.notNull())
    .addColumn("labelled", "bigint", (column) => column.notNull())
    .addColumn("versions", "text", (column) => column.notNull())
    .addColumn("reference_version_id", "text")
    .addColumn("closed", "smallint", (column) => column.notNull())
    .addColumn("evaluated_at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("monitor_window_key", ["project", "environment", "endpoint", "size", "start_ms"] as never)
    .execute();
  await database.schema
    .createTable("monitor_score")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("size", "text", (column) => column.notNull())
    .addColumn("start_ms", "bigint", (column) => column.notNull())
    .addColumn("metric", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("segment", "text", (column) => column.notNull())
    .addColumn("value", "double precision")
    .addColumn("baseline", "double precision")
    .addColumn("threshold", "double precision")
    .addColumn("breached", "smallint")
    .addColumn("n", "bigint", (column) => column.notNull())
    .addColumn("n_reference", "bigint")
    .addColumn("method", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("monitor_score_key", [
      "project",
      "environment",
      "endpoint",
      "size",
      "start_ms",
      "metric",
      "subject",
      "segment",
    ] as never)
    .execute();
}

async function createAlerts(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("alert")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("monitor", "text", (column) => column.notNull())
    .addColumn("metric", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("segment", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("value", "double precision", (column) => column.notNull())
    .addColumn("threshold", "double precision", (column) => column.notNull())
    .addColumn("window_start_ms", "bigint", (column) => column.notNull())
    .addColumn("window_end_ms", "bigint", (column) => column.notNull())
    .addColumn("last_window_start_ms", "bigint", (column) => column.notNull())
    .addColumn("windows", "bigint", (column) => column.notNull())
    .addColumn("n", "bigint", (column) => column.notNull())
    .addColumn("model_version_id", "text")
    .addColumn("message", "text", (column) => column.notNull())
    .addColumn("opened_at_ms", "bigint", (column) => column.notNull())
    .addColumn("changed_at_ms", "bigint", (column) => column.notNull())
    .addColumn("changed_by", "text", (column) => column.notNull())
    .addColumn("triggered", "text", (column) => column.notNull())
    // One alert per window, also when two processes evaluate it at the same time.
    .addUniqueConstraint("alert_window", [
      "project",
      "environment",
      "monitor",
      "metric",
      "subject",
      "segment",
      "window_start_ms",
    ] as never)
    .execute();
  await database.schema
    .createIndex("alert_of")
    .on("alert")
    .columns(["project", "state", "id"] as never)
    .execute();
  await database.schema
    .createTable("alert_delivery")
    .addColumn("alert_id", "text", (column) => column.notNull())
    .addColumn("target", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("attempts", "bigint", (column) => column.notNull())
    .addColumn("next_at_ms", "bigint", (column) => column.notNull())
    .addColumn("last_error", "text")
    .addColumn("delivered_at_ms", "bigint")
    .addPrimaryKeyConstraint("alert_delivery_key", ["alert_id", "target"] as never)
    .execute();
  await database.schema
    .createIndex("alert_delivery_due")
    .on("alert_delivery")
    .columns(["state", "next_at_ms"] as never)
    .execute();
}
