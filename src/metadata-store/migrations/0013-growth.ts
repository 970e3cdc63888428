import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const HOUR_MS = 3_600_000;

/**
 * How many predictions an endpoint has, kept beside the log so that nothing counts its rows, and indexes so that what
 * pages ask costs the same after years.
 */
export const growthMigration: Migration = {
  name: "growth",
  async up(database) {
    await createCounters(database);
    await fillCounters(database);
    await database.schema
      .alterTable("monitor_window")
      .addColumn("corrections", "bigint", (column) => column.notNull().defaultTo(0))
      .execute();
    await database.schema.dropIndex("prediction_model").execute();
    await database.schema
      .createIndex("prediction_model_time")
      .on("prediction")
      .columns(["project", "environment", "endpoint", "model_version_id", "at_ms", "id"] as never)
      .execute();
    await sql`create index prediction_unlabelled on prediction (project, environment, endpoint, at_ms, id) where label_received_at_ms is null`.execute(
      database,
    );
    await sql`create index prediction_labelled on prediction (project, environment, endpoint, at_ms, id) where label_received_at_ms is not null`.execute(
      database,
    );
    await createIndexes(database);
  },
};

async function createIndexes({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createIndex("asset_of_kind")
    .on("asset")
    .columns(["project", "kind", "name"] as never)
    .execute();
  await schema
    .createIndex("verdict_passed")
    .on("verdict")
    .columns(["project", "passed", "version_id"] as never)
    .execute();
  await schema
    .createIndex("pipeline_run_of_pipeline_by_status")
    .on("pipeline_run")
    .columns(["project", "pipeline", "status", "id"] as never)
    .execute();
  await schema
    .createIndex("deployment_of_target")
    .on("deployment")
    .columns(["project", "environment", "asset", "status", "id"] as never)
    .execute();
  await schema
    .createIndex("deployment_of_release")
    .on("deployment")
    .columns(["release_id", "id"] as never)
    .execute();
  await schema
    .createIndex("alert_of_endpoint")
    .on("alert")
    .columns(["project", "environment", "endpoint", "state", "id"] as never)
    .execute();
}

const ARM = ["project", "environment", "endpoint", "model_version_id", "arm"] as const;

async function createCounters(database: Kysely<never>): Promise<void> {
  await database.schema
    .createTable("prediction_total")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("model_version_id", "text", (column) => column.notNull())
    .addColumn("arm", "text", (column) => column.notNull())
    .addColumn("predictions", "bigint", (column) => column.notNull())
    .addColumn("labelled", "bigint", (column) => column.notNull())
    .addColumn("corrections", "bigint", (column) => column.notNull())
    .addColumn("first_at_ms", "bigint", (column) => column.notNull())
    .addColumn("last_at_ms", "bigint", (column) => column.notNull())
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("prediction_total_key", [...ARM] as never)
    .execute();
  await database.schema
    .createTable("prediction_hour")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("endpoint", "text", (column) => column.notNull())
    .addColumn("model_version_id", "text", (column) => column.notNull())
    .addColumn("arm", "text", (column) => column.notNull())
    .addColumn("hour_ms", "bigint", (column) => column.notNull())
    .addColumn("predictions", "bigint", (column) => column.notNull())
    .addColumn("labelled", "bigint", (column) => column.notNull())
    .addColumn("corrections", "bigint", (column) => column.notNull())
    .addColumn("last_received_at_ms", "bigint", (column) => column.notNull())
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("prediction_hour_key", [
      "project",
      "environment",
      "endpoint",
      "hour_ms",
      "model_version_id",
      "arm",
    ] as never)
    .execute();
  await database.schema
    .createIndex("prediction_hour_revision")
    .on("prediction_hour")
    .columns([...ARM, "revision"] as never)
    .execute();
}

async function fillCounters(database: Kysely<never>): Promise<void> {
  const hour = sql.lit(HOUR_MS);
  await sql`
    insert into prediction_hour (project, environment, endpoint, model_version_id, arm, hour_ms, predictions, labelled, corrections, last_received_at_ms, revision)
    select project, environment, endpoint, model_version_id, arm, at_ms - ((at_ms % ${hour}) + ${hour}) % ${hour}, count(*), count(label_received_at_ms), sum(label_corrections), max(received_at_ms), 1
    from prediction group by 1, 2, 3, 4, 5, 6`.execute(database);
  await sql`
    insert into prediction_total (project, environment, endpoint, model_version_id, arm, predictions, labelled, corrections, first_at_ms, last_at_ms, revision)
    select project, environment, endpoint, model_version_id, arm, count(*), count(label_received_at_ms), sum(label_corrections), min(at_ms), max(at_ms), 1
    from prediction group by 1, 2, 3, 4, 5`.execute(database);
}
