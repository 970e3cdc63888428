import type { ApiProblem, PipelineSchedule, SensorState } from "#api";
import type { Platform } from "#app";
import type { ReadTransaction } from "#metadata-store";
import {
  listPauses,
  listSchedules,
  listSensors,
  pausePipeline,
  type PipelinePause,
  type Sensor,
  unpausePipeline,
} from "#metadata-store/engine";
import { getPipeline } from "#engine";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { projectNotOpen } from "../errors.ts";

const NEVER = Number.MAX_SAFE_INTEGER;
const SHOWN = 1000;

/** What starts pipelines by time or by a look outside. */
export function createScheduleHandlers(
  platform: Platform,
): Pick<ApiHandlers, "listSchedules" | "pausePipeline" | "unpausePipeline"> {
  const { store, project, clock } = platform;

  /** A pipeline that there is. */
  const find = async (
    pipeline: string,
    actor: string,
  ): Promise<{ project: string; pipeline: string; actor: string; atMs: number }> => {
    if (!platform.isProject) throw projectNotOpen({ what: "Pausing a pipeline" });
    await getPipeline(store, { project, pipeline, nowMs: clock.now() });
    return { project, pipeline, actor, atMs: clock.now() };
  };

  return {
    listSchedules: async () => ({ pipelines: await store.read((transaction) => readSchedules(transaction, project)) }),
    pausePipeline: async ({ params, body, identity }) => {
      const change = await find(params.name, identity.name);
      await store.write((transaction) => pausePipeline(transaction, { ...change, reason: body.reason }));
      return { id: params.name };
    },
    unpausePipeline: async ({ params, identity }) => {
      const change = await find(params.name, identity.name);
      await store.write((transaction) => unpausePipeline(transaction, change));
      return { id: params.name };
    },
  };
}

async function readSchedules(transaction: ReadTransaction, project: string): Promise<readonly PipelineSchedule[]> {
  const schedules = Map.groupBy(
    await listSchedules(transaction, { project, limit: SHOWN }),
    ({ pipeline }) => pipeline,
  );
  const sensors = Map.groupBy(await listSensors(transaction, { project }), ({ pipeline }) => pipeline);
  const pauses = await listPauses(transaction, project);
  const names = [...new Set([...schedules.keys(), ...sensors.keys(), ...pauses.keys()])].toSorted();
  return names.map((pipeline) => ({
    pipeline,
    paused: toPause(pauses.get(pipeline)),
    schedules: (schedules.get(pipeline) ?? []).map((schedule) => ({
      cron: schedule.cron,
      timezone: schedule.timezone,
      nextAtMs: schedule.next_at_ms === NEVER ? undefined : schedule.next_at_ms,
      lastAtMs: schedule.last_at_ms ?? undefined,
    })),
    sensors: (sensors.get(pipeline) ?? []).map(toSensorState),
  }));
}

/** Undefined for a pipeline that is not paused. */
export function toPause(pause: PipelinePause | undefined): PipelineSchedule["paused"] {
  return pause === undefined ? undefined : { pausedAtMs: pause.pausedAtMs, actor: pause.actor, reason: pause.reason };
}

function toSensorState(sensor: Sensor): SensorState {
  const { subject, everyMs, nextAtMs, checkedAtMs, firedAtMs, firedRun, fireCount, error, errorSinceMs } = sensor;
  const problem: ApiProblem | undefined =
    error === undefined
      ? undefined
      : { code: error.code ?? "PIPELINE_SENSOR_FAILED", message: error.message, hint: error.hint };
  return {
    subject,
    everyMs,
    nextAtMs,
    checkedAtMs,
    firedAtMs,
    pipelineRunId: firedRun,
    fireCount,
    problem,
    failingSinceMs: errorSinceMs,
  };
}
