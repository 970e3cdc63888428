import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { Analytics } from "#data";
import { type Metadata, measureTable, Truth } from "./truth.ts";

export interface DemoStore {
  readonly folder: string;
  /** Folder of the Delta tables. */
  readonly datasets: string;
  readonly metadata: Metadata;
  readonly analytics: Analytics;
}

/** A page, and what its figures may be. */
export interface PageTruth {
  readonly address: string;
  readonly truth: Truth;
}

type Tables = ReadonlyMap<
  string,
  { readonly relation: string; readonly rows: number; readonly bytes: number; readonly files: number }
>;

/** The pages of the demo's project, each with its truth. */
export async function pagesOf(store: DemoStore): Promise<readonly PageTruth[]> {
  const { metadata } = store;
  const names = metadata
    .rows("select name from asset where kind in ('data', 'features')")
    .map((row) => String(row["name"]));
  const tables: Tables = new Map(
    await Promise.all(
      names.map(async (name) => [name, await measureTable(store.analytics, join(store.datasets, name))] as const),
    ),
  );
  const runs = metadata.rows("select id from pipeline_run order by id").map((row) => String(row["id"]));
  const [firstRun = "", lastRun = ""] = [runs.at(0), runs.at(-1)];
  const prediction = metadata.text("select id from prediction where label is not null order by at_ms limit 1");
  const pages: PageTruth[] = [
    { address: "/", truth: homeTruth(metadata, tables) },
    { address: "/pipelines", truth: pipelinesTruth(metadata) },
    ...["flights", "delay"].map((name) => ({ address: `/pipelines/${name}`, truth: pipelineTruth(metadata, name) })),
    ...[firstRun, lastRun].map((id) => ({ address: `/runs/${id}`, truth: runTruth(metadata, id) })),
    { address: "/datasets", truth: datasetsTruth(metadata, tables) },
    ...(await Promise.all(
      names.map(async (name) => ({ address: `/datasets/${name}`, truth: await datasetTruth(store, tables, name) })),
    )),
    { address: "/models", truth: modelTruth(metadata, everyPage(metadata)) },
    { address: "/models/delay", truth: modelTruth(metadata, everyPage(metadata)) },
    { address: "/models/delay/2", truth: modelTruth(metadata, everyPage(metadata)) },
    { address: "/endpoints", truth: endpointTruth(metadata) },
    { address: "/endpoint/production/delay", truth: endpointTruth(metadata) },
    { address: `/predictions/${prediction}`, truth: await predictionTruth(store, prediction) },
    { address: "/alerts", truth: alertTruth(metadata) },
    { address: "/releases", truth: releaseTruth(metadata) },
    { address: "/approvals", truth: approvalTruth(metadata) },
    { address: "/experiments", truth: experimentTruth(metadata) },
    { address: "/registry", truth: modelTruth(metadata, everyPage(metadata)) },
    {
      address: `/lineage/${metadata.text("select id from asset_version where asset = 'delay' and kind = 'model' order by version desc limit 1")}`,
      truth: await lineageTruth(store, tables),
    },
  ];
  return pages;
}

/** What the frame around every page shows. */
function everyPage(metadata: Metadata): Truth {
  return new Truth()
    .add("open alerts", ...metadata.numbers("select count(*) from alert where state = 'open'"))
    .add("approvals that wait", ...metadata.numbers("select count(*) from approval_request where closed_at_ms is null"))
    .add(
      "failed pipeline runs",
      ...metadata.numbers("select count(*) from pipeline_run where status in ('failed', 'interrupted')"),
    );
}

function homeTruth(metadata: Metadata, tables: Tables): Truth {
  const truth = everyPage(metadata);
  const made = (kind: string): readonly string[] =>
    metadata
      .rows(
        "select distinct o.asset as name from step_output o join step_run s on s.id = o.step_run_id where s.kind = ?",
        kind,
      )
      .map((row) => String(row["name"]));
  const captured = made("capture");
  const transformed = made("sql");
  truth.add("captured datasets and rows", captured.length, sum(captured, tables));
  truth.add("rows in quarantine", ...metadata.numbers("select sum(rows - replayed - discarded) from quarantine_batch"));
  truth.add("transformed datasets and rows", transformed.length, sum(transformed, tables));
  truth.add(
    "assets and versions by kind",
    ...metadata.numbers("select count(*), sum(latest_version) from asset group by kind"),
  );
  truth.add("newest versions", ...metadata.numbers("select latest_version from asset"));
  truth.add("feature views", ...metadata.numbers("select count(*) from feature_view_state"));
  truth.add("verdicts", ...metadata.numbers("select count(*), sum(passed) from verdict"));
  truth.add(
    "releases",
    ...metadata.numbers("select count(*) from release"),
    ...metadata.numbers("select number from release"),
  );
  truth.add(
    "deployments",
    ...metadata.numbers("select count(*) from deployed"),
    ...metadata.numbers("select count(*) from deployment"),
  );
  truth.add(
    "released versions",
    ...metadata.numbers("select v.version from release_version r join asset_version v on v.id = r.version_id"),
  );
  truth.add("runs", ...metadata.numbers("select count(*) from pipeline_run"));
  addRunTimes(truth, metadata, "select finished_at_ms - started_at_ms from pipeline_run");
  truth.add(
    "steps of runs",
    ...metadata.numbers("select count(*) from step_run group by pipeline_run_id"),
    ...metadata.numbers("select count(*) from step_run group by pipeline_run_id, status"),
  );
  addEndpoints(truth, metadata);
  truth.add(
    "alerts",
    ...metadata.numbers("select value, threshold from alert"),
    ...metadata.numbers("select count(*) from alert group by state"),
  );
  return truth;
}

function pipelinesTruth(metadata: Metadata): Truth {
  const truth = everyPage(metadata);
  truth.add("pipelines", ...metadata.numbers("select count(*) from pipeline"));
  truth.add("runs that the table's heading names", 10);
  truth.add("steps of pipelines", ...metadata.numbers("select count(distinct step) from step_run group by pipeline"));
  addRunTimes(truth, metadata, "select finished_at_ms - started_at_ms from pipeline_run");
  addSchedules(truth, metadata);
  return truth;
}

function pipelineTruth(metadata: Metadata, name: string): Truth {
  const truth = everyPage(metadata);
  const literal = `'${name}'`;
  truth.add("steps", ...metadata.numbers(`select count(distinct step) from step_run where pipeline = ${literal}`));
  truth.add("runs", ...metadata.numbers(`select count(*) from pipeline_run where pipeline = ${literal}`));
  truth.add(
    "steps of runs",
    ...metadata.numbers(`select count(*) from step_run where pipeline = ${literal} group by pipeline_run_id`),
    ...metadata.numbers(
      `select count(*) from step_run where pipeline = ${literal} group by pipeline_run_id, status, cached`,
    ),
  );
  truth.add(
    "parameters",
    ...metadata.json(`select params from pipeline_run where pipeline = ${literal}`).flatMap(numbersOf),
  );
  truth.add(
    "versions that steps made",
    ...metadata.numbers(
      `select v.version from step_output o join asset_version v on v.id = o.version_id join step_run s on s.id = o.step_run_id where s.pipeline = ${literal}`,
    ),
  );
  addRunTimes(truth, metadata, `select finished_at_ms - started_at_ms from pipeline_run where pipeline = ${literal}`);
  addRunTimes(truth, metadata, `select finished_at_ms - started_at_ms from step_run where pipeline = ${literal}`);
  addSchedules(truth, metadata);
  return truth;
}

function runTruth(metadata: Metadata, id: string): Truth {
  const truth = everyPage(metadata);
  const literal = `'${id}'`;
  truth.add(
    "steps",
    ...metadata.numbers(`select count(*) from step_run where pipeline_run_id = ${literal}`),
    ...metadata.numbers(`select count(*) from step_run where pipeline_run_id = ${literal} group by status, cached`),
  );
  truth.add("cached or not run", 0);
  truth.add(
    "versions made",
    ...metadata.numbers(
      `select count(*) from step_output o join step_run s on s.id = o.step_run_id where s.pipeline_run_id = ${literal} and o.created = 1`,
    ),
  );
  truth.add(
    "rows written",
    ...metadata.numbers(
      `select sum(v.row_count) from step_output o join step_run s on s.id = o.step_run_id join asset_version v on v.id = o.version_id where s.pipeline_run_id = ${literal} and o.created = 1`,
    ),
  );
  truth.add(
    "facts of steps",
    ...metadata.json(`select facts from step_run where pipeline_run_id = ${literal}`).flatMap(numbersOf),
  );
  truth.add(
    "versions",
    ...metadata.numbers(
      `select v.version from step_output o join step_run s on s.id = o.step_run_id join asset_version v on v.id = o.version_id where s.pipeline_run_id = ${literal}`,
    ),
  );
  addRunTimes(
    truth,
    metadata,
    `select finished_at_ms - started_at_ms from step_run where pipeline_run_id = ${literal}`,
  );
  const [duration = 0] = metadata.numbers(
    `select finished_at_ms - started_at_ms from pipeline_run where id = ${literal}`,
  );
  truth.add("duration of the run", duration);
  // The axis of the timeline: quarters of the run.
  for (const share of [0, 0.25, 0.5, 0.75, 1])
    truth.addRange("axis of the timeline", duration * share * 0.98, duration * share * 1.02 + 1);
  return truth;
}

function datasetsTruth(metadata: Metadata, tables: Tables): Truth {
  const truth = everyPage(metadata);
  for (const [name, { rows, bytes }] of tables) {
    truth.add(`rows of ${name}`, rows).add(`bytes of ${name}`, bytes);
    truth.add(
      `versions of ${name}`,
      ...metadata.numbers(
        `select max(version) from asset_version where asset = '${name}' and kind in ('data', 'features')`,
      ),
    );
    truth.add(
      `quarantine of ${name}`,
      ...metadata.numbers(
        `select coalesce(sum(rows - replayed - discarded), 0) from quarantine_batch where dataset = '${name}'`,
      ),
    );
  }
  return truth;
}

async function datasetTruth(store: DemoStore, tables: Tables, name: string): Promise<Truth> {
  const { metadata, analytics } = store;
  const truth = datasetsTruth(metadata, new Map([[name, required(tables.get(name))]]));
  const table = required(tables.get(name));
  truth.add(
    "versions",
    ...metadata.numbers(`select count(*) from asset_version where asset = '${name}' and kind in ('data', 'features')`),
  );
  truth.add("files", table.files);
  truth.add("no quarantine, no missing values", 0);
  const connection = await analytics.connect();
  try {
    const columns = await connection.describe(`select * from ${table.relation}`);
    truth.add("columns", columns.length);
    for (const { name: column, type } of columns) {
      const quoted = `"${column.replaceAll('"', '""')}"`;
      const numeric = /INT|DOUBLE|FLOAT|DECIMAL|HUGEINT/.test(type);
      const [counts] = await connection.rows(
        `select count(*)::double as n, count(${quoted})::double as known, count(distinct ${quoted})::double as different from ${table.relation}`,
      );
      const [n, known, different] = [Number(counts?.["n"]), Number(counts?.["known"]), Number(counts?.["different"])];
      truth.add(`${column}: missing`, n - known, (n - known) / n).add(`${column}: different values`, different);
      if (numeric) {
        const [figures] = await connection.rows(
          `select min(${quoted})::double as a, max(${quoted})::double as b, avg(${quoted})::double as c, stddev_pop(${quoted})::double as d, stddev_samp(${quoted})::double as e from ${table.relation}`,
        );
        truth.add(`${column}: least, largest, mean, deviation`, ...numbersOf(figures));
        for (const at of [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]) {
          const [range] = await connection.rows(
            `select quantile_cont(${quoted}, ${Math.max(0, at - 0.012)})::double as a, quantile_cont(${quoted}, ${Math.min(1, at + 0.012)})::double as b from ${table.relation}`,
          );
          truth.addRange(`${column}: quantile ${at}`, Number(range?.["a"]), Number(range?.["b"]));
        }
      }
      if (type === "VARCHAR") {
        const [lengths] = await connection.rows(
          `select min(length(${quoted}))::double as a, max(length(${quoted}))::double as b from ${table.relation}`,
        );
        truth.add(`${column}: shortest and longest text`, ...numbersOf(lengths));
      }
      if (/^(DATE|TIMESTAMP)/.test(type)) {
        const at = (share: number): string => `quantile_disc(epoch_ms(${quoted}::timestamp)::double, ${share})`;
        const [found] = await connection.rows(
          `select ${at(0)} as least, ${at(0.5)} as middle, ${at(1)} as most, ${at(0.488)} as a, ${at(0.512)} as b from ${table.relation}`,
        );
        truth.addMoments(Number(found?.["least"]), Number(found?.["middle"]), Number(found?.["most"]));
        truth.addMomentRange(Number(found?.["a"]), Number(found?.["b"]));
      }
      const tops = await connection.rows(
        `select count(*)::double as n from ${table.relation} where ${quoted} is not null group by ${quoted} order by 1 desc limit 30`,
      );
      truth.add(
        `${column}: most frequent values`,
        ...tops.flatMap((row) => [Number(row["n"]), Number(row["n"]) / n, Number(row["n"]) / known]),
      );
      const values = await connection.rows(`select distinct ${quoted}::varchar as v from ${table.relation} limit 40`);
      truth.add(`${column}: values`, ...values.map((row) => Number(row["v"])).filter((value) => !Number.isNaN(value)));
    }
  } finally {
    connection.close();
  }
  // How far an estimate may be off, and of how many rows it is: stated beside it.
  for (const content of metadata.json(
    `select content from asset_version where asset = '${name}' and kind in ('data', 'features') order by version desc limit 1`,
  ))
    truth.add("stated sample and error", ...statedOf(content), ...statedOf(await profileOf(store.folder, content)));
  truth.add(
    "files captured",
    ...metadata.numbers(
      `select count(*), sum(rows_read), sum(rows_published) from captured_file where dataset = '${name}'`,
    ),
  );
  return truth;
}

function modelTruth(metadata: Metadata, truth: Truth): Truth {
  truth.add(
    "versions",
    ...metadata.numbers("select version from asset_version where kind = 'model'"),
    ...metadata.numbers("select count(*) from asset_version where kind = 'model'"),
  );
  truth.add(
    "registered versions and aliases",
    ...metadata.numbers("select last_version from registered_model"),
    ...metadata.numbers("select version from registered_model_alias"),
    ...metadata.numbers("select count(*) from registered_model"),
    ...metadata.numbers("select count(*) from model_version"),
  );
  truth.add("metrics", ...metadata.numbers("select value from run_latest_metric"));
  truth.add(
    "parameters",
    ...metadata
      .rows("select value from run_param")
      .map((row) => Number(row["value"]))
      .filter((value) => !Number.isNaN(value)),
  );
  const records = metadata.json("select content from asset_version where kind = 'model'");
  truth.add("the version's record", ...records.flatMap(numbersOf));
  truth.add("inputs", ...records.flatMap(listLengths));
  truth.add(
    "versions it was made from",
    ...metadata.numbers(
      "select i.version from asset_version_input l join asset_version i on i.id = l.input_version_id",
    ),
  );
  truth.add("inputs of versions", ...metadata.numbers("select count(*) from asset_version_input group by version_id"));
  truth.add(
    "verdicts",
    ...metadata
      .json("select content from verdict")
      .flatMap((content) => [...numbersOf(content), ...listLengths(content)]),
  );
  truth.add(
    "deployments of versions",
    ...metadata.numbers("select count(*) from deployed"),
    ...metadata.numbers("select count(*) from deployment"),
    ...metadata.numbers(
      "select count(*) from deployment d join release r on r.id = d.release_id group by r.version_id",
    ),
  );
  return truth;
}

function addEndpoints(truth: Truth, metadata: Metadata): void {
  for (const row of metadata.rows("select environment, name from endpoint")) {
    const where = `environment = '${String(row["environment"])}' and endpoint = '${String(row["name"])}'`;
    const [n = 0, labelled = 0] = metadata.numbers(
      `select count(*), count(label_received_at_ms) from prediction where ${where} and arm <> 'shadow'`,
    );
    truth.add(`predictions of ${where}`, n, labelled, n === 0 ? 0 : labelled / n);
  }
  truth.add(
    "versions that answer",
    ...metadata.numbers("select v.version from endpoint e join asset_version v on v.id = e.model_version_id"),
  );
  truth.add("endpoints", ...metadata.numbers("select count(*) from endpoint"));
}

function endpointTruth(metadata: Metadata): Truth {
  const truth = everyPage(metadata);
  addEndpoints(truth, metadata);
  truth.add("scores of windows", ...metadata.numbers("select value, baseline, threshold from monitor_score"));
  const delay = "environment = 'production' and endpoint = 'delay' and arm <> 'shadow'";
  truth.addMoments(
    ...metadata.numbers(`select min(at_ms), max(at_ms) from prediction where ${delay} group by model_version_id`),
  );
  const last = "start_ms = (select max(start_ms) from monitor_score)";
  truth.add(
    "drifted columns of the last window, and all that were watched",
    ...metadata.numbers(
      `select count(distinct subject) from monitor_score where metric like 'drift.%' and breached = 1 and ${last}`,
    ),
    ...metadata.numbers(`select count(distinct subject) from monitor_score where metric like 'drift.%' and ${last}`),
  );
  truth.name(
    "endpoint.drifted",
    ...metadata.numbers(
      `select count(distinct case when breached = 1 then subject end), count(distinct subject) from monitor_score where metric like 'drift.%' and ${last}`,
    ),
  );
  truth.name("endpoint.predictions", ...metadata.numbers(`select count(*) from prediction where ${delay}`));
  truth.name(
    "endpoint.openAlerts",
    ...metadata.numbers(
      "select count(*) from alert where environment = 'production' and endpoint = 'delay' and state = 'open'",
    ),
  );
  truth.add(
    "watched columns, with the predictions",
    ...metadata.numbers(
      "select count(distinct subject) + 1 from monitor_score where metric like 'drift.%' group by start_ms",
    ),
    5,
  );
  truth.add(
    "watched series: one of each monitor, but of the quality of each column",
    ...metadata.numbers(
      "select (select count(*) from monitor where environment = 'production') - 1 + (select count(distinct subject) from monitor_score where metric = 'null_share')",
    ),
  );
  truth.add(
    "alerts",
    ...metadata.numbers("select value, threshold from alert"),
    ...metadata.numbers("select count(*) from alert"),
  );
  truth.add(
    "monitors",
    ...metadata.numbers("select count(*) from monitor"),
    ...metadata.numbers("select count(*) from monitor_score group by start_ms"),
  );
  truth.add(
    "windows",
    ...metadata.numbers("select count(*) from monitor_window"),
    ...metadata.numbers("select predictions, labelled from monitor_window"),
  );
  truth.add(
    "versions that answered",
    ...metadata.numbers(
      "select distinct v.version from prediction p join asset_version v on v.id = p.model_version_id",
    ),
    ...metadata.numbers("select count(*) from prediction group by model_version_id"),
  );
  truth.add(
    "changes of the endpoint",
    ...metadata.numbers("select count(*) from endpoint_change group by environment"),
  );
  return truth;
}

async function predictionTruth({ metadata, analytics, folder }: DemoStore, id: string): Promise<Truth> {
  const truth = everyPage(metadata);
  const [row] = metadata.rows(
    "select p.*, v.version as model_version from prediction p join asset_version v on v.id = p.model_version_id where p.id = ?",
    id,
  );
  truth.addMoments(Number(row?.["at_ms"]), Number(row?.["label_at_ms"] ?? row?.["at_ms"]));
  truth.add("the prediction", Number(row?.["prediction"]), Number(row?.["label"]), Number(row?.["model_version"]));
  truth.add(
    "its inputs",
    ...metadata.json("select features, context from prediction where id = ?", id).flatMap(numbersOf),
  );
  truth.add("versions of its chain", ...metadata.numbers("select version from asset_version"));
  await addSources(truth, metadata, analytics, folder);
  return truth;
}

/** Files that were captured: how many, and their rows, counted in the files themselves. */
async function addSources(truth: Truth, metadata: Metadata, analytics: Analytics, folder: string): Promise<void> {
  const connection = await analytics.connect();
  try {
    const files = metadata
      .rows("select distinct path, rows_published from captured_file order by path")
      .filter((row) => String(row["path"]).endsWith(".parquet"));
    truth.add("captured files", files.length, ...metadata.numbers("select count(distinct path) from captured_file"));
    const counts: number[] = [];
    for (const { path } of files) {
      const place = join(folder, String(path)).replaceAll("'", "''");
      const [row] = await connection.rows(`select count(*)::double as n from read_parquet('${place}')`).catch(() => []);
      if (row !== undefined) counts.push(Number(row["n"]));
    }
    truth.add("rows of captured files", ...counts);
    // A version holds the files that came until then.
    let rows = 0;
    for (const published of metadata.numbers(
      "select sum(rows_published) from captured_file group by path order by path",
    ))
      truth.add("rows of the files until one", (rows += published));
    for (let count = 1; count <= files.length; count++) truth.add("files until one", count);
  } finally {
    connection.close();
  }
  truth.add("rows of versions", ...metadata.numbers("select row_count from asset_version where row_count is not null"));
}

async function lineageTruth({ metadata, analytics, folder }: DemoStore, tables: Tables): Promise<Truth> {
  const truth = everyPage(metadata);
  truth.add("versions", ...metadata.numbers("select version from asset_version"));
  for (const [name, { rows }] of tables) truth.add(`rows of ${name}`, rows);
  await addSources(truth, metadata, analytics, folder);
  return truth;
}

function alertTruth(metadata: Metadata): Truth {
  const truth = everyPage(metadata);
  truth.add(
    "alerts",
    ...metadata.numbers("select value, threshold, windows, n from alert"),
    ...metadata.numbers("select count(*) from alert"),
    ...metadata.numbers("select count(*) from alert group by state"),
  );
  truth.add(
    "versions that retraining made",
    ...metadata.numbers("select version from asset_version where kind = 'model'"),
  );
  return truth;
}

function releaseTruth(metadata: Metadata): Truth {
  const truth = everyPage(metadata);
  truth.add(
    "releases",
    ...metadata.numbers("select number from release"),
    ...metadata.numbers("select count(*) from release"),
    ...metadata.numbers("select count(*) from release group by environment"),
  );
  truth.add(
    "their versions",
    ...metadata.numbers("select v.version from release_version r join asset_version v on v.id = r.version_id"),
    ...metadata.numbers("select count(*) from release_version group by release_id"),
  );
  truth.add("approvals that environments ask for", 1, 0);
  return truth;
}

function approvalTruth(metadata: Metadata): Truth {
  const truth = everyPage(metadata);
  truth.add(
    "approvals",
    ...metadata.numbers("select count(*) from approval"),
    ...metadata.numbers("select needed from approval_request"),
    ...metadata.numbers("select count(*) from approval_request"),
  );
  truth.add("versions", ...metadata.numbers("select version from asset_version where kind in ('notebook', 'model')"));
  return modelTruth(metadata, truth);
}

function experimentTruth(metadata: Metadata): Truth {
  return everyPage(metadata).add(
    "experiments and runs",
    ...metadata.numbers("select count(*) from experiment"),
    ...metadata.numbers("select count(*) from run group by experiment_id"),
    ...metadata.numbers("select experiment_id from experiment"),
    0,
  );
}

function addRunTimes(truth: Truth, metadata: Metadata, sql: string): void {
  truth.add("durations", ...metadata.numbers(sql));
}

function addSchedules(truth: Truth, metadata: Metadata): void {
  for (const row of metadata.rows("select cron, next_at_ms from schedule")) {
    const [minute = 0, hour = 0] = String(row["cron"]).split(" ").map(Number);
    truth.add(
      "schedule",
      minute,
      hour,
      hour % 12,
      ...String(row["cron"])
        .split(" ")
        .map(Number)
        .filter((part) => !Number.isNaN(part)),
    );
    const next = new Date(Number(row["next_at_ms"]));
    truth.add(
      "next time",
      next.getUTCDate(),
      next.getUTCFullYear(),
      next.getUTCHours(),
      next.getUTCHours() % 12 || 12,
      next.getUTCMinutes(),
    );
  }
}

function sum(names: readonly string[], tables: Tables): number {
  return names.reduce((total, name) => total + (tables.get(name)?.rows ?? 0), 0);
}

/** Every number in a value, however deep. */
function numbersOf(value: unknown): readonly number[] {
  if (typeof value === "number") return [value];
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(numbersOf);
  return [];
}

function listLengths(value: unknown): readonly number[] {
  if (typeof value !== "object" || value === null) return [];
  return [...(Array.isArray(value) ? [value.length] : []), ...Object.values(value).flatMap(listLengths)];
}

/** The profile that a version's content names; it is kept as an object. */
async function profileOf(folder: string, content: unknown): Promise<unknown> {
  const named = typeof content === "object" && content !== null && "profile" in content ? content.profile : undefined;
  const hex = /^sha256:([0-9a-f]{64})$/.exec(String(named))?.[1];
  if (hex === undefined) return undefined;
  return JSON.parse(
    await readFile(join(folder, ".esteira/objects/sha256", hex.slice(0, 2), hex.slice(2)), "utf8"),
  ) as unknown;
}

/** What a profile says of itself: sample sizes and relative errors, by their names. */
function statedOf(content: unknown): readonly number[] {
  if (typeof content !== "object" || content === null) return [];
  return Object.entries(content).flatMap(([name, value]) =>
    /sample|error/i.test(name) ? numbersOf(value) : statedOf(value),
  );
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("a table of the demo is missing");
  return value;
}

/** The sentences in the project's own files: pages show them as they are, numbers in them are their author's. */
export async function authorsSentences(folder: string): Promise<readonly string[]> {
  const files = await Array.fromAsync(
    glob("{contracts,dashboards,features,monitors,pipelines}/*.yaml", { cwd: folder }),
  );
  const texts = await Promise.all(
    [...files, "esteira.yaml"].map(async (file) => textsOf(parse(await readFile(join(folder, file), "utf8")))),
  );
  return texts.flat().map((text) => text.replaceAll(/\s+/g, " ").trim());
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
