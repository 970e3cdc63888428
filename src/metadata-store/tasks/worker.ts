import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { databaseNow } from "../engine/database-time.ts";

const FORGOTTEN_AFTER_MS = 7 * 24 * 3600_000;

/** A process on some machine that takes tasks. */
export interface StoredWorker {
  readonly id: string;
  /** One worker of a project has it at a time. */
  readonly name: string;
  /** Takes tasks of this executor alone. */
  readonly executor: string | undefined;
  readonly host: string;
  readonly version: string;
  /** JSON of the most that its tasks can have together. */
  readonly offer: string;
  readonly labels: readonly string[];
  /** Whose token it came with. */
  readonly actor: string;
}

/** A worker with what it does, as people look at it. */
export interface WorkerState extends StoredWorker {
  readonly startedAtMs: number;
  readonly seenAtMs: number;
  /** Milliseconds since it was heard of, by the database's clock. */
  readonly silentMs: number;
  readonly tasks: readonly { readonly id: string; readonly attemptId: string; readonly executor: string }[];
}

/**
 * Makes a worker known. One of the same name that was known before is no more: what it ran is lost, as two processes
 * cannot be told apart by it.
 */
export async function registerWorker(
  transaction: WriteTransaction,
  { project, ...worker }: StoredWorker & { readonly project: string },
): Promise<void> {
  const now = await databaseNow(transaction);
  const before = await transaction
    .selectFrom("worker")
    .select("id")
    .where("project", "=", project)
    .where((is) => is.or([is("name", "=", worker.name), is("seen_at_ms", "<", now - FORGOTTEN_AFTER_MS)]))
    .execute();
  for (const { id } of before) {
    await transaction
      .updateTable("task")
      .set({ state: "lost", ended_at_ms: now })
      .where("worker_id", "=", id)
      .where("state", "=", "running")
      .execute();
    await transaction.deleteFrom("worker").where("project", "=", project).where("id", "=", id).execute();
  }
  await transaction
    .insertInto("worker")
    .values({
      project,
      id: worker.id,
      name: worker.name,
      executor: worker.executor ?? null,
      host: worker.host,
      version: worker.version,
      offer: worker.offer,
      labels: JSON.stringify(worker.labels),
      actor: worker.actor,
      started_at_ms: now,
      seen_at_ms: now,
    })
    .execute();
}

/** @returns undefined for one that is not known, or not any more */
export async function touchWorker(
  transaction: WriteTransaction,
  worker: { readonly project: string; readonly id: string },
): Promise<StoredWorker | undefined> {
  const row = await transaction
    .updateTable("worker")
    .set({ seen_at_ms: await databaseNow(transaction) })
    .where("project", "=", worker.project)
    .where("id", "=", worker.id)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? undefined : toWorker(row);
}

/** What a worker gave up: nobody waits for it. */
export async function loseTasks(
  transaction: WriteTransaction,
  facts: {
    readonly project: string;
    readonly workerId: string;
    readonly tasks: readonly { readonly id: string; readonly token: number }[];
  },
): Promise<void> {
  for (const { id, token } of facts.tasks)
    await transaction
      .updateTable("task")
      .set({ state: "lost", ended_at_ms: await databaseNow(transaction) })
      .where("project", "=", facts.project)
      .where("worker_id", "=", facts.workerId)
      .where("id", "=", id)
      .where("token", "=", token)
      .where("state", "=", "running")
      .execute();
}

/** A worker that ends by itself: nobody waits for it. What it ran is lost at once. */
export async function removeWorker(
  transaction: WriteTransaction,
  worker: { readonly project: string; readonly id: string },
): Promise<void> {
  await transaction
    .updateTable("task")
    .set({ state: "lost", ended_at_ms: await databaseNow(transaction) })
    .where("worker_id", "=", worker.id)
    .where("project", "=", worker.project)
    .where("state", "=", "running")
    .execute();
  await transaction.deleteFrom("worker").where("project", "=", worker.project).where("id", "=", worker.id).execute();
}

/** Forgets the workers that called as one of the given; what they run is lost by its lease, where nobody ended it. */
export async function removeWorkersOf(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly actors: readonly string[] },
): Promise<void> {
  if (of.actors.length === 0) return;
  await transaction
    .deleteFrom("worker")
    .where("project", "=", of.project)
    .where("actor", "in", [...of.actors])
    .execute();
}

/** Workers of a project by name, each with the tasks that it runs. */
export async function listWorkers(transaction: ReadTransaction, project: string): Promise<readonly WorkerState[]> {
  const now = await databaseNow(transaction);
  const rows = await transaction
    .selectFrom("worker")
    .selectAll()
    .where("project", "=", project)
    .orderBy("name")
    .limit(1000)
    .execute();
  const running = await transaction
    .selectFrom("task")
    .select(["id", "attempt_id", "executor", "worker_id"])
    .where("state", "=", "running")
    .where("project", "=", project)
    .orderBy("id")
    .execute();
  return rows.map((row) => ({
    ...toWorker(row),
    startedAtMs: Number(row.started_at_ms),
    seenAtMs: Number(row.seen_at_ms),
    silentMs: Math.max(0, now - Number(row.seen_at_ms)),
    tasks: running
      .filter(({ worker_id: holder }) => holder === row.id)
      .map(({ id, attempt_id: attemptId, executor }) => ({ id, attemptId, executor })),
  }));
}

function toWorker(row: {
  readonly id: string;
  readonly name: string;
  readonly executor: string | null;
  readonly host: string;
  readonly version: string;
  readonly offer: string;
  readonly labels: string;
  readonly actor: string;
}): StoredWorker {
  const labels: string[] = JSON.parse(row.labels);
  const { id, name, host, version, offer, actor } = row;
  return { id, name, host, version, offer, actor, labels, executor: row.executor ?? undefined };
}
