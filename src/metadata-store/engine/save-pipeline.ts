import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { type SavedDeadline, saveDeadlines } from "./deadline.ts";
import { type SavedSensor, saveSensors } from "./sensor.ts";
import type { MissedTickRule, TriggerKind } from "./tables.ts";

export interface SavedSchedule {
  readonly cron: string;
  readonly timezone: string;
  readonly missed: MissedTickRule;
  /** First tick after now. */
  readonly nextAtMs: number;
}

export interface NewPipeline {
  readonly project: string;
  readonly name: string;
  readonly digest: string;
  /** The compiled definition, as JSON text. */
  readonly content: string;
  readonly file: string;
  readonly load: string;
  readonly atMs: number;
  readonly actor: string;
  readonly subscriptions: readonly { readonly on: TriggerKind; readonly pattern: string }[];
  readonly schedules: readonly SavedSchedule[];
  readonly sensors?: readonly SavedSensor[];
  readonly deadlines?: readonly SavedDeadline[];
}

/**
 * Makes a definition the current one of its pipeline, with its subscriptions and schedules. Launches nothing:
 * an unchanged schedule keeps its next tick, a new one starts with its next.
 */
export async function savePipeline(
  transaction: WriteTransaction,
  pipeline: NewPipeline,
): Promise<{ readonly changed: boolean }> {
  const { project, name, digest } = pipeline;
  const current = await transaction
    .selectFrom("pipeline")
    .select("digest")
    .where("project", "=", project)
    .where("name", "=", name)
    .executeTakeFirst();
  if (current?.digest === digest) return { changed: false };
  await transaction
    .insertInto("pipeline_definition")
    .values({ project, digest, name, content: pipeline.content, created_at_ms: pipeline.atMs })
    .onConflict((conflict) => conflict.columns(["project", "digest"]).doNothing())
    .execute();
  const facts = { digest, file: pipeline.file, load: pipeline.load, updated_at_ms: pipeline.atMs };
  await transaction
    .insertInto("pipeline")
    .values({ project, name, ...facts })
    .onConflict((conflict) => conflict.columns(["project", "name"]).doUpdateSet(facts))
    .execute();
  await saveSubscriptions(transaction, pipeline);
  await saveSchedules(transaction, pipeline);
  await saveSensors(transaction, { ...pipeline, sensors: pipeline.sensors ?? [] });
  await saveDeadlines(transaction, { ...pipeline, deadlines: pipeline.deadlines ?? [] });
  await appendEvent(transaction, {
    atMs: pipeline.atMs,
    project,
    type: "pipeline.registered",
    subjectKind: "pipeline",
    subject: name,
    actor: pipeline.actor,
    data: { digest, file: pipeline.file },
  });
  return { changed: true };
}

async function saveSubscriptions(transaction: WriteTransaction, pipeline: NewPipeline): Promise<void> {
  await transaction
    .deleteFrom("trigger_subscription")
    .where("project", "=", pipeline.project)
    .where("pipeline", "=", pipeline.name)
    .execute();
  if (pipeline.subscriptions.length === 0) return;
  await transaction
    .insertInto("trigger_subscription")
    .values(
      pipeline.subscriptions.map(({ on, pattern }) => ({
        project: pipeline.project,
        on_kind: on,
        pattern,
        wildcard: pattern.includes("*") ? 1 : 0,
        pipeline: pipeline.name,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function saveSchedules(transaction: WriteTransaction, pipeline: NewPipeline): Promise<void> {
  const known = await transaction
    .selectFrom("schedule")
    .selectAll()
    .where("project", "=", pipeline.project)
    .where("pipeline", "=", pipeline.name)
    .execute();
  await transaction
    .deleteFrom("schedule")
    .where("project", "=", pipeline.project)
    .where("pipeline", "=", pipeline.name)
    .execute();
  for (const [position, schedule] of pipeline.schedules.entries()) {
    const same = known.find((row) => row.cron === schedule.cron && row.timezone === schedule.timezone);
    await transaction
      .insertInto("schedule")
      .values({
        project: pipeline.project,
        pipeline: pipeline.name,
        position,
        cron: schedule.cron,
        timezone: schedule.timezone,
        missed: schedule.missed,
        next_at_ms: same?.next_at_ms ?? schedule.nextAtMs,
        last_at_ms: same?.last_at_ms ?? null,
      })
      .execute();
  }
}

/** Removes pipelines whose files are gone; their runs and definitions stay. Returns their names. */
export async function removePipelinesExcept(
  transaction: WriteTransaction,
  facts: { readonly project: string; readonly names: readonly string[]; readonly atMs: number; readonly actor: string },
): Promise<readonly string[]> {
  const rows = await transaction.selectFrom("pipeline").select("name").where("project", "=", facts.project).execute();
  const gone = rows.map((row) => row.name).filter((name) => !facts.names.includes(name));
  for (const name of gone) {
    await transaction.deleteFrom("pipeline").where("project", "=", facts.project).where("name", "=", name).execute();
    await transaction
      .deleteFrom("trigger_subscription")
      .where("project", "=", facts.project)
      .where("pipeline", "=", name)
      .execute();
    await transaction
      .deleteFrom("schedule")
      .where("project", "=", facts.project)
      .where("pipeline", "=", name)
      .execute();
    await saveSensors(transaction, { ...facts, name, sensors: [] });
    await saveDeadlines(transaction, { ...facts, name, deadlines: [] });
    await appendEvent(transaction, {
      atMs: facts.atMs,
      project: facts.project,
      type: "pipeline.removed",
      subjectKind: "pipeline",
      subject: name,
      actor: facts.actor,
    });
  }
  return gone;
}

/** A definition's content: by digest, or the current one of a pipeline. Undefined when there is none. */
export async function getPipelineDefinition(
  transaction: ReadTransaction,
  key: { readonly project: string } & ({ readonly digest: string } | { readonly pipeline: string }),
): Promise<{ readonly digest: string; readonly content: string; readonly file: string | undefined } | undefined> {
  const select = transaction
    .selectFrom("pipeline_definition")
    .leftJoin("pipeline", (join) =>
      join
        .onRef("pipeline.project", "=", "pipeline_definition.project")
        .onRef("pipeline.digest", "=", "pipeline_definition.digest"),
    )
    .select(["pipeline_definition.digest as digest", "pipeline_definition.content as content", "pipeline.file as file"])
    .where("pipeline_definition.project", "=", key.project);
  const row = await (
    "digest" in key
      ? select.where("pipeline_definition.digest", "=", key.digest)
      : select.where("pipeline.name", "=", key.pipeline)
  ).executeTakeFirst();
  return row === undefined ? undefined : { digest: row.digest, content: row.content, file: row.file ?? undefined };
}
