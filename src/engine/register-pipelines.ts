import { canonicalJson } from "#base";
import type { MetadataStore } from "#metadata-store";
import { removePipelinesExcept, type SavedDeadline, savePipeline, type TriggerKind } from "#metadata-store/engine";
import {
  describeSensor,
  digestOfDefinition,
  digestOfSensor,
  nextTick,
  type PipelineDefinition,
  toDailySchedule,
} from "#pipeline";

const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * Makes definitions the current ones of a project, with their triggers and schedules. Launches nothing. Idempotent: an
 * equal definition changes nothing, and a pipeline whose file is gone is no longer started by anything.
 *
 * @returns names of the pipelines that are new or changed, and of those removed
 */
export async function registerPipelines(
  store: MetadataStore,
  facts: {
    readonly project: string;
    readonly pipelines: readonly PipelineDefinition[];
    readonly actor: string;
    readonly atMs: number;
  },
): Promise<{ readonly changed: readonly string[]; readonly removed: readonly string[] }> {
  const { project, actor, atMs } = facts;
  return store.write(async (transaction) => {
    const changed: string[] = [];
    for (const definition of facts.pipelines) {
      const saved = await savePipeline(transaction, {
        project,
        name: definition.name,
        digest: digestOfDefinition(definition),
        content: canonicalJson(definition),
        file: definition.file,
        load: definition.load,
        atMs,
        actor,
        subscriptions: subscriptionsOf(definition),
        schedules: definition.on.schedules.map((schedule) => ({
          ...schedule,
          nextAtMs: nextTick(schedule, atMs) ?? NEVER,
        })),
        deadlines: deadlinesOf(definition, atMs),
        sensors: (definition.on.sensors ?? []).map((sensor) => ({
          key: digestOfSensor(sensor),
          subject: describeSensor(sensor),
          everyMs: sensor.everyMs,
        })),
      });
      if (saved.changed) changed.push(definition.name);
    }
    const removed = await removePipelinesExcept(transaction, {
      project,
      names: facts.pipelines.map((definition) => definition.name),
      atMs,
      actor,
    });
    return { changed, removed };
  });
}

function deadlinesOf(definition: PipelineDefinition, atMs: number): readonly SavedDeadline[] {
  const { deadline, steps } = definition;
  const ofSteps = steps.flatMap(({ name, deadlineMs }) =>
    deadlineMs === undefined ? [] : [{ step: name, withinMs: deadlineMs }],
  );
  if (deadline === undefined) return ofSteps;
  if ("withinMs" in deadline) return [{ step: "", ...deadline }, ...ofSteps];
  return [{ step: "", ...deadline, nextAtMs: nextTick(toDailySchedule(deadline), atMs) ?? NEVER }, ...ofSteps];
}

function subscriptionsOf({
  on,
}: PipelineDefinition): readonly { readonly on: TriggerKind; readonly pattern: string }[] {
  const named = (["data", "alert", "push", "webhook"] as const).flatMap((kind) =>
    on[kind].map((pattern) => ({ on: kind, pattern })),
  );
  const branches = on.pullRequest?.branches ?? [];
  return [...named, ...branches.map((pattern) => ({ on: "pull_request" as const, pattern }))];
}
