import { type RawBuilder, type Selectable, sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import { databaseNow } from "./database-time.ts";
import { lockSlotGroup } from "./settle-pipeline-run.ts";
import type { PipelineTables } from "./tables.ts";

/** As a literal: a partial index is not used for parameters. */
export const isQueuedInPool: RawBuilder<boolean> = sql<boolean>`step_run.status = 'queued' and step_run.pool is not null`;

/**
 * A pool as it is declared. Who holds its slots is said by the attempts that run: a slot is taken with an attempt,
 * prolonged with its lease and free with its end or the end of its lease, so none can be left behind.
 */
export interface DeclaredPool {
  readonly name: string;
  /** At least 1. */
  readonly slots: number;
  readonly description: string | undefined;
}

/** A pool with how many of its slots are held. */
export interface PoolRoom {
  readonly name: string;
  readonly slots: number;
  readonly used: number;
}

/** A pool that has become smaller than what a step asks for gives it all that it has. */
export function slotsNeeded(asked: number | null, slots: number): number {
  return Math.min(asked ?? 1, slots);
}

/** Makes these the pools of a project. What holds slots of one that is gone keeps them; what waits for it waits on. */
export async function savePools(
  transaction: WriteTransaction,
  facts: { readonly project: string; readonly pools: readonly DeclaredPool[]; readonly atMs: number },
): Promise<void> {
  const { project, pools, atMs } = facts;
  const known = await transaction.selectFrom("pool").selectAll().where("project", "=", project).execute();
  const declared = new Map(pools.map((pool) => [pool.name, pool]));
  for (const { name } of known)
    if (!declared.has(name))
      await transaction.deleteFrom("pool").where("project", "=", project).where("name", "=", name).execute();
  for (const { name, slots, description = null } of pools) {
    const before = known.find((row) => row.name === name);
    if (before?.slots === slots && before.description === description) continue;
    const row = { slots, description, updated_at_ms: atMs };
    await transaction
      .insertInto("pool")
      .values({ project, name, ...row })
      .onConflict((conflict) => conflict.columns(["project", "name"]).doUpdateSet(row))
      .execute();
  }
}

/** Pools that queued step runs wait for: a look into an index for each pool, however many wait. */
export async function listPoolsInDemand(
  transaction: ReadTransaction,
  project: string,
  now: number,
): Promise<readonly PoolRoom[]> {
  const { rows } = await selectInDemand(transaction, { project });
  const rooms: PoolRoom[] = [];
  for (const { name, slots } of rows)
    rooms.push({ name, slots, used: await countUsedSlots(transaction, { project, pool: name, now }) });
  return rooms;
}

const selectInDemand = prepare((transaction, { project }: { readonly project: string }) =>
  transaction
    .selectFrom("pool")
    .select(["pool.name", "pool.slots"])
    .where("pool.project", "=", project)
    .where((is) =>
      is.exists(
        is
          .selectFrom("step_run")
          .select("step_run.id")
          .whereRef("step_run.project", "=", "pool.project")
          .whereRef("step_run.pool", "=", "pool.name")
          .where(isQueuedInPool)
          .limit(1),
      ),
    )
    .orderBy("pool.name"),
);

/** True when a step run fits its pool, which this transaction then holds. */
export async function hasPoolRoom(
  transaction: WriteTransaction,
  stepRun: Pick<Selectable<PipelineTables["step_run"]>, "project" | "pool" | "pool_slots">,
  now: number,
): Promise<boolean> {
  const { project, pool } = stepRun;
  if (pool === null) return true;
  await lockSlotGroup(transaction, project, `pool:${pool}`);
  const declared = await transaction
    .selectFrom("pool")
    .select("slots")
    .where("project", "=", project)
    .where("name", "=", pool)
    .executeTakeFirst();
  if (declared === undefined) return false;
  const used = await countUsedSlots(transaction, { project, pool, now });
  return used + slotsNeeded(stepRun.pool_slots, declared.slots) <= declared.slots;
}

const holdsSlots = sql<boolean>`attempt.status = 'running' and attempt.pool is not null`;

/** Slots of a pool that are held now. */
export async function countUsedSlots(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pool: string; readonly now: number },
): Promise<number> {
  const { used } = await transaction
    .selectFrom("attempt")
    .select((select) => select.fn.sum<number | null>("pool_slots").as("used"))
    .where("project", "=", of.project)
    .where("pool", "=", of.pool)
    .where(holdsSlots)
    .where("lease_expires_at_ms", ">", of.now)
    .executeTakeFirstOrThrow();
  return Number(used ?? 0);
}

/** An attempt that holds slots of a pool. Times are epoch milliseconds. */
export interface PoolHolder {
  readonly attemptId: string;
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly step: string;
  readonly matrix: string | undefined;
  readonly slots: number;
  readonly sinceMs: number;
  /** When the slots are free again unless its engine prolongs them. */
  readonly leaseExpiresAtMs: number;
}

/** A pool as people look at it. */
export interface PoolState extends DeclaredPool {
  readonly used: number;
  /** Step runs that are queued for it. */
  readonly waiting: number;
  /** The first 100. */
  readonly holders: readonly PoolHolder[];
}

/** Pools of a project by name, each with who holds it. */
export async function listPools(transaction: ReadTransaction, project: string): Promise<readonly PoolState[]> {
  const now = await databaseNow(transaction);
  const declared = await transaction
    .selectFrom("pool")
    .selectAll()
    .where("project", "=", project)
    .orderBy("name")
    .execute();
  const states: PoolState[] = [];
  for (const { name, slots, description } of declared) {
    const { count } = await transaction
      .selectFrom("step_run")
      .select((select) => select.fn.countAll<number>().as("count"))
      .where("project", "=", project)
      .where("pool", "=", name)
      .where(isQueuedInPool)
      .executeTakeFirstOrThrow();
    states.push({
      name,
      slots,
      description: description ?? undefined,
      used: await countUsedSlots(transaction, { project, pool: name, now }),
      waiting: Number(count),
      holders: await listPoolHolders(transaction, { project, pool: name, now }),
    });
  }
  return states;
}

/** Attempts that hold slots of a pool, the longest first: at most 100. */
export async function listPoolHolders(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pool: string; readonly now: number },
): Promise<readonly PoolHolder[]> {
  const rows = await transaction
    .selectFrom("attempt")
    .innerJoin("step_run", "step_run.id", "attempt.step_run_id")
    .select([
      "attempt.id as attemptId",
      "attempt.step_run_id as stepRunId",
      "attempt.pipeline_run_id as pipelineRunId",
      "step_run.pipeline as pipeline",
      "step_run.step as step",
      "step_run.matrix as matrix",
      "attempt.pool_slots as slots",
      "attempt.started_at_ms as sinceMs",
      "attempt.lease_expires_at_ms as leaseExpiresAtMs",
    ])
    .where("attempt.project", "=", of.project)
    .where("attempt.pool", "=", of.pool)
    .where(holdsSlots)
    .where("attempt.lease_expires_at_ms", ">", of.now)
    .orderBy("attempt.id")
    .limit(100)
    .execute();
  return rows.map((row) => ({ ...row, matrix: row.matrix ?? undefined, slots: row.slots ?? 1 }));
}
