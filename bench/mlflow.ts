/**
 * Tracking against the MLflow server of the same version, on the same kind of database, in the same run.
 *
 *   node bench/mlflow.ts [--artifact-mb 1000] [--only log_batch,search]
 *
 * Prints medians and ratios. MLflow runs with its own defaults (four workers). Its 10,000 runs and 100,000 points are
 * written to its database directly: over its API they would take a quarter of an hour. So is the file that is
 * downloaded, to both. While one server is measured, the other is idle.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { testPython } from "../test/setup/python-environment.ts";

const PACKAGES = ["mlflow==3.11.1"];
const SEARCHED_RUNS = 10_000;
const HISTORY_POINTS = 100_000;
const API = "/api/2.0/mlflow";
const DOWNLOADED = "0/bench/artifacts/download.bin";

const { values: flags } = parseArgs({
  options: { "artifact-mb": { type: "string", default: "1000" }, only: { type: "string" } },
});
const artifactBytes = Number(flags["artifact-mb"]) * 1_000_000;
const only = flags.only?.split(",");

interface Server {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
  readonly startMs: number;
  readonly database: string;
  /** The folder that holds the artifacts. */
  readonly artifacts: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function send(server: Server, method: string, path: string, body?: object | Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = body instanceof Readable;
    const text = body === undefined || stream ? undefined : JSON.stringify(body);
    const headers = stream
      ? { "content-type": "application/octet-stream", "content-length": artifactBytes }
      : {
          "content-type": "application/json",
          ...(text === undefined ? {} : { "content-length": Buffer.byteLength(text) }),
        };
    const call = request(server.url + path, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      response.on("data", (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (sizeBytes < 100_000_000) chunks.push(chunk);
      });
      response.on("end", () => {
        const answer = sizeBytes < 100_000_000 ? Buffer.concat(chunks).toString("utf8") : String(sizeBytes);
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(`${server.name} ${method} ${path}: ${response.statusCode} ${answer.slice(0, 300)}`));
      });
      response.on("error", reject);
    });
    // A connection that stood idle may have been closed by the server just now.
    call.on("error", (error) =>
      call.reusedSocket && !stream ? resolve(send(server, method, path, body)) : reject(error),
    );
    if (stream) body.pipe(call);
    else call.end(text);
  });
}

const post = (server: Server, path: string, body: object): Promise<string> => send(server, "POST", API + path, body);

/**
 * Reads an answer into one piece of memory and looks at nothing but its status and size: costs the client as little as
 * can be.
 */
function receive(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const buffer = Buffer.alloc(1024 * 1024);
    let status = "";
    let received = 0;
    const callback = (count: number): boolean => {
      if (received === 0) status = buffer.toString("latin1", 0, "HTTP/1.1 200".length);
      received += count;
      return true;
    };
    const socket = connect({ host: hostname, port: Number(port), onread: { buffer, callback } });
    socket.on("error", reject);
    socket.on("close", () => {
      if (status === "HTTP/1.1 200" && received > artifactBytes) resolve();
      else reject(new Error(`${server.name} ${path}: ${status}, ${received} bytes`));
    });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nconnection: close\r\n\r\n`);
  });
}

async function startServer(
  name: string,
  command: string,
  parameters: readonly string[],
  files: Pick<Server, "database" | "artifacts">,
): Promise<Server> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const url = `http://127.0.0.1:${port}`;
  const started = performance.now();
  const child = spawn(
    command,
    parameters.map((text) => text.replace("{port}", String(port))),
    { stdio: "ignore", detached: true },
  );
  for (;;) {
    const healthy = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) break;
    if (performance.now() - started > 120_000) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { name, url, child, startMs: performance.now() - started, ...files };
}

/** Resident memory of a process and all its children, in MB. */
async function memoryMb(pid: number): Promise<number> {
  let total = 0;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const status = await readFile(`/proc/${entry}/status`, "utf8").catch(() => "");
    const group = await readFile(`/proc/${entry}/stat`, "utf8").then(
      (text) => Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[2]),
      () => 0,
    );
    if (group === pid) total += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }
  return total;
}

function median(times: readonly number[]): number {
  return [...times].sort((left, right) => left - right)[Math.floor(times.length / 2)] ?? NaN;
}

async function repeat(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    await work(index);
    times.push(performance.now() - started);
  }
  return median(times);
}

async function newRun(server: Server, experimentId = "0"): Promise<string> {
  const answer = JSON.parse(
    await post(server, "/runs/create", { experiment_id: experimentId, start_time: Date.now() }),
  ) as { run: { info: { run_id: string } } };
  return answer.run.info.run_id;
}

function batch(runId: string, start: number, count: number, key?: string): object {
  const metrics = Array.from({ length: count }, (_, index) => ({
    key: key ?? `metric_${index}`,
    value: Math.sin(start + index),
    timestamp: 1_700_000_000_000 + start + index,
    step: start + index,
  }));
  return { run_id: runId, metrics };
}

/** One figure: lower is better, in ms. */
interface Measure {
  readonly name: string;
  readonly label: string;
  readonly least: number;
  /** More than one: runs on both servers by turns, after one that is not counted; the median is taken. Default 1. */
  readonly rounds?: number;
  readonly run: (server: Server, python: string) => Promise<number>;
}

const measures: readonly Measure[] = [
  {
    name: "log_batch",
    label: "log_batch of 1,000 metrics, 1,000 keys",
    least: 10,
    async run(server) {
      const runId = await newRun(server);
      return repeat(15, (index) => post(server, "/runs/log-batch", batch(runId, index * 1000, 1000)));
    },
  },
  {
    name: "log_batch_one_key",
    label: "log_batch of 1,000 points of one key",
    least: 10,
    async run(server) {
      const runId = await newRun(server);
      return repeat(15, (index) => post(server, "/runs/log-batch", batch(runId, index * 1000, 1000, "loss")));
    },
  },
  {
    name: "log_metric",
    label: "log_metric, one client",
    least: 10,
    async run(server) {
      const runId = await newRun(server);
      return repeat(150, (index) =>
        post(server, "/runs/log-metric", { run_id: runId, key: "m", value: index, timestamp: index, step: index }),
      );
    },
  },
  {
    name: "log_metric_16",
    label: "log_metric, 16 clients, per call",
    least: 10,
    async run(server) {
      const runs = await Promise.all(Array.from({ length: 16 }, () => newRun(server)));
      const calls = 30;
      const started = performance.now();
      await Promise.all(
        runs.map((runId) =>
          repeat(calls, (index) =>
            post(server, "/runs/log-metric", { run_id: runId, key: "m", value: index, timestamp: index, step: index }),
          ),
        ),
      );
      return (performance.now() - started) / (16 * calls);
    },
  },
  {
    name: "runs",
    label: "create and finish a run, 16 clients, per run",
    least: 10,
    async run(server) {
      const each = 10;
      const started = performance.now();
      await Promise.all(
        Array.from({ length: 16 }, () =>
          repeat(each, async () =>
            post(server, "/runs/update", { run_id: await newRun(server), status: "FINISHED", end_time: Date.now() }),
          ),
        ),
      );
      return (performance.now() - started) / (16 * each);
    },
  },
  ...[100, 1000].map((page): Measure => ({
    name: `search_${page}`,
    label: `search_runs over ${SEARCHED_RUNS} runs, filter and order, page of ${page}`,
    least: 10,
    run: (server) =>
      repeat(7, () =>
        post(server, "/runs/search", {
          experiment_ids: ["1"],
          filter: "metrics.acc > 0.3 AND params.kind = 'b'",
          order_by: ["metrics.acc DESC"],
          max_results: page,
        }),
      ),
  })),
  {
    name: "history",
    label: `metric history of ${HISTORY_POINTS} points`,
    least: 10,
    run: (server) =>
      repeat(3, async () => {
        let token: string | undefined;
        let points = 0;
        do {
          const query = new URLSearchParams({
            run_id: "f".repeat(32),
            metric_key: "long",
            max_results: "25000",
            ...(token === undefined ? {} : { page_token: token }),
          });
          const page = JSON.parse(await send(server, "GET", `${API}/metrics/get-history?${query.toString()}`)) as {
            metrics?: unknown[];
            next_page_token?: string;
          };
          points += page.metrics?.length ?? 0;
          token = page.next_page_token;
        } while (token !== undefined);
        if (points !== HISTORY_POINTS) throw new Error(`${server.name} gave ${points} points`);
      }),
  },
  pythonMeasure("log_batch", "whole", "the Python client: log_batch of 1,000 metrics"),
  pythonMeasure("log_batch", "waiting", "  of which waiting for the server"),
  pythonMeasure("search", "whole", "the Python client: search_runs, page of 1000"),
  pythonMeasure("search", "waiting", "  of which waiting for the server"),
  {
    name: "upload",
    label: `artifact upload, ${flags["artifact-mb"]} MB`,
    least: 2,
    run: (server) =>
      repeat(1, () =>
        send(
          server,
          "PUT",
          "/api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts/big.bin",
          Readable.from(pieces(artifactBytes)),
        ),
      ),
  },
  {
    name: "download_raw",
    label: `artifact download, ${flags["artifact-mb"]} MB, raw HTTP`,
    least: 2,
    rounds: 7,
    run: (server) => repeat(1, () => receive(server, `/api/2.0/mlflow-artifacts/artifacts/${DOWNLOADED}`)),
  },
  // How fast a disk takes a file is the client's matter, differs widely from run to run, and hides what the server
  // does.
  {
    ...pythonMeasure(
      "download",
      "whole",
      `artifact download, ${flags["artifact-mb"]} MB, the Python client, into memory`,
      "/dev/shm",
    ),
    name: "download_memory",
    least: 2,
    rounds: 5,
  },
  {
    ...pythonMeasure("download", "waiting", "  of which waiting for the server, and receiving", "/dev/shm"),
    name: "download_memory",
    least: 2,
    rounds: 5,
  },
  {
    ...pythonMeasure(
      "download",
      "whole",
      `artifact download, ${flags["artifact-mb"]} MB, the Python client, to disk`,
      tmpdir(),
    ),
    name: "download_disk",
    least: 2,
    rounds: 5,
  },
];

/** What the client itself computes is the same for both servers, and much of a call: both figures are shown. */
function pythonMeasure(
  work: "log_batch" | "search" | "download",
  part: "whole" | "waiting",
  label: string,
  folder = "",
): Measure {
  return {
    name: `python_${work}`,
    label,
    least: 10,
    async run(server, python) {
      const script = join(import.meta.dirname, "mlflow_client.py");
      const environment = {
        ...process.env,
        MLFLOW_TRACKING_URI: server.url,
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: "false",
      };
      const output = execFileSync(python, ["-W", "ignore", script, work, `mlflow-artifacts:/${DOWNLOADED}`, folder], {
        encoding: "utf8",
        env: environment,
        stdio: "pipe",
      });
      return (JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as Record<typeof part, number>)[part];
    },
  };
}

async function byTurns(
  { rounds = 1, run }: Measure,
  pair: readonly [Server, Server],
  python: string,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let round = rounds > 1 ? -1 : 0; round < rounds; round++) {
    for (const index of [0, 1] as const) {
      // What was written before shall not be in the way.
      execFileSync("sync");
      const time = await run(pair[index], python);
      if (round >= 0) times[index].push(time);
    }
  }
  return [median(times[0]), median(times[1])];
}

async function placeDownload({ artifacts }: Server): Promise<void> {
  const file = join(artifacts, DOWNLOADED);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, pieces(artifactBytes));
}

function* pieces(sizeBytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(1_000_000, "esteira ");
  for (let sent = 0; sent < sizeBytes; sent += piece.length) yield piece;
}

function runFacts(index: number): { id: string; acc: number; kind: string } {
  return {
    id: index.toString(16).padStart(32, "0"),
    acc: ((index * 7919) % 10_007) / 10_007,
    kind: "abc"[index % 3] ?? "a",
  };
}

/** Both stores hold the same: 10,000 runs of five metrics, four params and three tags, and one history. */
async function fillOurs(server: Server): Promise<void> {
  await post(server, "/experiments/create", { name: "searched" });
  const database = new DatabaseSync(server.database, { timeout: 60_000 });
  database.exec("begin immediate");
  const run = database.prepare(
    "insert into run (run_id, experiment_id, project, run_name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage) values (?,1,'default',?,'u','FINISHED',?,?,'mlflow-artifacts:/1','active') returning number",
  );
  const latest = database.prepare("insert into run_latest_metric values (?,?,1,0,?,0,0)");
  const point = database.prepare("insert into run_metric values (?,?,?,?,?,0)");
  const param = database.prepare("insert into run_param values (?,?,?,0)");
  const tag = database.prepare("insert into run_tag values (?,?,?,0)");
  for (let index = 0; index < SEARCHED_RUNS; index++) {
    const { id, acc, kind } = runFacts(index);
    const { number } = run.get(id, `run-${index}`, index, index) as { number: number };
    for (const [key, value] of Object.entries({ acc, loss: 1 - acc, a: 1, b: 2, c: 3 })) {
      latest.run(number, key, value);
      point.run(number, key, 1, 0, value);
    }
    for (const [key, value] of Object.entries({ kind, depth: "3", rate: "0.1", seed: String(index) }))
      param.run(number, key, value);
    for (const [key, value] of Object.entries({ "mlflow.runName": `run-${index}`, "mlflow.user": "u", team: kind }))
      tag.run(number, key, value);
  }
  const { number } = run.get("f".repeat(32), "long", 1, 1) as { number: number };
  for (let index = 0; index < HISTORY_POINTS; index++) point.run(number, "long", index, index, Math.sin(index));
  database.exec("commit");
  database.close();
}

async function fillMlflow(server: Server): Promise<void> {
  await post(server, "/experiments/create", { name: "searched" });
  const database = new DatabaseSync(server.database, { timeout: 60_000 });
  database.exec("begin immediate");
  const run = database.prepare(
    "insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) values (?,?,'UNKNOWN','','','u','FINISHED',?,?,'','active','mlflow-artifacts:/1',1)",
  );
  const latest = database.prepare(
    "insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) values (?,?,1,0,0,?)",
  );
  const point = database.prepare(
    "insert into metrics (key, value, timestamp, run_uuid, step, is_nan) values (?,?,?,?,?,0)",
  );
  const param = database.prepare("insert into params (key, value, run_uuid) values (?,?,?)");
  const tag = database.prepare("insert into tags (key, value, run_uuid) values (?,?,?)");
  for (let index = 0; index < SEARCHED_RUNS; index++) {
    const { id, acc, kind } = runFacts(index);
    run.run(id, `run-${index}`, index, index);
    for (const [key, value] of Object.entries({ acc, loss: 1 - acc, a: 1, b: 2, c: 3 })) {
      latest.run(key, value, id);
      point.run(key, value, 1, id, 0);
    }
    for (const [key, value] of Object.entries({ kind, depth: "3", rate: "0.1", seed: String(index) }))
      param.run(key, value, id);
    for (const [key, value] of Object.entries({ "mlflow.runName": `run-${index}`, "mlflow.user": "u", team: kind }))
      tag.run(key, value, id);
  }
  const id = "f".repeat(32);
  run.run(id, "long", 1, 1);
  for (let index = 0; index < HISTORY_POINTS; index++) point.run("long", Math.sin(index), index, id, index);
  database.exec("commit");
  database.close();
}

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const environment = await testPython(PACKAGES);
if ("problem" in environment) throw new Error(environment.problem);
const { python } = environment;
const servers: Server[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    stopServers();
    process.exit(1);
  });
}
try {
  const ours = await startServer(
    "esteira",
    join(import.meta.dirname, "../bin/esteira"),
    ["up", "--host", "127.0.0.1", "--port", "{port}", "--store", join(folder, "ours")],
    { database: join(folder, "ours", "metadata.sqlite"), artifacts: join(folder, "ours", "artifacts") },
  );
  servers.push(ours);
  const theirDatabase = join(folder, "mlflow.db");
  const theirArtifacts = join(folder, "mlflow-artifacts");
  const theirs = await startServer(
    "mlflow",
    python,
    [
      "-m",
      "mlflow",
      "server",
      "--host",
      "127.0.0.1",
      "--port",
      "{port}",
      "--backend-store-uri",
      `sqlite:///${theirDatabase}`,
      "--artifacts-destination",
      theirArtifacts,
    ],
    { database: theirDatabase, artifacts: theirArtifacts },
  );
  servers.push(theirs);
  const row = (label: string, [mine, other]: readonly [number, number], unit: string, least: number): void => {
    const ratio = other / mine;
    console.log(
      `${label.padEnd(66)} ${mine.toFixed(2).padStart(10)} ${other.toFixed(2).padStart(11)} ${unit.padEnd(3)} ${ratio.toFixed(1).padStart(7)} x  ${ratio >= least ? "ok" : `below ${least} x`}`,
    );
  };
  console.log(`${"".padEnd(66)} ${"esteira".padStart(10)} ${"mlflow".padStart(11)}`);
  row("start until /health answers, empty store", [ours.startMs, theirs.startMs], "ms", 10);
  await fillOurs(ours);
  await fillMlflow(theirs);
  for (const measure of measures) {
    if (only !== undefined && !only.some((wanted) => measure.name.startsWith(wanted))) continue;
    if (measure.name.startsWith("download")) for (const server of servers) await placeDownload(server);
    row(measure.label, await byTurns(measure, [ours, theirs], python), "ms", measure.least);
  }
  row("memory after all this", [await memoryMb(ours.child.pid ?? 0), await memoryMb(theirs.child.pid ?? 0)], "MB", 3);
} finally {
  agent.destroy();
  stopServers();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

function stopServers(): void {
  for (const { child } of servers) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}
