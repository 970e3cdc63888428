import type { KeyValue } from "../registry/key-value.ts";
import { LOGGED_MODEL_STATUSES, type LoggedModelStatus, MODEL_STAGES, type ModelStage } from "../registry/tables.ts";
import type { MetricPoint, RunDataset, RunModel } from "../tracking/run.ts";
import { RUN_STATUSES, type RunStatus } from "../tracking/tables.ts";
import { importSourceUnreadable } from "./errors.ts";
import type { ForeignDatabase, ForeignRow } from "./foreign-database.ts";
import type {
  LeftBehind,
  MlflowSource,
  SourceLoggedModel,
  SourceModelVersion,
  SourceRegisteredModel,
  SourceRun,
} from "./mlflow-source.ts";
import { openForeignDatabase } from "./open-foreign-database.ts";

const RUN_PAGE = 200;
const MODEL_PAGE = 200;
const METRIC_PAGE = 5000;
const DELETED_STAGE = "Deleted_Internal";

/** Tables of MLflow whose rows have no place here yet. */
const LEFT_BEHIND: readonly { readonly table: string; readonly what: string; readonly reason: string }[] = [
  { table: "trace_info", what: "traces", reason: "traces are not kept here yet" },
  { table: "assessments", what: "assessments", reason: "they belong to traces" },
  { table: "evaluation_datasets", what: "evaluation datasets", reason: "they are not kept here yet" },
  { table: "scorers", what: "scorers", reason: "they are not kept here yet" },
  {
    table: "webhooks",
    what: "webhooks",
    reason: "their secrets are encrypted with the old server's key: create them again",
  },
  { table: "users", what: "users", reason: "passwords cannot be taken over: create users with esteira user create" },
];

/**
 * The database of an MLflow server, of any 1.x, 2.x or 3.x schema.
 *
 * @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE
 */
export async function openMlflowDatabase(address: string): Promise<MlflowSource> {
  const database = await openForeignDatabase(address);
  if (!(await database.hasTable("experiments")) || !(await database.hasTable("runs"))) {
    await database.close();
    throw importSourceUnreadable({ from: database.address, reason: "it has no tables `experiments` and `runs`" });
  }
  return {
    address: database.address,
    experiments: () => readExperiments(database),
    runs: (experimentId) => readRuns(database, experimentId),
    metrics: (_experimentId, runId) => readMetrics(database, runId),
    loggedModels: (experimentId) => readLoggedModels(database, experimentId),
    registeredModels: () => readRegisteredModels(database),
    leftBehind: () => countLeftBehind(database),
    close: () => database.close(),
  };
}

async function readExperiments(database: ForeignDatabase): ReturnType<MlflowSource["experiments"]> {
  const tags = groupBy(
    await optionalRows(database, "experiment_tags", "select * from experiment_tags order by key"),
    "experiment_id",
  );
  const rows = await database.rows("select * from experiments order by experiment_id");
  return rows.map((row) => ({
    id: text(row["experiment_id"]),
    name: text(row["name"]),
    artifactLocation: text(row["artifact_location"]),
    deleted: row["lifecycle_stage"] === "deleted",
    createdAtMs: Number(row["creation_time"] ?? 0),
    updatedAtMs: Number(row["last_update_time"] ?? row["creation_time"] ?? 0),
    tags: pairs(tags.get(text(row["experiment_id"]))),
  }));
}

async function* readRuns(database: ForeignDatabase, experimentId: string): AsyncGenerator<readonly SourceRun[]> {
  for await (const rows of database.stream(
    "select * from runs where experiment_id = ? order by start_time, run_uuid",
    [Number(experimentId)],
    RUN_PAGE,
  )) {
    const ids = rows.map((row) => text(row["run_uuid"]));
    const params = groupBy(await rowsOf(database, "params", "run_uuid", ids), "run_uuid");
    const tags = groupBy(await rowsOf(database, "tags", "run_uuid", ids), "run_uuid");
    const datasets = await readDatasets(database, ids);
    const inputs = await readRunModels(database, "RUN_INPUT", ids);
    const outputs = await readRunModels(database, "RUN_OUTPUT", ids);
    yield rows.map((row) => {
      const runId = text(row["run_uuid"]);
      return {
        runId,
        name: text(row["name"]),
        userId: text(row["user_id"]),
        status: RUN_STATUSES.find((status) => status === row["status"]) ?? ("FINISHED" satisfies RunStatus),
        startTimeMs: integer(row["start_time"]) ?? 0,
        endTimeMs: integer(row["end_time"]),
        artifactUri: text(row["artifact_uri"]),
        deleted: row["lifecycle_stage"] === "deleted",
        params: pairs(params.get(runId)),
        tags: pairs(tags.get(runId)),
        datasets: datasets.get(runId) ?? [],
        modelInputs: inputs.get(runId) ?? [],
        modelOutputs: outputs.get(runId) ?? [],
      };
    });
  }
}

async function readDatasets(
  database: ForeignDatabase,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly RunDataset[]>> {
  const found = new Map<string, RunDataset[]>();
  if (!(await database.hasTable("inputs"))) return found;
  const rows = await database.rows(
    `select i.input_uuid, i.destination_id, d.* from inputs i join datasets d on d.dataset_uuid = i.source_id
     where i.source_type = 'DATASET' and i.destination_type = 'RUN' and i.destination_id in (${marks(runIds)}) order by i.input_uuid`,
    runIds,
  );
  const tags = groupBy(
    await rowsOf(
      database,
      "input_tags",
      "input_uuid",
      rows.map((row) => text(row["input_uuid"])),
    ),
    "input_uuid",
  );
  for (const row of rows) {
    const dataset = {
      name: text(row["name"]),
      digest: text(row["digest"]),
      sourceType: text(row["dataset_source_type"]),
      source: text(row["dataset_source"]),
      schema: optional(row["dataset_schema"]),
      profile: optional(row["dataset_profile"]),
      tags: (tags.get(text(row["input_uuid"])) ?? []).map((tag) => ({
        key: text(tag["name"]),
        value: text(tag["value"]),
      })),
    };
    append(found, text(row["destination_id"]), dataset);
  }
  return found;
}

async function readRunModels(
  database: ForeignDatabase,
  type: "RUN_INPUT" | "RUN_OUTPUT",
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly RunModel[]>> {
  const found = new Map<string, RunModel[]>();
  if (!(await database.hasTable("logged_models"))) return found;
  const rows = await database.rows(
    `select source_id, destination_id, step from inputs where source_type = ? and source_id in (${marks(runIds)}) order by input_uuid`,
    [type, ...runIds],
  );
  for (const row of rows)
    append(found, text(row["source_id"]), { modelId: text(row["destination_id"]), step: integer(row["step"]) ?? 0 });
  return found;
}

async function* readMetrics(database: ForeignDatabase, runId: string): AsyncGenerator<readonly MetricPoint[]> {
  for await (const rows of database.stream("select * from metrics where run_uuid = ?", [runId], METRIC_PAGE)) {
    yield rows.map((row) => ({
      key: text(row["key"]),
      value: isTrue(row["is_nan"]) || row["value"] === null ? NaN : Number(row["value"]),
      timestampMs: integer(row["timestamp"]) ?? 0,
      step: integer(row["step"]) ?? 0,
    }));
  }
}

async function* readLoggedModels(
  database: ForeignDatabase,
  experimentId: string,
): AsyncGenerator<readonly SourceLoggedModel[]> {
  if (!(await database.hasTable("logged_models"))) return;
  for await (const rows of database.stream(
    "select * from logged_models where experiment_id = ? order by creation_timestamp_ms, model_id",
    [Number(experimentId)],
    MODEL_PAGE,
  )) {
    const ids = rows.map((row) => text(row["model_id"]));
    const params = groupBy(await rowsOf(database, "logged_model_params", "model_id", ids), "model_id");
    const tags = groupBy(await rowsOf(database, "logged_model_tags", "model_id", ids), "model_id");
    const metrics = groupBy(await rowsOf(database, "logged_model_metrics", "model_id", ids), "model_id");
    yield rows.map((row) => {
      const id = text(row["model_id"]);
      return {
        id,
        name: text(row["name"]),
        artifactUri: text(row["artifact_location"]),
        createdAtMs: Number(row["creation_timestamp_ms"]),
        updatedAtMs: Number(row["last_updated_timestamp_ms"]),
        status: toLoggedModelStatus(row["status"]),
        modelType: optional(row["model_type"]),
        sourceRunId: optional(row["source_run_id"]),
        deleted: row["lifecycle_stage"] === "deleted",
        params: (params.get(id) ?? []).map((param) => ({
          key: text(param["param_key"]),
          value: text(param["param_value"]),
        })),
        tags: (tags.get(id) ?? []).map((tag) => ({ key: text(tag["tag_key"]), value: text(tag["tag_value"]) })),
        metrics: (metrics.get(id) ?? []).map((metric) => ({
          key: text(metric["metric_name"]),
          value: metric["metric_value"] === null ? NaN : Number(metric["metric_value"]),
          timestampMs: integer(metric["metric_timestamp_ms"]) ?? 0,
          step: integer(metric["metric_step"]) ?? 0,
          runId: text(metric["run_id"]),
          datasetName: optional(metric["dataset_name"]),
          datasetDigest: optional(metric["dataset_digest"]),
        })),
      };
    });
  }
}

async function* readRegisteredModels(database: ForeignDatabase): AsyncGenerator<SourceRegisteredModel> {
  if (!(await database.hasTable("registered_models"))) return;
  const models = await database.rows("select * from registered_models order by name");
  for (const row of models) {
    const name = text(row["name"]);
    const versions = await database.rows("select * from model_versions where name = ? order by version", [name]);
    const tags = groupBy(
      await optionalRows(
        database,
        "model_version_tags",
        "select * from model_version_tags where name = ? order by key",
        [name],
      ),
      "version",
    );
    const aliases = await optionalRows(
      database,
      "registered_model_aliases",
      "select * from registered_model_aliases where name = ? order by alias",
      [name],
    );
    yield {
      name,
      description: optional(row["description"]),
      createdAtMs: Number(row["creation_time"] ?? 0),
      updatedAtMs: Number(row["last_updated_time"] ?? row["creation_time"] ?? 0),
      lastVersion: Math.max(0, ...versions.map((version) => Number(version["version"]))),
      tags: pairs(
        await optionalRows(
          database,
          "registered_model_tags",
          "select * from registered_model_tags where name = ? order by key",
          [name],
        ),
      ),
      aliases: aliases.map((alias) => ({ alias: text(alias["alias"]), version: Number(alias["version"]) })),
      versions: versions
        .filter((version) => version["current_stage"] !== DELETED_STAGE)
        .map((version) => toVersion(version, pairs(tags.get(text(version["version"]))))),
    };
  }
}

function toVersion(row: ForeignRow, tags: readonly KeyValue[]): SourceModelVersion {
  const source = text(row["source"]);
  return {
    version: Number(row["version"]),
    createdAtMs: Number(row["creation_time"] ?? 0),
    updatedAtMs: Number(row["last_updated_time"] ?? row["creation_time"] ?? 0),
    description: optional(row["description"]),
    stage: toStage(row["current_stage"]),
    source,
    storageLocation: optional(row["storage_location"]) ?? source,
    runId: optional(row["run_id"]),
    runLink: optional(row["run_link"]),
    loggedModelId: /^models:\/+(m-[0-9a-f]{32})$/.exec(source)?.[1],
    userId: optional(row["user_id"]),
    tags,
  };
}

async function countLeftBehind(database: ForeignDatabase): Promise<readonly LeftBehind[]> {
  const counted: LeftBehind[] = [];
  for (const { table, what, reason } of LEFT_BEHIND) {
    if (!(await database.hasTable(table))) continue;
    const count = Number((await database.rows(`select count(*) as count from ${table}`))[0]?.["count"] ?? 0);
    if (count > 0) counted.push({ what, count, reason });
  }
  return counted;
}

/** A stage as MLflow writes it; anything else is `None`. */
export function toStage(value: unknown): ModelStage {
  return MODEL_STAGES.find((stage) => stage === value) ?? "None";
}

/** MLflow's number of a logged model's status. */
export function toLoggedModelStatus(value: unknown): LoggedModelStatus {
  return LOGGED_MODEL_STATUSES[Number(value) - 1] ?? "LOGGED_MODEL_PENDING";
}

async function optionalRows(
  database: ForeignDatabase,
  table: string,
  statement: string,
  parameters: readonly unknown[] = [],
): Promise<readonly ForeignRow[]> {
  return (await database.hasTable(table)) ? database.rows(statement, parameters) : [];
}

async function rowsOf(
  database: ForeignDatabase,
  table: string,
  column: string,
  ids: readonly string[],
): Promise<readonly ForeignRow[]> {
  if (ids.length === 0) return [];
  return optionalRows(database, table, `select * from ${table} where ${column} in (${marks(ids)})`, ids);
}

function marks(values: readonly unknown[]): string {
  return values.length === 0 ? "null" : values.map(() => "?").join(",");
}

function groupBy(rows: readonly ForeignRow[], column: string): ReadonlyMap<string, readonly ForeignRow[]> {
  const groups = new Map<string, ForeignRow[]>();
  for (const row of rows) append(groups, text(row[column]), row);
  return groups;
}

function append<Item>(groups: Map<string, Item[]>, key: string, item: Item): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}

function pairs(rows: readonly ForeignRow[] | undefined): readonly KeyValue[] {
  return (rows ?? []).map((row) => ({ key: text(row["key"]), value: text(row["value"]) }));
}

function text(value: unknown): string {
  return value === null || value === undefined ? "" : String(value as string | number);
}

function optional(value: unknown): string | undefined {
  return value === null || value === undefined || value === "" ? undefined : String(value as string);
}

function integer(value: unknown): number | bigint | undefined {
  return typeof value === "number" || typeof value === "bigint" ? value : undefined;
}

function isTrue(value: unknown): boolean {
  return value === true || value === 1;
}
