import {
  advanceDeadline,
  type AskedRun,
  type Deadline,
  deleteLate,
  findRunSince,
  findStanding,
  getPipelineDefinition,
  insertLate,
  isPaused,
  type Late,
  listDeadlines,
  listLate,
  listRunsAskedFor,
} from "#metadata-store/engine";
import type { ReadTransaction, WriteTransaction } from "#metadata-store";
import { nextTick, type PipelineDefinition, toDailySchedule } from "#pipeline";
import type { EngineParts } from "./engine-parts.ts";
import { fireTrigger } from "./trigger.ts";

const ENDED: readonly string[] = ["succeeded", "failed", "cancelled"];
/** Ticks of one day that are looked at: a schedule by the minute has fewer. */
const MOST_TICKS = 2000;

/**
 * Judges deadlines that have passed, and closes what has ended: each breach opens one alert, whichever engine finds it,
 * and however long none was there.
 *
 * @returns when to call it again, epoch milliseconds; undefined when a change of the store says so
 */
export async function judgeDeadlines(parts: EngineParts): Promise<number | undefined> {
  const { deadlines, late } = await parts.store.read(async (transaction) => ({
    deadlines: await listDeadlines(transaction, parts.project),
    late: await listLate(transaction, parts.project),
  }));
  const nexts: (number | undefined)[] = [];
  for (const deadline of deadlines)
    nexts.push(
      deadline.withinMs === undefined
        ? await judgeDay(parts, deadline)
        : await judgeRuns(parts, deadline, deadline.withinMs),
    );
  for (const one of late) await closeEnded(parts, one, deadlines);
  const times = nexts.filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Runs that were asked for so long ago, each once. */
async function judgeRuns(parts: EngineParts, deadline: Deadline, withinMs: number): Promise<number | undefined> {
  const { store, clock } = parts;
  for (let known = deadline; ;) {
    const untilMs = clock.now() - withinMs;
    const asked = { project: known.project, pipeline: known.pipeline, afterMs: known.seenUntilMs };
    const runs = await store.read((transaction) => listRunsAskedFor(transaction, { ...asked, untilMs }));
    const last = runs.at(-1);
    if (last === undefined) {
      const [next] = await store.read((transaction) =>
        listRunsAskedFor(transaction, { ...asked, untilMs: Number.MAX_SAFE_INTEGER }),
      );
      return next === undefined ? undefined : next.createdAtMs + withinMs;
    }
    const to = { seenUntilMs: last.createdAtMs };
    const taken = await store.write(async (transaction) => {
      if (!(await advanceDeadline(transaction, known, to))) return false;
      for (const run of runs) await judgeRun(transaction, parts, { deadline: known, run, withinMs });
      return true;
    });
    if (!taken) return clock.now() + 1000;
    known = { ...known, ...to, revision: known.revision + 1 };
  }
}

async function judgeRun(
  transaction: WriteTransaction,
  parts: EngineParts,
  { deadline, run, withinMs }: { readonly deadline: Deadline; readonly run: AskedRun; readonly withinMs: number },
): Promise<void> {
  const { project, pipeline, step } = deadline;
  const standing = await findStanding(transaction, { pipelineRunId: run.id, step });
  const dueAtMs = run.createdAtMs + withinMs;
  if (standing === undefined || (standing.endedAtMs !== undefined && standing.endedAtMs <= dueAtMs)) return;
  const late: Late = { project, pipeline, step, subject: run.id, fromMs: run.createdAtMs, dueAtMs };
  const what = step === "" ? pipeline : `step ${step} of ${pipeline}`;
  const message = `${what} has not ended ${lengthOf(withinMs)} after its run ${run.id} was asked for, by ${timeOf(dueAtMs)}: ${describe(run, standing.status)}`;
  await open(transaction, parts, { late, message, pipelineRunId: run.id });
  if (standing.endedAtMs !== undefined) await close(transaction, parts, late, ended(standing.endedAtMs, late));
}

function describe(run: AskedRun, status: string): string {
  if (run.startedAtMs === undefined && !ENDED.includes(status)) return "the run has not begun";
  return status === "running" && run.startedAtMs !== undefined ? `it runs since ${timeOf(run.startedAtMs)}` : status;
}

/** The last time of the day that has passed: by then a run since the one before must have succeeded. */
async function judgeDay(parts: EngineParts, deadline: Deadline): Promise<number | undefined> {
  const { at = "", timezone = "UTC", nextAtMs } = deadline;
  const nowMs = parts.clock.now();
  if (nextAtMs === undefined || nextAtMs > nowMs) return nextAtMs;
  const daily = toDailySchedule({ at, timezone });
  let [before, tick] = [deadline.seenUntilMs, nextAtMs];
  let next = nextTick(daily, tick);
  while (next !== undefined && next <= nowMs) [before, tick, next] = [tick, next, nextTick(daily, next)];
  const fromMs = await countsFrom(parts, deadline, { before, tick });
  await parts.store.write(async (transaction) => {
    if (!(await advanceDeadline(transaction, deadline, { seenUntilMs: tick, nextAtMs: next }))) return;
    if (fromMs === undefined || (await isPaused(transaction, deadline))) return;
    const { project, pipeline, step } = deadline;
    const run = await findRunSince(transaction, { project, pipeline, fromMs, status: "succeeded" });
    if (run?.finishedAtMs !== undefined && run.finishedAtMs <= tick) return;
    const subject = new Date(tick).toISOString();
    const late: Late = { project, pipeline, step, subject, fromMs, dueAtMs: tick };
    const newest = run ?? (await findRunSince(transaction, { project, pipeline, fromMs }));
    const state = newest === undefined ? "none was started" : `run ${newest.id}: ${describe(newest, newest.status)}`;
    const message = `no run of ${pipeline} has succeeded by ${at} ${timezone} (${timeOf(tick)}): ${state}`;
    await open(transaction, parts, { late, message, pipelineRunId: newest?.id });
    if (run?.finishedAtMs !== undefined)
      await close(transaction, parts, late, `${ended(run.finishedAtMs, late)} (run ${run.id})`);
  });
  return next;
}

/**
 * Since when runs count for a daily deadline: since the one before, or the tick of a schedule between the two.
 * Undefined on a day on which the pipeline's schedules do not start it.
 */
async function countsFrom(
  parts: EngineParts,
  { pipeline }: Deadline,
  { before, tick }: { readonly before: number; readonly tick: number },
): Promise<number | undefined> {
  const { project } = parts;
  const stored = await parts.store.read((transaction) => getPipelineDefinition(transaction, { project, pipeline }));
  if (stored === undefined) return undefined;
  const definition: PipelineDefinition = JSON.parse(stored.content);
  if (definition.on.schedules.length === 0) return before;
  const last = definition.on.schedules.flatMap((schedule) => {
    let found: number | undefined;
    let next = nextTick(schedule, before);
    for (let count = 0; next !== undefined && next <= tick && count < MOST_TICKS; count++)
      [found, next] = [next, nextTick(schedule, next)];
    return found ?? [];
  });
  return last.length === 0 ? undefined : Math.max(...last);
}

async function closeEnded(parts: EngineParts, late: Late, deadlines: readonly Deadline[]): Promise<void> {
  const reason = await parts.store.read((transaction) => reasonToClose(transaction, late, deadlines));
  if (reason !== undefined) await parts.store.write((transaction) => close(transaction, parts, late, reason));
}

async function reasonToClose(
  transaction: ReadTransaction,
  late: Late,
  deadlines: readonly Deadline[],
): Promise<string | undefined> {
  const { project, pipeline, step, subject, fromMs } = late;
  const declared = deadlines.find((one) => one.pipeline === pipeline && one.step === step);
  if (declared === undefined) return "the deadline is no longer declared";
  if (subject.includes(":")) {
    const run = await findRunSince(transaction, { project, pipeline, fromMs, status: "succeeded" });
    return run?.finishedAtMs === undefined ? undefined : `${ended(run.finishedAtMs, late)} (run ${run.id})`;
  }
  const standing = await findStanding(transaction, { pipelineRunId: subject, step });
  if (standing === undefined || standing.status === "missing") return "the run is gone";
  return standing.endedAtMs === undefined ? undefined : `${ended(standing.endedAtMs, late)}: ${standing.status}`;
}

async function open(
  transaction: WriteTransaction,
  parts: EngineParts,
  {
    late,
    message,
    pipelineRunId,
  }: {
    readonly late: Late;
    readonly message: string;
    readonly pipelineRunId: string | undefined;
  },
): Promise<void> {
  const atMs = parts.clock.now();
  await insertLate(transaction, late);
  const alert = await parts.ports.openLate?.(transaction, { ...late, message, atMs });
  if (alert === undefined) return;
  const { project } = late;
  const cause = { alert: alert.id, ...(pipelineRunId === undefined ? {} : { pipelineRun: pipelineRunId }) };
  const ids = await fireTrigger(transaction, {
    project,
    on: "alert",
    subject: alert.monitor,
    cause,
    actor: "engine",
    atMs,
  });
  if (ids.length > 0) await parts.ports.linkLate?.(transaction, alert.id, ids);
}

async function close(transaction: WriteTransaction, parts: EngineParts, late: Late, reason: string): Promise<void> {
  if (await deleteLate(transaction, late))
    await parts.ports.closeLate?.(transaction, { ...late, reason, atMs: parts.clock.now() });
}

function ended(endedAtMs: number, { dueAtMs }: Late): string {
  return `it ended ${timeOf(endedAtMs)}, ${lengthOf(Math.max(0, endedAtMs - dueAtMs))} late`;
}

function timeOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
] as const;

/** `1h 30m`, at most two units. */
function lengthOf(ms: number): string {
  const first = UNITS.findIndex(([unit]) => ms >= unit);
  if (first === -1) return `${ms}ms`;
  let rest = ms;
  return UNITS.slice(first, first + 2)
    .map(([unit, name]) => {
      const count = Math.floor(rest / unit);
      rest -= count * unit;
      return count === 0 ? "" : `${count}${name}`;
    })
    .filter((text) => text !== "")
    .join(" ");
}
