import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { type StoredError, toStoredError } from "./list-step-runs.ts";
import type { PipelineTables } from "./tables.ts";

/** A sensor of a pipeline, as its definition declares it. */
export interface SavedSensor {
  /** Digest of what it looks at: with another it begins anew. */
  readonly key: string;
  readonly subject: string;
  readonly everyMs: number;
}

/** A sensor with what became of it. Times are epoch milliseconds. */
export interface Sensor extends SavedSensor {
  readonly project: string;
  readonly pipeline: string;
  readonly nextAtMs: number;
  readonly revision: number;
  /** What it saw last, as whoever looks wrote it; undefined before the first look. */
  readonly state: unknown;
  readonly checkedAtMs: number | undefined;
  readonly firedAtMs: number | undefined;
  /** The newest pipeline run that it started. */
  readonly firedRun: string | undefined;
  readonly fireCount: number;
  readonly error: StoredError | undefined;
  readonly errorSinceMs: number | undefined;
}

/** Makes these the sensors of a pipeline; one that looks at the same as before goes on with what it saw. */
export async function saveSensors(
  transaction: WriteTransaction,
  of: {
    readonly project: string;
    readonly name: string;
    readonly sensors: readonly SavedSensor[];
    readonly atMs: number;
  },
): Promise<void> {
  const { project, name, sensors, atMs } = of;
  const rows = await transaction
    .selectFrom("sensor")
    .select("key")
    .where("project", "=", project)
    .where("pipeline", "=", name)
    .execute();
  const known = new Set(rows.map(({ key }) => key));
  const wanted = new Map(sensors.map((sensor, position) => [sensor.key, { ...sensor, position }]));
  for (const key of known)
    if (!wanted.has(key))
      await transaction
        .deleteFrom("sensor")
        .where("project", "=", project)
        .where("pipeline", "=", name)
        .where("key", "=", key)
        .execute();
  for (const { key, position, subject, everyMs } of wanted.values()) {
    const declared = { position, subject, every_ms: everyMs };
    await transaction
      .insertInto("sensor")
      .values({
        project,
        pipeline: name,
        key,
        ...declared,
        next_at_ms: atMs,
        revision: 0,
        state: null,
        checked_at_ms: null,
        fired_at_ms: null,
        fired_run: null,
        fire_count: 0,
        error: null,
        error_since_ms: null,
      })
      .onConflict((conflict) =>
        conflict.columns(["project", "pipeline", "key"]).doUpdateSet({ ...declared, next_at_ms: atMs }),
      )
      .execute();
  }
}

/** Sensors of a project, or of one pipeline, in the order of their declaration: at most 1,000. */
export async function listSensors(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly pipeline?: string | undefined },
): Promise<readonly Sensor[]> {
  let select = transaction.selectFrom("sensor").selectAll().where("project", "=", query.project);
  if (query.pipeline !== undefined) select = select.where("pipeline", "=", query.pipeline);
  const rows = await select.orderBy("pipeline").orderBy("position").limit(1000).execute();
  return rows.map(toSensor);
}

/** Sensors of pipelines that are not paused, those that are to look first: at most 100. */
export async function listNextSensors(transaction: ReadTransaction, project: string): Promise<readonly Sensor[]> {
  const rows = await transaction
    .selectFrom("sensor")
    .selectAll("sensor")
    .where("sensor.project", "=", project)
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom("pipeline_pause")
            .select("pipeline_pause.pipeline")
            .whereRef("pipeline_pause.project", "=", "sensor.project")
            .whereRef("pipeline_pause.pipeline", "=", "sensor.pipeline"),
        ),
      ),
    )
    .orderBy("sensor.next_at_ms")
    .limit(100)
    .execute();
  return rows.map(toSensor);
}

/** Takes a look for itself until a time, when another may: undefined when somebody else was quicker. */
export async function claimSensor(
  transaction: WriteTransaction,
  sensor: Pick<Sensor, "project" | "pipeline" | "key" | "revision">,
  untilMs: number,
): Promise<number | undefined> {
  const taken = await transaction
    .updateTable("sensor")
    .set({ next_at_ms: untilMs, revision: sensor.revision + 1 })
    .where("project", "=", sensor.project)
    .where("pipeline", "=", sensor.pipeline)
    .where("key", "=", sensor.key)
    .where("revision", "=", sensor.revision)
    .returning("revision")
    .executeTakeFirst();
  return taken?.revision;
}

/** What a look gave. */
export interface SensorLook {
  readonly nextAtMs: number;
  readonly atMs: number;
  /** Missing: it stays, as the look failed. */
  readonly state?: object;
  readonly fired?: { readonly pipelineRunId: string };
  readonly error?: StoredError;
}

/** Writes what a look gave, unless another has looked since: false. Call it before what else the look writes. */
export async function settleSensor(
  transaction: WriteTransaction,
  sensor: Pick<Sensor, "project" | "pipeline" | "key" | "revision">,
  look: SensorLook,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("sensor")
    .set((update) => ({
      next_at_ms: look.nextAtMs,
      revision: sensor.revision + 1,
      checked_at_ms: look.atMs,
      ...(look.state === undefined ? {} : { state: JSON.stringify(look.state) }),
      ...(look.fired === undefined
        ? {}
        : {
            fired_at_ms: look.atMs,
            fired_run: look.fired.pipelineRunId,
            fire_count: update("fire_count", "+", 1),
          }),
      error: look.error === undefined ? null : JSON.stringify(look.error),
      error_since_ms: look.error === undefined ? null : update.fn.coalesce("error_since_ms", update.val(look.atMs)),
    }))
    .where("project", "=", sensor.project)
    .where("pipeline", "=", sensor.pipeline)
    .where("key", "=", sensor.key)
    .where("revision", "=", sensor.revision)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

function toSensor(row: Selectable<PipelineTables["sensor"]>): Sensor {
  return {
    project: row.project,
    pipeline: row.pipeline,
    key: row.key,
    subject: row.subject,
    everyMs: row.every_ms,
    nextAtMs: row.next_at_ms,
    revision: row.revision,
    state: row.state === null ? undefined : JSON.parse(row.state),
    checkedAtMs: row.checked_at_ms ?? undefined,
    firedAtMs: row.fired_at_ms ?? undefined,
    firedRun: row.fired_run ?? undefined,
    fireCount: row.fire_count,
    error: toStoredError(row.error),
    errorSinceMs: row.error_since_ms ?? undefined,
  };
}
