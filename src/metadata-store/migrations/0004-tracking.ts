import { type CreateTableBuilder, type Kysely, sql } from "kysely";
import type { StoreKind } from "../metadata-store.ts";
import type { Migration } from "../migrate.ts";

/** Experiments, runs, and what is logged to them. */
export const trackingMigration: Migration = {
  name: "tracking",
  async up(database, kind) {
    await createExperiments(database, kind);
    await createRuns(database, kind);
    await createMetrics(database, kind);
    await createInputs(database, kind);
  },
};

/** Text that sorts by code point on both databases. */
function plainText(kind: StoreKind): ReturnType<typeof sql> {
  return kind === "postgres" ? sql`text collate "C"` : sql`text`;
}

/** Rows kept in the order of their primary key: what is read together lies together. PostgreSQL has no such tables. */
function clustered<Builder extends CreateTableBuilder<string, string>>(
  table: Builder,
  kind: StoreKind,
): CreateTableBuilder<string, string> {
  return kind === "sqlite" ? table.modifyEnd(sql`without rowid`) : table;
}

function numbered(
  table: CreateTableBuilder<string>,
  name: string,
  kind: StoreKind,
): CreateTableBuilder<string, string> {
  return kind === "postgres"
    ? table.addColumn(name, "bigserial", (column) => column.primaryKey())
    : table.addColumn(name, "integer", (column) => column.primaryKey().autoIncrement());
}

async function createExperiments(database: Kysely<never>, kind: StoreKind): Promise<void> {
  const text = plainText(kind);
  await numbered(database.schema.createTable("experiment"), "experiment_id", kind)
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull().unique())
    .addColumn("artifact_location", "text")
    .addColumn("lifecycle_stage", "text", (column) => column.notNull())
    .addColumn("creation_time", "bigint", (column) => column.notNull())
    .addColumn("last_update_time", "bigint", (column) => column.notNull())
    .execute();
  await createPairs(database, kind, "experiment_tag", ["experiment_id"]);
  const now = Date.now();
  await sql`insert into experiment (experiment_id, project, name, lifecycle_stage, creation_time, last_update_time)
    values (0, 'default', 'Default', 'active', ${now}, ${now})`.execute(database);
}

async function createRuns(database: Kysely<never>, kind: StoreKind): Promise<void> {
  const text = plainText(kind);
  await numbered(database.schema.createTable("run"), "number", kind)
    .addColumn("run_id", text, (column) => column.notNull().unique())
    .addColumn("experiment_id", "bigint", (column) => column.notNull())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("run_name", text, (column) => column.notNull())
    .addColumn("user_id", text, (column) => column.notNull())
    .addColumn("status", text, (column) => column.notNull())
    .addColumn("start_time", "bigint", (column) => column.notNull())
    .addColumn("end_time", "bigint")
    .addColumn("artifact_uri", text, (column) => column.notNull())
    .addColumn("lifecycle_stage", "text", (column) => column.notNull())
    .addColumn("attempt_id", "text", (column) => column.unique())
    .addColumn("pipeline_run_id", "text")
    .execute();
  await sql`create index run_order on run (experiment_id, lifecycle_stage, start_time desc, run_id)`.execute(database);
  await database.schema
    .createIndex("run_pipeline_run")
    .on("run")
    .columns(["pipeline_run_id"] as never)
    .execute();
  await createPairs(database, kind, "run_tag", ["run"]);
  await createPairs(database, kind, "run_param", ["run"]);
}

async function createMetrics(database: Kysely<never>, kind: StoreKind): Promise<void> {
  const text = plainText(kind);
  await clustered(
    database.schema
      .createTable("run_metric")
      .addColumn("run", "bigint", (column) => column.notNull())
      .addColumn("key", text, (column) => column.notNull())
      .addColumn("timestamp_ms", "bigint", (column) => column.notNull())
      .addColumn("step", "bigint", (column) => column.notNull())
      .addColumn("value", "double precision", (column) => column.notNull())
      .addColumn("is_nan", "smallint", (column) => column.notNull())
      .addPrimaryKeyConstraint("run_metric_key", ["run", "key", "timestamp_ms", "step", "value", "is_nan"] as never),
    kind,
  ).execute();
  await clustered(
    database.schema
      .createTable("run_latest_metric")
      .addColumn("run", "bigint", (column) => column.notNull())
      .addColumn("key", text, (column) => column.notNull())
      .addColumn("timestamp_ms", "bigint", (column) => column.notNull())
      .addColumn("step", "bigint", (column) => column.notNull())
      .addColumn("value", "double precision", (column) => column.notNull())
      .addColumn("is_nan", "smallint", (column) => column.notNull())
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("run_latest_metric_key", ["run", "key"] as never),
    kind,
  ).execute();
}

async function createInputs(database: Kysely<never>, kind: StoreKind): Promise<void> {
  const text = plainText(kind);
  await numbered(database.schema.createTable("dataset"), "number", kind)
    .addColumn("experiment_id", "bigint", (column) => column.notNull())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("digest", text, (column) => column.notNull())
    .addColumn("source_type", "text", (column) => column.notNull())
    .addColumn("source", "text", (column) => column.notNull())
    .addColumn("schema", "text")
    .addColumn("profile", "text")
    .addUniqueConstraint("dataset_identity", ["experiment_id", "name", "digest"] as never)
    .execute();
  await clustered(
    database.schema
      .createTable("run_dataset")
      .addColumn("run", "bigint", (column) => column.notNull())
      .addColumn("dataset", "bigint", (column) => column.notNull())
      .addColumn("context", text)
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("run_dataset_key", ["run", "dataset"] as never),
    kind,
  ).execute();
  await database.schema
    .createIndex("run_dataset_of")
    .on("run_dataset")
    .columns(["dataset"] as never)
    .execute();
  await createPairs(database, kind, "run_dataset_tag", ["run", "dataset"]);
  await clustered(
    database.schema
      .createTable("run_model")
      .addColumn("run", "bigint", (column) => column.notNull())
      .addColumn("direction", "text", (column) => column.notNull())
      .addColumn("model_id", "text", (column) => column.notNull())
      .addColumn("step", "bigint", (column) => column.notNull())
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("run_model_key", ["run", "direction", "model_id"] as never),
    kind,
  ).execute();
}

/** Keys and values below one owner. */
async function createPairs(
  database: Kysely<never>,
  kind: StoreKind,
  name: string,
  owner: readonly string[],
): Promise<void> {
  const text = plainText(kind);
  let table: CreateTableBuilder<string, string> = database.schema.createTable(name);
  for (const column of owner) table = table.addColumn(column, "bigint", (definition) => definition.notNull());
  await clustered(
    table
      .addColumn("key", text, (column) => column.notNull())
      .addColumn("value", text, (column) => column.notNull())
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint(`${name}_key`, [...owner, "key"] as never),
    kind,
  ).execute();
}
