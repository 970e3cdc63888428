import type { ReadTransaction } from "../database.ts";
import { chunksOf, type KeyValue } from "../registry/key-value.ts";
import type { MetricPoint, Run, RunDataset, RunInfo, RunModel } from "./run.ts";
import type { StoredInteger } from "./tables.ts";
import { runStatement } from "./write-rows.ts";

interface Collected {
  readonly metrics: MetricPoint[];
  readonly params: KeyValue[];
  readonly tags: KeyValue[];
  readonly datasets: RunDataset[];
  readonly modelInputs: RunModel[];
  readonly modelOutputs: RunModel[];
}

interface MetricRow {
  readonly run: number;
  readonly key: string;
  readonly timestamp_ms: StoredInteger;
  readonly step: StoredInteger;
  readonly value: number;
  readonly is_nan: number;
}

interface PairRow {
  readonly run: number;
  readonly key: string;
  readonly value: string;
}

interface DatasetRow {
  readonly run: number;
  readonly number: number;
  readonly name: string;
  readonly digest: string;
  readonly source_type: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
}

/** Adds to each run what was logged to it: one statement per kind and 1,000 runs. */
export async function hydrateRuns(transaction: ReadTransaction, runs: readonly RunInfo[]): Promise<readonly Run[]> {
  const collected = new Map<number, Collected>();
  for (const { number } of runs)
    collected.set(number, { metrics: [], params: [], tags: [], datasets: [], modelInputs: [], modelOutputs: [] });
  for (const chunk of chunksOf(runs, 1000))
    await collect(
      transaction,
      chunk.map((run) => run.number),
      collected,
    );
  return runs.map((info) => ({ info, ...(collected.get(info.number) as Collected) }));
}

async function collect(
  transaction: ReadTransaction,
  numbers: readonly number[],
  into: ReadonlyMap<number, Collected>,
): Promise<void> {
  const select = <Row>(text: string): Promise<readonly Row[]> => runStatement<Row>(transaction, text, numbers);
  const which = `run in (${numbers.map(() => "?").join(",")})`;
  const metrics = await select<MetricRow>(
    `select run, key, timestamp_ms, step, value, is_nan from run_latest_metric where ${which} order by run, sequence, key`,
  );
  for (const row of metrics) into.get(row.run)?.metrics.push(toPoint(row));
  const params = await select<PairRow>(
    `select run, key, value from run_param where ${which} order by run, sequence, key`,
  );
  for (const { run, key, value } of params) into.get(run)?.params.push({ key, value });
  const tags = await select<PairRow>(`select run, key, value from run_tag where ${which} order by run, sequence, key`);
  for (const { run, key, value } of tags) into.get(run)?.tags.push({ key, value });
  const models = await select<{ run: number; direction: string; model_id: string; step: StoredInteger }>(
    `select run, direction, model_id, step from run_model where ${which} order by run, sequence, model_id`,
  );
  for (const { run, direction, model_id: modelId, step } of models) {
    into.get(run)?.[direction === "input" ? "modelInputs" : "modelOutputs"].push({ modelId, step });
  }
  await collectDatasets(select, which, into);
}

async function collectDatasets(
  select: <Row>(text: string) => Promise<readonly Row[]>,
  which: string,
  into: ReadonlyMap<number, Collected>,
): Promise<void> {
  const datasets = await select<DatasetRow>(
    `select r.run, d.number, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
     from run_dataset r join dataset d on d.number = r.dataset where r.${which} order by r.run, r.sequence, d.number`,
  );
  if (datasets.length === 0) return;
  const tags = await select<PairRow & { dataset: number }>(
    `select run, dataset, key, value from run_dataset_tag where ${which} order by run, sequence, key`,
  );
  const tagsOf = new Map<string, KeyValue[]>();
  for (const { run, dataset, key, value } of tags) {
    const owner = `${run}/${dataset}`;
    const group = tagsOf.get(owner);
    if (group === undefined) tagsOf.set(owner, [{ key, value }]);
    else group.push({ key, value });
  }
  for (const row of datasets) {
    into.get(row.run)?.datasets.push({
      name: row.name,
      digest: row.digest,
      sourceType: row.source_type,
      source: row.source,
      schema: row.schema ?? undefined,
      profile: row.profile ?? undefined,
      tags: tagsOf.get(`${row.run}/${row.number}`) ?? [],
    });
  }
}

/** A stored point with its NaN back. */
export function toPoint(row: Omit<MetricRow, "run">): MetricPoint {
  return { key: row.key, value: row.is_nan === 1 ? NaN : row.value, timestampMs: row.timestamp_ms, step: row.step };
}
