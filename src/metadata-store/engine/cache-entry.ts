import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import type { PipelineTables } from "./tables.ts";
import type { Selectable } from "kysely";

/** What a step made for a key: enough to give it again without running. */
export interface CacheEntry {
  readonly project: string;
  readonly key: string;
  readonly pipeline: string;
  readonly step: string;
  readonly matrixIndex: number;
  /** What the key was made of, part by part: for explaining. */
  readonly parts: object;
  readonly outputs: readonly { readonly asset: string; readonly versionId: string }[];
  readonly facts: object | undefined;
  /** Outputs that its processes wrote. */
  readonly results: Readonly<Record<string, string>> | undefined;
  readonly blocks: string | undefined;
  readonly stepRunId: string;
  readonly madeAtMs: number;
}

/** Keeps what was made for a key; a later result for the same key replaces it. */
export async function putCacheEntry(transaction: WriteTransaction, entry: CacheEntry): Promise<void> {
  await upsertEntry(transaction, {
    project: entry.project,
    key: entry.key,
    pipeline: entry.pipeline,
    step: entry.step,
    matrix_index: entry.matrixIndex,
    parts: JSON.stringify(entry.parts),
    outputs: JSON.stringify(entry.outputs),
    facts: entry.facts === undefined ? null : JSON.stringify(entry.facts),
    results: entry.results === undefined ? null : JSON.stringify(entry.results),
    blocks: entry.blocks ?? null,
    step_run_id: entry.stepRunId,
    made_at_ms: entry.madeAtMs,
  });
}

const upsertEntry = prepare((transaction, row: Selectable<PipelineTables["cache_entry"]>) => {
  const facts = {
    pipeline: row.pipeline,
    step: row.step,
    matrix_index: row.matrix_index,
    parts: row.parts,
    outputs: row.outputs,
    facts: row.facts,
    results: row.results,
    blocks: row.blocks,
    step_run_id: row.step_run_id,
    made_at_ms: row.made_at_ms,
  };
  return transaction
    .insertInto("cache_entry")
    .values({ project: row.project, key: row.key, ...facts })
    .onConflict((conflict) => conflict.columns(["project", "key"]).doUpdateSet(facts));
});

export async function getCacheEntry(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly key: string },
): Promise<CacheEntry | undefined> {
  const [row] = (await selectEntry(transaction, key)).rows;
  return row === undefined ? undefined : toCacheEntry(row);
}

const selectEntry = prepare((transaction, key: { readonly project: string; readonly key: string }) =>
  transaction.selectFrom("cache_entry").selectAll().where("project", "=", key.project).where("key", "=", key.key),
);

interface StepKey {
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  readonly matrixIndex: number;
}

/** The newest entry of a step, whatever its key. */
export async function getLatestCacheEntry(transaction: ReadTransaction, key: StepKey): Promise<CacheEntry | undefined> {
  const [row] = (await selectLatest(transaction, key)).rows;
  return row === undefined ? undefined : toCacheEntry(row);
}

const selectLatest = prepare((transaction, key: StepKey) =>
  transaction
    .selectFrom("cache_entry")
    .selectAll()
    .where("project", "=", key.project)
    .where("pipeline", "=", key.pipeline)
    .where("step", "=", key.step)
    .where("matrix_index", "=", key.matrixIndex)
    .orderBy("made_at_ms", "desc")
    .limit(1),
);

function toCacheEntry(row: Selectable<PipelineTables["cache_entry"]>): CacheEntry {
  return {
    project: row.project,
    key: row.key,
    pipeline: row.pipeline,
    step: row.step,
    matrixIndex: row.matrix_index,
    parts: JSON.parse(row.parts) as object,
    outputs: JSON.parse(row.outputs) as CacheEntry["outputs"],
    facts: row.facts === null ? undefined : (JSON.parse(row.facts) as object),
    results: row.results === null ? undefined : (JSON.parse(row.results) as Record<string, string>),
    blocks: row.blocks ?? undefined,
    stepRunId: row.step_run_id,
    madeAtMs: row.made_at_ms,
  };
}
