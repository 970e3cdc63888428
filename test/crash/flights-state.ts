// What is left in the store of a flights project, and what of it must be the same however often its engine was killed.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAnalytics, createDatasets, type Datasets } from "#data";
import { silentLog, systemClock } from "#base";
import { getAssetVersion, type MetadataStore, openMetadataStore } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { listProcessesOf } from "../setup/command-line.ts";
import type { FlightsProject } from "./flights-project.ts";

type Cell = string | number | null;
type Row = Readonly<Record<string, Cell>>;

const DATASETS = ["raw_flights", "flights", "airport_day", "route_week", "training_set"];

/** Reads the metadata beside whoever writes it. */
export function readRows(project: FlightsProject, sql: string, ...parameters: readonly string[]): readonly Row[] {
  const database = new DatabaseSync(join(project.store, "metadata.sqlite"), { readOnly: true, timeout: 10_000 });
  try {
    return database
      .prepare(sql)
      .all(...parameters)
      .map((row) => ({ ...row }) as Row);
  } finally {
    database.close();
  }
}

/** The newest run of a pipeline. */
export function latestRun(
  project: FlightsProject,
  pipeline: string,
): { readonly id: string; readonly status: string } | undefined {
  if (!existsSync(join(project.store, "metadata.sqlite"))) return undefined;
  const [row] = readRows(
    project,
    "select id, status from pipeline_run where pipeline = ? order by id desc limit 1",
    pipeline,
  );
  return row === undefined ? undefined : { id: String(row["id"]), status: String(row["status"]) };
}

/** Everything that must not depend on what was killed. */
export async function readEndState(project: FlightsProject): Promise<object> {
  return {
    assets: readRows(
      project,
      "select asset, kind, count(*) as versions, max(row_count) as row_count from asset_version group by asset, kind order by asset",
    ),
    contents: await digestDatasets(project),
    files: readRows(
      project,
      "select path, digest, rows_read, rows_published, rows_quarantined from captured_file order by path",
    ),
    quarantine: readRows(
      project,
      "select source_path, rows, rules, file_problem, held from quarantine_batch order by source_path",
    ),
    verdict: readRows(
      project,
      "select json_extract(content, '$.passed') as passed, round(json_extract(content, '$.metrics.roc_auc'), 9) as roc_auc, round(json_extract(content, '$.metrics.log_loss'), 9) as log_loss from verdict",
    ),
    models: readRows(
      project,
      "select m.name, v.version from model_version v join registered_model m on m.id = v.registered_model_id order by 1, 2",
    ),
    releases: readRows(project, "select environment, number, asset from release order by 1, 2"),
    deployments: readRows(project, "select environment, asset, status from deployment order by environment"),
    endpoints: readRows(
      project,
      "select e.environment, e.name, e.state, v.asset, v.version from endpoint e join asset_version v on v.id = e.model_version_id order by 1",
    ),
    endpointChanges: readRows(project, "select environment, endpoint, action from endpoint_change order by 1"),
    steps: readRows(project, "select pipeline, step, status, cached from step_run order by pipeline, step"),
    runs: readRows(project, "select pipeline, status, blocked from pipeline_run order by pipeline"),
    finishedTracking: readRows(
      project,
      "select s.step, r.status from run r join attempt a on a.id = r.attempt_id join step_run s on s.id = a.step_run_id where a.status = 'succeeded'",
    ),
  };
}

/** Rows of every dataset as counted and hashed, whatever their order and files. */
function digestDatasets(project: FlightsProject): Promise<Readonly<Record<string, unknown>>> {
  return withDatasets(project, async (datasets, store) => {
    const contents: Record<string, unknown> = {};
    for (const asset of DATASETS) {
      const version = await store.read((transaction) => getAssetVersion(transaction, { project: "flights", asset }));
      assert.ok(version, `${asset} has a version`);
      const { rows } = await datasets.query({
        sql: `select count(*)::int as n, sum(hash(t)::hugeint)::varchar as content from ${asset} as t`,
        tables: new Map([[asset, version]]),
      });
      contents[asset] = rows[0];
    }
    return contents;
  });
}

async function withDatasets<Result>(
  project: FlightsProject,
  work: (datasets: Datasets, store: MetadataStore) => Promise<Result>,
): Promise<Result> {
  const store = await openMetadataStore(join(project.store, "metadata.sqlite"));
  const analytics = createAnalytics({ folder: join(project.folder, "spill"), threads: 1 });
  try {
    return await work(
      createDatasets({
        store,
        objects: createFileSystemBlobs(join(project.store, "objects")),
        files: createFileSystemFiles({ root: join(project.store, "datasets") }),
        analytics,
        clock: systemClock,
        log: silentLog,
      }),
      store,
    );
  } finally {
    analytics.close();
    await store.close();
  }
}

/** What an engine that died may have left, and the next one must have taken away. */
export async function listLeftovers(project: FlightsProject): Promise<readonly string[]> {
  const names = async (folder: string): Promise<readonly string[]> =>
    (await readdir(join(project.store, folder)).catch(() => [])).map((name) => `${folder}/${name}`);
  const counted = (
    [
      ["attempt at work", "select id from attempt where status in ('running')"],
      ["slot", "select holder from slot"],
      ["engine not retired", "select id from engine_instance where stopped = 0"],
      ["unsettled write", "select asset || ' ' || state from dataset_write where state in ('begun', 'committed')"],
      ["open MLflow run", "select run_id from run where status = 'RUNNING'"],
      ["deployment at work", "select id from deployment where status not in ('succeeded', 'failed', 'superseded')"],
    ] as const
  ).flatMap(([what, sql]) => readRows(project, sql).map((row) => `${what}: ${Object.values(row).join()}`));
  return [
    ...counted,
    ...(await names("work")),
    ...(await listUnreferencedParts(project)),
    ...(await listProcessesOf(project.folder)).map((line) => `process ${line}`),
  ];
}

/**
 * Parquet files that no version names, after a vacuum: what a killed writer had written and not committed looks like a
 * live writer's until it is old.
 */
async function listUnreferencedParts(project: FlightsProject): Promise<readonly string[]> {
  await withDatasets(project, async (datasets) => {
    for (const asset of DATASETS) await datasets.vacuum({ project: "flights", asset, retentionMs: 0 });
  });
  const found: string[] = [];
  for (const asset of DATASETS) {
    const folder = join(project.store, "datasets", asset);
    const logs = (await readdir(join(folder, "_delta_log"))).filter((name) => name.endsWith(".json"));
    const log = (await Promise.all(logs.map((name) => readFile(join(folder, "_delta_log", name), "utf8")))).join("\n");
    for (const name of await readdir(folder))
      if (name !== "_delta_log" && !log.includes(name)) found.push(`file no version names: ${asset}/${name}`);
  }
  return found;
}

/** Step runs of which two attempts were at work at the same time, or that ran again after they had succeeded. */
export function findDoubleWork(project: FlightsProject): readonly string[] {
  const attempts = readRows(
    project,
    "select s.pipeline || '.' || s.step as step, a.number, a.status, a.started_at_ms, a.finished_at_ms from attempt a join step_run s on s.id = a.step_run_id order by s.id, a.number",
  );
  const found: string[] = [];
  for (const [index, attempt] of attempts.entries()) {
    const before = attempts[index - 1];
    if (before === undefined || before["step"] !== attempt["step"]) continue;
    if (Number(attempt["started_at_ms"]) < Number(before["finished_at_ms"] ?? Infinity))
      found.push(`${attempt["step"]}: attempt ${attempt["number"]} began before ${before["number"]} had ended`);
    if (before["status"] === "succeeded")
      found.push(`${attempt["step"]}: attempt ${attempt["number"]} after a success`);
  }
  return found;
}
