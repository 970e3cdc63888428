import type { ReadTransaction } from "../database.ts";
import { databaseNow } from "./database-time.ts";
import type { StepRun } from "./list-step-runs.ts";
import { countUsedSlots, isQueuedInPool, listPoolHolders, slotsNeeded } from "./pool.ts";

const HOLDERS_SHOWN = 20;

/** Who holds what another waits for: a step run, or a whole pipeline run. */
export interface Holder {
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly stepRunId?: string | undefined;
  readonly step?: string | undefined;
  readonly matrix?: string | undefined;
  readonly slots?: number | undefined;
}

/**
 * Why queued work has not begun. `delay`: a retry that is not due. `concurrency`, `pool`: all places are held.
 * `pool-turn`: places are free, but one before it needs more of them. `pool-gone`: its pool is not declared any more.
 * `engine`: the next engine that has room takes it. `no-engine`: none works on the project.
 */
export interface WaitReason {
  readonly kind: "delay" | "concurrency" | "pool" | "pool-turn" | "pool-gone" | "engine" | "no-engine";
  /** The concurrency group or the pool. */
  readonly name?: string | undefined;
  /** Places that there are. */
  readonly limit?: number | undefined;
  readonly used?: number | undefined;
  /** Places that it needs. */
  readonly needs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** The first 20. */
  readonly holders: readonly Holder[];
}

interface Limits {
  readonly now: number;
  readonly hasEngine: boolean;
  group(name: string): Promise<readonly Holder[]>;
  pool(name: string): Promise<PoolFacts | undefined>;
}

interface PoolFacts {
  readonly slots: number;
  readonly used: number;
  readonly holders: readonly Holder[];
  readonly first: { readonly id: string; readonly needs: number } | undefined;
}

/** What each queued step run waits for, by id; those in another status are left out. Each limit is looked at once. */
export async function explainWaits(
  transaction: ReadTransaction,
  stepRuns: readonly StepRun[],
): Promise<ReadonlyMap<string, WaitReason>> {
  const queued = stepRuns.filter(({ status }) => status === "queued");
  const reasons = new Map<string, WaitReason>();
  const [first] = queued;
  if (first === undefined) return reasons;
  const limits = await readLimits(transaction, first.project);
  for (const stepRun of queued) reasons.set(stepRun.id, await explain(stepRun, limits));
  return reasons;
}

async function readLimits(transaction: ReadTransaction, project: string): Promise<Limits> {
  const now = await databaseNow(transaction);
  const groups = new Map<string, Promise<readonly Holder[]>>();
  const pools = new Map<string, Promise<PoolFacts | undefined>>();
  return {
    now,
    hasEngine: await hasLivingEngine(transaction, project, now),
    group: (name) => once(groups, name, () => listGroupHolders(transaction, { project, group: name, now })),
    pool: (name) => once(pools, name, () => readPool(transaction, { project, pool: name, now })),
  };
}

function once<Value>(known: Map<string, Promise<Value>>, name: string, read: () => Promise<Value>): Promise<Value> {
  const value = known.get(name) ?? read();
  known.set(name, value);
  return value;
}

async function explain(stepRun: StepRun, limits: Limits): Promise<WaitReason> {
  if (stepRun.readyAtMs !== undefined && stepRun.readyAtMs > limits.now)
    return { kind: "delay", untilMs: stepRun.readyAtMs, holders: [] };
  const { concurrencyGroup: group, concurrencyLimit: limit = Infinity } = stepRun;
  const holders = group === undefined ? [] : await limits.group(group);
  if (holders.length >= limit)
    return { kind: "concurrency", name: group, limit, used: holders.length, holders: holders.slice(0, HOLDERS_SHOWN) };
  return (
    (stepRun.pool === undefined ? undefined : await explainPool(stepRun, stepRun.pool, limits)) ?? {
      kind: limits.hasEngine ? "engine" : "no-engine",
      holders: [],
    }
  );
}

async function explainPool(
  { id, poolSlots = 1 }: StepRun,
  name: string,
  limits: Limits,
): Promise<WaitReason | undefined> {
  const pool = await limits.pool(name);
  if (pool === undefined) return { kind: "pool-gone", name, holders: [] };
  const { slots, used, first } = pool;
  const needs = slotsNeeded(poolSlots, slots);
  const facts = { name, limit: slots, used, needs, holders: pool.holders };
  if (used + needs > slots) return { kind: "pool", ...facts };
  return first !== undefined && first.id !== id && used + slotsNeeded(first.needs, slots) > slots
    ? { kind: "pool-turn", ...facts }
    : undefined;
}

async function readPool(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pool: string; readonly now: number },
): Promise<PoolFacts | undefined> {
  const declared = await transaction
    .selectFrom("pool")
    .select("slots")
    .where("project", "=", of.project)
    .where("name", "=", of.pool)
    .executeTakeFirst();
  if (declared === undefined) return undefined;
  const first = await transaction
    .selectFrom("step_run")
    .select(["id", "pool_slots"])
    .where("project", "=", of.project)
    .where("pool", "=", of.pool)
    .where(isQueuedInPool)
    .where("ready_at_ms", "<=", of.now)
    .orderBy("priority", "desc")
    .orderBy("ready_at_ms")
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  return {
    slots: declared.slots,
    used: await countUsedSlots(transaction, of),
    holders: (await listPoolHolders(transaction, of)).slice(0, HOLDERS_SHOWN),
    first: first === undefined ? undefined : { id: first.id, needs: first.pool_slots ?? 1 },
  };
}

/** Step runs that hold a place of a concurrency group. */
async function listGroupHolders(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly group: string; readonly now: number },
): Promise<readonly Holder[]> {
  const rows = await transaction
    .selectFrom("slot")
    .innerJoin("step_run", "step_run.id", "slot.step_run_id")
    .select([
      "step_run.id as stepRunId",
      "step_run.pipeline_run_id as pipelineRunId",
      "step_run.pipeline as pipeline",
      "step_run.step as step",
      "step_run.matrix as matrix",
    ])
    .where("slot.project", "=", of.project)
    .where("slot.group_name", "=", of.group)
    .where("slot.expires_at_ms", ">", of.now)
    .orderBy("slot.acquired_at_ms")
    .execute();
  return rows.map((row) => ({ ...row, matrix: row.matrix ?? undefined }));
}

async function hasLivingEngine(transaction: ReadTransaction, project: string, now: number): Promise<boolean> {
  const engine = await transaction
    .selectFrom("engine_instance")
    .select("id")
    .where("project", "=", project)
    .where("stopped", "=", 0)
    .where("lease_expires_at_ms", ">", now)
    .limit(1)
    .executeTakeFirst();
  return engine !== undefined;
}
