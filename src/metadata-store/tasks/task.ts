import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { databaseNow } from "../engine/database-time.ts";
import type { TaskState, TaskTables } from "./tables.ts";

const CANDIDATES = 200;

/** A process of an attempt that a worker is to run. */
export interface NewTask {
  readonly id: string;
  readonly attemptId: string;
  readonly project: string;
  readonly executor: string;
  /** Sealed. */
  readonly spec: string;
  readonly manifest: string;
  /** JSON of what it needs of a worker. */
  readonly needs: string;
  readonly leaseMs: number;
}

/** A task as its worker gets it. */
export interface HeldTask {
  readonly id: string;
  readonly executor: string;
  /** Makes void what a worker writes that has it no more. */
  readonly token: number;
  readonly leaseMs: number;
  readonly spec: string;
  readonly manifest: string;
}

/** A task as its engine sees it. */
export interface ObservedTask {
  readonly id: string;
  readonly state: TaskState;
  readonly workerName: string | undefined;
  readonly logPieces: number;
  readonly result: string | undefined;
  readonly cancelAsked: boolean;
}

/** Who writes something of a task, and with which right. */
export interface TaskHolder {
  readonly project: string;
  readonly id: string;
  readonly workerId: string;
  readonly token: number;
}

/** @returns false when there is one of this id already, which stays */
export async function insertTask(transaction: WriteTransaction, task: NewTask): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("task")
    .values({
      id: task.id,
      attempt_id: task.attemptId,
      project: task.project,
      executor: task.executor,
      state: "queued",
      spec: task.spec,
      manifest: task.manifest,
      needs: task.needs,
      lease_ms: task.leaseMs,
      worker_id: null,
      worker_name: null,
      token: 0,
      lease_expires_at_ms: null,
      cancel_asked: 0,
      log_pieces: 0,
      result: null,
      created_at_ms: await databaseNow(transaction),
      claimed_at_ms: null,
      ended_at_ms: null,
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** True when a task waits that a worker might take. */
export async function hasQueuedTask(transaction: ReadTransaction, project: string): Promise<boolean> {
  const row = await transaction
    .selectFrom("task")
    .select("id")
    .where("project", "=", project)
    .where("state", "=", "queued")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Gives a worker the first of the waiting tasks that it may and can take, and again what it was given and does not know
 * of.
 *
 * @param facts.takes whether the worker takes one more, asked in order
 */
export async function claimTasks(
  transaction: WriteTransaction,
  facts: {
    readonly project: string;
    readonly worker: { readonly id: string; readonly name: string };
    readonly known: readonly string[];
    readonly most: number;
    readonly takes: (task: { readonly id: string; readonly executor: string; readonly needs: string }) => boolean;
  },
): Promise<readonly HeldTask[]> {
  const { project, worker, known, most, takes } = facts;
  const held = await transaction
    .selectFrom("task")
    .selectAll()
    .where("project", "=", project)
    .where("worker_id", "=", worker.id)
    .where("state", "=", "running")
    .execute();
  const now = await databaseNow(transaction);
  const given: HeldTask[] = [];
  // It was given before, and the worker did not hear of it.
  for (const task of held.filter(({ id }) => !known.includes(id))) {
    const expiresAtMs = now + Number(task.lease_ms);
    await transaction.updateTable("task").set({ lease_expires_at_ms: expiresAtMs }).where("id", "=", task.id).execute();
    given.push(toHeld(task));
  }
  const waiting = await transaction
    .selectFrom("task")
    .select(["id", "executor", "needs", "token", "lease_ms"])
    .where("project", "=", project)
    .where("state", "=", "queued")
    .orderBy("created_at_ms")
    .orderBy("id")
    .limit(CANDIDATES)
    .execute();
  for (const task of waiting) {
    if (given.length >= most) break;
    if (!takes(task)) continue;
    const taken = await transaction
      .updateTable("task")
      .set({
        state: "running",
        worker_id: worker.id,
        worker_name: worker.name,
        token: Number(task.token) + 1,
        lease_expires_at_ms: now + Number(task.lease_ms),
        claimed_at_ms: now,
      })
      .where("id", "=", task.id)
      .where("state", "=", "queued")
      .returningAll()
      .executeTakeFirst();
    if (taken !== undefined) given.push(toHeld(taken));
  }
  return given;
}

/** Prolongs the leases of what a worker says that it runs; @returns of each whether it is to go on. */
export async function renewTasks(
  transaction: WriteTransaction,
  facts: {
    readonly project: string;
    readonly workerId: string;
    readonly tasks: readonly { readonly id: string; readonly token: number }[];
  },
): Promise<readonly { readonly id: string; readonly say: "go on" | "end" | "forget" }[]> {
  const { project, workerId, tasks } = facts;
  if (tasks.length === 0) return [];
  const now = await databaseNow(transaction);
  const rows = await transaction
    .selectFrom("task")
    .select(["id", "token", "cancel_asked", "lease_ms", "worker_id", "state"])
    .where("project", "=", project)
    .where(
      "id",
      "in",
      tasks.map(({ id }) => id),
    )
    .execute();
  const said: { id: string; say: "go on" | "end" | "forget" }[] = [];
  for (const { id, token } of tasks) {
    const row = rows.find((each) => each.id === id);
    if (row === undefined || row.worker_id !== workerId || Number(row.token) !== token || row.state !== "running") {
      said.push({ id, say: "forget" });
      continue;
    }
    await transaction
      .updateTable("task")
      .set({ lease_expires_at_ms: now + Number(row.lease_ms) })
      .where("id", "=", id)
      .where("state", "=", "running")
      .execute();
    said.push({ id, say: Number(row.cancel_asked) === 1 ? "end" : "go on" });
  }
  return said;
}

/** Tasks that one of the given workers' tasks are asked to end or taken away, without a change. */
export async function hasNewsFor(
  transaction: ReadTransaction,
  facts: { readonly workerId: string; readonly tasks: readonly string[]; readonly told: readonly string[] },
): Promise<boolean> {
  if (facts.tasks.length === 0) return false;
  const rows = await transaction
    .selectFrom("task")
    .select(["id", "cancel_asked", "state", "worker_id"])
    .where("id", "in", [...facts.tasks])
    .execute();
  if (rows.length < facts.tasks.length) return true;
  return rows.some(
    (row) =>
      row.state !== "running" ||
      row.worker_id !== facts.workerId ||
      (Number(row.cancel_asked) === 1 && !facts.told.includes(row.id)),
  );
}

/** The task of a holder; undefined when it is no more that worker's. */
export async function getHeldTask(
  transaction: ReadTransaction,
  holder: TaskHolder,
): Promise<{ readonly manifest: string } | undefined> {
  return transaction
    .selectFrom("task")
    .select("manifest")
    .where("project", "=", holder.project)
    .where("id", "=", holder.id)
    .where("worker_id", "=", holder.workerId)
    .where("token", "=", holder.token)
    .where("state", "=", "running")
    .executeTakeFirst();
}

/** Keeps a piece of a log; one that is there stays. @returns false when the task is no more that worker's */
export async function appendTaskLog(
  transaction: WriteTransaction,
  piece: TaskHolder & { readonly number: number; readonly text: string },
): Promise<boolean> {
  if ((await getHeldTask(transaction, piece)) === undefined) return false;
  await transaction
    .insertInto("task_log")
    .values({ task_id: piece.id, number: piece.number, text: piece.text })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await transaction
    .updateTable("task")
    .set({ log_pieces: piece.number + 1 })
    .where("id", "=", piece.id)
    .where("log_pieces", "<=", piece.number)
    .execute();
  return true;
}

/** @returns false when the task is no more that worker's; said twice, the first counts */
export async function endTask(
  transaction: WriteTransaction,
  { result, ...holder }: TaskHolder & { readonly result: string },
): Promise<boolean> {
  const ended = await transaction
    .updateTable("task")
    .set({ state: "ended", result, ended_at_ms: await databaseNow(transaction) })
    .where("project", "=", holder.project)
    .where("id", "=", holder.id)
    .where("worker_id", "=", holder.workerId)
    .where("token", "=", holder.token)
    .where("state", "=", "running")
    .returning("id")
    .executeTakeFirst();
  if (ended !== undefined) return true;
  const row = await transaction
    .selectFrom("task")
    .select(["state", "worker_id", "token"])
    .where("id", "=", holder.id)
    .executeTakeFirst();
  return row?.state === "ended" && row.worker_id === holder.workerId && Number(row.token) === holder.token;
}

/** Asks for the end of tasks; of one that nobody has begun, this is the end. */
export async function askTasksToEnd(transaction: WriteTransaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await transaction
    .updateTable("task")
    .set({ state: "ended", cancel_asked: 1, ended_at_ms: await databaseNow(transaction) })
    .where("id", "in", [...ids])
    .where("state", "=", "queued")
    .execute();
  await transaction
    .updateTable("task")
    .set({ cancel_asked: 1 })
    .where("id", "in", [...ids])
    .where("state", "=", "running")
    .execute();
}

/** What a task is in now; undefined for one that is not kept. */
export async function getTaskState(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly id: string },
): Promise<TaskState | undefined> {
  const row = await transaction
    .selectFrom("task")
    .select("state")
    .where("project", "=", of.project)
    .where("id", "=", of.id)
    .executeTakeFirst();
  return row?.state;
}

/** Notes how many characters of a task's log are none of its process. */
export async function addToldCharacters(
  transaction: WriteTransaction,
  of: { readonly id: string; readonly characters: number },
): Promise<void> {
  await transaction
    .updateTable("task")
    .set((update) => ({ told_characters: update("told_characters", "+", of.characters) }))
    .where("id", "=", of.id)
    .execute();
}

/** How many characters of a task's log are none of its process. */
export async function getToldCharacters(transaction: ReadTransaction, id: string): Promise<number> {
  const row = await transaction.selectFrom("task").select("told_characters").where("id", "=", id).executeTakeFirst();
  return row?.told_characters ?? 0;
}

/** Gives up a task whose place is gone. @returns false when it has ended before */
export async function loseTask(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly id: string },
): Promise<boolean> {
  const lost = await transaction
    .updateTable("task")
    .set({ state: "lost", ended_at_ms: await databaseNow(transaction) })
    .where("project", "=", of.project)
    .where("id", "=", of.id)
    .where("state", "in", ["queued", "running"])
    .returning("id")
    .executeTakeFirst();
  return lost !== undefined;
}

/** What became of tasks by now. Those whose worker was not heard of in time are lost, for good. */
export async function observeTasks(
  store: {
    read<Result>(work: (transaction: ReadTransaction) => Promise<Result>): Promise<Result>;
    write<Result>(work: (transaction: WriteTransaction) => Promise<Result>): Promise<Result>;
  },
  ids: readonly string[],
): Promise<readonly ObservedTask[]> {
  if (ids.length === 0) return [];
  const { rows, now } = await store.read(async (transaction) => ({
    rows: await transaction
      .selectFrom("task")
      .select(["id", "state", "worker_name", "log_pieces", "result", "cancel_asked", "lease_expires_at_ms"])
      .where("id", "in", [...ids])
      .execute(),
    now: await databaseNow(transaction),
  }));
  const late = rows.filter(
    ({ state, lease_expires_at_ms: expires }) => state === "running" && Number(expires ?? 0) < now,
  );
  if (late.length > 0) {
    await store.write(async (transaction) => {
      await transaction
        .updateTable("task")
        .set({ state: "lost", ended_at_ms: now })
        .where(
          "id",
          "in",
          late.map(({ id }) => id),
        )
        .where("state", "=", "running")
        .where("lease_expires_at_ms", "<", await databaseNow(transaction))
        .execute();
    });
    return observeTasks(store, ids);
  }
  return rows.map((row) => ({
    id: row.id,
    state: row.state,
    workerName: row.worker_name ?? undefined,
    logPieces: Number(row.log_pieces),
    result: row.result ?? undefined,
    cancelAsked: Number(row.cancel_asked) === 1,
  }));
}

/** Pieces of a log from a number on, in order, at most 50. */
export async function listTaskLog(
  transaction: ReadTransaction,
  { id, from }: { readonly id: string; readonly from: number },
): Promise<readonly { readonly number: number; readonly text: string }[]> {
  const rows = await transaction
    .selectFrom("task_log")
    .select(["number", "text"])
    .where("task_id", "=", id)
    .where("number", ">=", from)
    .orderBy("number")
    .limit(50)
    .execute();
  return rows.map(({ number, text }) => ({ number: Number(number), text }));
}

/** Tasks of an attempt that are kept. */
export async function listAttemptTasks(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly executor: string; readonly attemptId: string },
): Promise<readonly { readonly id: string; readonly state: TaskState }[]> {
  return transaction
    .selectFrom("task")
    .select(["id", "state"])
    .where("attempt_id", "=", of.attemptId)
    .where("project", "=", of.project)
    .where("executor", "=", of.executor)
    .execute();
}

/** Attempts of which an executor keeps tasks. */
export async function listTaskAttempts(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly executor: string },
): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("task")
    .select("attempt_id")
    .distinct()
    .where("project", "=", of.project)
    .where("executor", "=", of.executor)
    .execute();
  return rows.map(({ attempt_id: attemptId }) => attemptId);
}

/** Removes tasks with their logs. */
export async function removeTasks(transaction: WriteTransaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await transaction
    .deleteFrom("task_log")
    .where("task_id", "in", [...ids])
    .execute();
  await transaction
    .deleteFrom("task")
    .where("id", "in", [...ids])
    .execute();
}

function toHeld(row: Selectable<TaskTables["task"]>): HeldTask {
  return {
    id: row.id,
    executor: row.executor,
    token: Number(row.token),
    leaseMs: Number(row.lease_ms),
    spec: row.spec,
    manifest: row.manifest,
  };
}
