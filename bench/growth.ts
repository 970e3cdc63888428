/**
 * What a history of predictions costs a server: 64 clients beside a short and a long one, and the first evaluation of a
 * monitor over all of it. SQLite.
 *
 *   node bench/growth.ts [--predictions 1000000] [--seconds 20] [--keep FOLDER]
 *   node bench/growth.ts --measure FOLDER     the clients again, on a store that was kept
 *
 * The clients: 20 that log batches of ten metrics, 20 that ask for predictions, 24 that look at a page once a second,
 * and one that asks for the session every 50 ms. The first 100,000 predictions and their labels are written as the
 * program writes them; the others are copies of them by SQL, a day later each, with their counters. The clients and the
 * server share the machine. The delay of the event loop is the server's own measure, of its `/metrics`.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { digestOf, newId, silentLog, systemClock } from "#base";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { recordLabels, recordPredictions } from "#metadata-store/serving";
import { createOutbox } from "#outbox";
import { createMonitoring } from "#monitoring";
import { createAnalytics } from "#data";
import { createPredictions } from "#predictions";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { createServing } from "#serving";
import { createRandom, createRowReader, KEY, makeFlights, MONDAY_MS } from "../test/monitoring/watched.ts";
import { deploy, registerModel } from "../test/serving/served.ts";
import { type StartedServer, startServer } from "./started-server.ts";

const DAY_MS = 86_400_000;
const PER_DAY = 100_000;
const PER_WRITE = 5000;
/** One of fifty never gets its label. */
const UNLABELLED = 50;
const MONITORS = `
endpoint: delay
window: week
min_rows: 1000
segments: [origin]
monitors:
  drift: { drift: {} }
  performance: { performance: { metric: roc_auc, drop: 0.9, coverage: 0.9 } }
`;

const { values: flags } = parseArgs({
  options: {
    predictions: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "20" },
    keep: { type: "string" },
    measure: { type: "string" },
    evaluate: { type: "string" },
  },
});

const storeFile = (folder: string): string => join(folder, ".esteira", "metadata.sqlite");

/** A project with a deployed model, monitors and one day of predictions with labels. */
async function makeProject(folder: string): Promise<void> {
  await mkdir(join(folder, ".esteira"), { recursive: true });
  await writeFile(
    join(folder, "esteira.yaml"),
    "name: p\nenvironments: { production: {} }\naccess: { loopback: contributor }\n",
  );
  const store = await openMetadataStore(storeFile(folder));
  const objects = createFileSystemBlobs(join(folder, ".esteira", "objects"));
  const serving = createServing({ store, objects, log: silentLog });
  const { version: training } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: "training_set",
      kind: "data",
      digest: digestOf("training"),
      madeAtMs: 0,
      actor: "bench",
      content: {},
      inputs: [],
    }),
  );
  const version = await registerModel({ store, objects }, "late-by-columns", {
    record: {
      training: { versionId: training.id, asset: "training_set", kind: "data", version: 1, digest: training.digest },
    },
    inputs: [{ versionId: training.id, role: "input" }],
  });
  await deploy(serving, version);
  const random = createRandom(3);
  const flights = makeFlights(PER_DAY, { seed: 5 });
  for (let start = 0; start < PER_DAY; start += PER_WRITE) {
    const rows = flights.slice(start, start + PER_WRITE).map(({ late, ...features }, index) => {
      const atMs = MONDAY_MS + Math.floor(((start + index) / PER_DAY) * DAY_MS);
      return { id: newId(atMs), atMs, late, features };
    });
    await store.write(async (transaction) => {
      await recordPredictions(
        transaction,
        rows.map(({ id, atMs, late, features }) => ({
          ...KEY,
          id,
          modelVersionId: version.id,
          arm: "stable",
          atMs,
          receivedAtMs: atMs,
          requestId: id,
          features: JSON.stringify(features),
          context: undefined,
          prediction: Math.min(1, Math.max(0, late * 0.4 + random() * 0.6)),
          predictionText: undefined,
          entityKey: `flight-${id}`,
          featureStatus: undefined,
        })),
      );
      const labels = rows.flatMap(({ id, late, atMs }, index) =>
        index % UNLABELLED === 0 ? [] : [{ id, label: late, atMs }],
      );
      await recordLabels(transaction, { ...KEY, labels, receivedAtMs: MONDAY_MS + DAY_MS, actor: "bench" });
    });
  }
  await serving.close();
  await store.close();
}

/** Copies the first day until there are `days` of them. */
function copyDays(folder: string, days: number): void {
  const database = new DatabaseSync(storeFile(folder));
  database.exec("pragma synchronous=off; pragma cache_size=-400000");
  const columns = (names: readonly string[], changed: Readonly<Record<string, string>>): string =>
    names.map((name) => changed[name] ?? name).join(", ");
  const copy = (table: string, where: string, changed: Readonly<Record<string, string>>): void => {
    const names = database
      .prepare(`select * from ${table} limit 0`)
      .columns()
      .map(({ name }) => name);
    database.exec(
      `insert into ${table} (${names.join(", ")}) select ${columns(names, changed)} from ${table} where ${where}`,
    );
  };
  for (let day = 1; day < days; day++) {
    const later = day * DAY_MS;
    const named = (column: string): string => `'${String(day).padStart(5, "0")}' || substr(${column}, 6)`;
    database.exec("begin");
    copy("prediction", `at_ms < ${MONDAY_MS + DAY_MS}`, {
      id: named("id"),
      request_id: named("request_id"),
      entity_key: `entity_key || '-${day}'`,
      at_ms: `at_ms + ${later}`,
      received_at_ms: `received_at_ms + ${later}`,
      label_at_ms: `label_at_ms + ${later}`,
      label_received_at_ms: `label_received_at_ms + ${later}`,
    });
    copy("prediction_hour", `hour_ms < ${MONDAY_MS + DAY_MS}`, {
      hour_ms: `hour_ms + ${later}`,
      last_received_at_ms: `last_received_at_ms + ${later}`,
    });
    database.exec("commit");
  }
  database.exec(
    `update prediction_total set predictions = predictions * ${days}, labelled = labelled * ${days}, last_at_ms = last_at_ms + ${(days - 1) * DAY_MS}; pragma wal_checkpoint(truncate)`,
  );
  database.close();
}

const agent = new Agent({ keepAlive: true, maxSockets: 128 });

function call(url: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(url, { method: body === undefined ? "GET" : "POST", agent, headers }, (response) => {
      let answer = "";
      response.setEncoding("utf8").on("data", (piece: string) => (answer += piece));
      response.on("end", () =>
        response.statusCode === 200
          ? resolve(answer)
          : reject(new Error(`${url}: ${response.statusCode} ${answer.slice(0, 200)}`)),
      );
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

/** Milliseconds of each call of one kind. */
type Times = Record<"log-batch" | "predict" | "page" | "session", number[]>;

async function loadWith(server: StartedServer, seconds: number): Promise<Times> {
  const { url } = server;
  const times: Times = { "log-batch": [], predict: [], page: [], session: [] };
  const until = performance.now() + seconds * 1000;
  const repeat = async (
    kind: keyof Times,
    pauseMs: number,
    ask: (count: number) => Promise<unknown>,
  ): Promise<void> => {
    for (let count = 0; performance.now() < until; count++) {
      const start = performance.now();
      await ask(count);
      times[kind].push(performance.now() - start);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const of = "/api/v1/endpoints/production/delay";
  const pages = [
    "/api/v1/overview",
    "/api/v1/endpoints",
    of,
    `${of}/predictions`,
    `${of}/predictions?labelled=no`,
    `${of}/predictions?modelVersion=1`,
    "/api/v1/monitors",
    "/api/v1/pipeline-runs",
  ];
  const experiment = { experiment_id: "0" };
  const log = async (): Promise<void> => {
    const { run } = JSON.parse(await call(`${url}/api/2.0/mlflow/runs/create`, experiment)) as {
      readonly run: { readonly info: { readonly run_id: string } };
    };
    await repeat("log-batch", 0, (step) =>
      call(`${url}/api/2.0/mlflow/runs/log-batch`, {
        run_id: run.info.run_id,
        metrics: Array.from({ length: 10 }, (_, index) => ({ key: `m${index}`, value: step, timestamp: 1, step })),
      }),
    );
  };
  const rows = [{ features: { distance: 500, hour: 12, origin: "ATL" } }];
  await Promise.all([
    ...Array.from({ length: 20 }, log),
    ...Array.from({ length: 20 }, () =>
      repeat("predict", 0, () => call(`${url}/endpoints/production/delay/predict`, { rows })),
    ),
    ...Array.from({ length: 24 }, (_, client) =>
      repeat("page", 1000, (count) => call(url + (pages[(client + count) % pages.length] ?? ""))),
    ),
    repeat("session", 50, () => call(`${url}/api/v1/session`)),
  ]);
  return times;
}

/** The server's own measure since it was asked last, ms. */
async function loopDelay({ url }: StartedServer): Promise<Readonly<Record<"0.5" | "0.99" | "1", number>>> {
  const text = await call(`${url}/metrics`);
  const found = [...text.matchAll(/nodejs_eventloop_delay_seconds\{quantile="([\d.]+)"\} ([\d.e+-]+)/g)];
  const delay = Object.fromEntries(found.map(([, quantile, seconds]) => [quantile ?? "", Number(seconds) * 1000]));
  return { "0.5": delay["0.5"] ?? NaN, "0.99": delay["0.99"] ?? NaN, "1": delay["1"] ?? NaN };
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length * share)] ?? sorted.at(-1) ?? NaN;
}

async function measure(folder: string, title: string): Promise<Times> {
  const seconds = Number(flags.seconds);
  const server = await startServer(folder);
  try {
    await loadWith(server, 3);
    await loopDelay(server);
    const times = await loadWith(server, seconds);
    const delay = await loopDelay(server);
    const { peak } = await server.memoryMb();
    process.stdout.write(
      `${title}: loop delay p50 ${delay["0.5"].toFixed(0)}, p99 ${delay["0.99"].toFixed(0)}, max ${delay["1"].toFixed(0)} ms; memory at most ${peak.toFixed(0)} MB\n`,
    );
    for (const [kind, all] of Object.entries(times)) {
      process.stdout.write(
        `  ${kind.padEnd(10)} ${(all.length / seconds).toFixed(1).padStart(8)} /s  p50 ${quantile(all, 0.5).toFixed(0).padStart(6)}  p99 ${quantile(all, 0.99).toFixed(0).padStart(6)} ms\n`,
      );
    }
    return times;
  } finally {
    await server.stop();
  }
}

/** In a process of its own: the first look of a monitor at everything. */
async function evaluate(folder: string): Promise<void> {
  const store = await openMetadataStore(storeFile(folder));
  const objects = createFileSystemBlobs(join(folder, ".esteira", "objects"));
  const serving = createServing({ store, objects, log: silentLog });
  const rows = makeFlights(50_000, { seed: 1 }).map((flight, row) => ({
    ...flight,
    split: row % 4 === 0 ? "test" : "train",
  }));
  const monitoring = createMonitoring({
    store,
    predictions: createPredictions({
      store,
      analytics: createAnalytics({ folder: join(folder, "cache/duckdb") }),
      files: createFileSystemFiles({ root: join(folder, "datasets"), allowsLinks: true }),
      log: silentLog,
    }),
    datasets: createRowReader(rows),
    scorer: serving.scorer,
    outbox: createOutbox({ store, clock: systemClock, log: silentLog }),
    log: silentLog,
  });
  await monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", MONITORS]]));
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const start = performance.now();
  const report = await monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 400 * DAY_MS });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(watch);
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  process.stdout.write(
    `first evaluation: ${report.windows} windows in ${seconds.toFixed(1)} s; memory ${megabytes(before)} MB before, at most ${megabytes(peak)} MB; loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(0)}, max ${(delay.max / 1e6).toFixed(0)} ms\n`,
  );
  await serving.close();
  await store.close();
}

async function main(): Promise<void> {
  const folder = flags.keep ?? (await mkdtemp(join(tmpdir(), "esteira-growth-")));
  const days = Math.max(1, Math.round(Number(flags.predictions) / PER_DAY));
  try {
    await makeProject(folder);
    const short = await measure(folder, `${PER_DAY} predictions`);
    const start = performance.now();
    copyDays(folder, days);
    const { size } = await stat(storeFile(folder));
    process.stdout.write(
      `filled in ${((performance.now() - start) / 1000).toFixed(0)} s, ${(size / 1e9).toFixed(1)} GB\n`,
    );
    await once(fork(import.meta.filename, ["--evaluate", folder]), "exit");
    const long = await measure(folder, `${days * PER_DAY} predictions`);
    for (const kind of ["log-batch", "predict", "page"] as const)
      process.stdout.write(
        `${kind}: ${(long[kind].length / short[kind].length).toFixed(2)} of the rate with the short history\n`,
      );
  } finally {
    agent.destroy();
    if (flags.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

if (flags.measure !== undefined) {
  await measure(flags.measure, "kept predictions");
  agent.destroy();
} else await (flags.evaluate === undefined ? main() : evaluate(flags.evaluate));
