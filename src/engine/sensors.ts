import { isEsteiraError, messageOf } from "#base";
import { appendEvent } from "#metadata-store";
import {
  claimSensor,
  getPipelineDefinition,
  isPaused,
  listNextSensors,
  type Sensor,
  settleSensor,
  type StoredError,
} from "#metadata-store/engine";
import { digestOfSensor, type SensorDefinition } from "#pipeline";
import { createDueLoop, type DueLoop } from "./due-loop.ts";
import type { EngineParts } from "./engine-parts.ts";
import { seenOf, sense, toSensorState } from "./sense.ts";
import { enqueuePipeline } from "./trigger.ts";

const LOOKS_AT_ONCE = 8;
const LONGEST_LOOK_MS = 90_000;
/** Longer than a look can be: then whoever looked is gone, and another looks. */
const CLAIM_MS = 120_000;

/**
 * Looks at what the sensors of all pipelines watch, each when its time has come. Of several engines one looks, and what
 * it saw is kept in the transaction that starts the run: an event is one run, whoever dies in between.
 */
export function createSensors(parts: EngineParts): Pick<DueLoop, "start" | "stop"> {
  const atWork = new Map<string, Promise<void>>();
  const controller = new AbortController();
  if (parts.ports.sensing === undefined) return { start: () => Promise.resolve(), stop: () => undefined };
  const loop = createDueLoop(parts, "sensors", async () => {
    const now = parts.clock.now();
    const sensors = await parts.store.read((transaction) => listNextSensors(transaction, parts.project));
    for (const sensor of sensors) {
      const id = `${sensor.pipeline} ${sensor.key}`;
      if (sensor.nextAtMs > now || atWork.size >= LOOKS_AT_ONCE) break;
      if (atWork.has(id) || controller.signal.aborted) continue;
      const look = lookOnce(parts, sensor, controller.signal)
        .catch((error: unknown) =>
          parts.log.error("what a sensor saw could not be written; it looks again", {
            pipeline: sensor.pipeline,
            sensor: sensor.subject,
            error: messageOf(error),
          }),
        )
        .finally(() => {
          atWork.delete(id);
          loop.wake();
        });
      atWork.set(id, look);
      parts.later(look);
    }
    const waiting = sensors.filter(({ pipeline, key }) => !atWork.has(`${pipeline} ${key}`));
    // With all hands at work, the end of a look wakes the loop.
    return atWork.size >= LOOKS_AT_ONCE ? undefined : waiting[0]?.nextAtMs;
  });
  return {
    start: () => loop.start(),
    stop() {
      controller.abort();
      loop.stop();
    },
  };
}

async function lookOnce(parts: EngineParts, due: Sensor, stopped: AbortSignal): Promise<void> {
  const { store, project, clock } = parts;
  const revision = await store.write((transaction) => claimSensor(transaction, due, clock.now() + CLAIM_MS));
  if (revision === undefined) return;
  const sensor = { ...due, revision };
  const stored = await store.read((transaction) =>
    getPipelineDefinition(transaction, { project, pipeline: sensor.pipeline }),
  );
  const definition = stored === undefined ? undefined : await parts.definitionOf(stored.digest);
  const declared = definition?.on.sensors?.find((one) => digestOfSensor(one) === sensor.key);
  // The pipeline was changed meanwhile.
  if (declared === undefined) return;
  try {
    await settle(parts, sensor, declared, AbortSignal.any([stopped, AbortSignal.timeout(LONGEST_LOOK_MS)]));
  } catch (error) {
    if (stopped.aborted) await giveBack(parts, sensor);
    else await settleFailure(parts, sensor, error);
  }
}

async function settle(
  parts: EngineParts,
  sensor: Sensor,
  declared: SensorDefinition,
  signal: AbortSignal,
): Promise<void> {
  const { store, project, clock, ports } = parts;
  const before = toSensorState(sensor.state);
  const observed = await ports.sensing?.look(declared, seenOf(before), signal);
  if (observed === undefined) return;
  const { state, event, againMs } = sense(declared, before, observed, clock.now());
  const nextAtMs = clock.now() + (againMs ?? sensor.everyMs);
  await store.write(async (transaction) => {
    const atMs = clock.now();
    // What came while the pipeline was paused is an event when it no longer is.
    if (event !== undefined && (await isPaused(transaction, sensor))) {
      await settleSensor(transaction, sensor, { atMs, nextAtMs });
      return;
    }
    const isOwn = await settleSensor(transaction, sensor, { atMs, nextAtMs, state });
    if (!isOwn) return;
    if (event !== undefined) {
      const id = await enqueuePipeline(transaction, sensor.pipeline, {
        project,
        trigger: { kind: "sensor", subject: sensor.subject, cause: event },
        actor: "engine",
        atMs,
      });
      if (id !== undefined)
        await settleSensor(
          transaction,
          { ...sensor, revision: sensor.revision + 1 },
          { atMs, nextAtMs, fired: { pipelineRunId: id } },
        );
    }
    if (sensor.error !== undefined)
      await appendEvent(transaction, {
        atMs,
        project,
        type: "sensor.recovered",
        subjectKind: "sensor",
        subject: sensor.subject,
        actor: "engine",
        data: { pipeline: sensor.pipeline },
      });
  });
}

/** What it saw last stays: it is an event once it can be looked at again, or its run can be started. */
async function settleFailure(parts: EngineParts, sensor: Sensor, error: unknown): Promise<void> {
  const { store, project, clock, log } = parts;
  const told = toStored(error);
  const isNew = sensor.error?.message !== told.message;
  if (isNew)
    log.warn("a sensor could not look", { pipeline: sensor.pipeline, sensor: sensor.subject, error: told.message });
  await store.write(async (transaction) => {
    const atMs = clock.now();
    const isOwn = await settleSensor(transaction, sensor, { atMs, nextAtMs: atMs + sensor.everyMs, error: told });
    if (isOwn && isNew)
      await appendEvent(transaction, {
        atMs,
        project,
        type: "sensor.failed",
        subjectKind: "sensor",
        subject: sensor.subject,
        actor: "engine",
        data: { pipeline: sensor.pipeline, code: told.code ?? "", message: told.message },
      });
  });
}

/** Whoever works next looks at once. */
async function giveBack({ store, clock }: EngineParts, sensor: Sensor): Promise<void> {
  await store.write((transaction) => claimSensor(transaction, sensor, clock.now()));
}

function toStored(error: unknown): StoredError {
  if (!isEsteiraError(error)) return { message: messageOf(error) };
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
