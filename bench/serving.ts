/**
 * Throughput and latency of an ONNX endpoint against MLServer with the same ONNX file and the same requests (Open
 * Inference Protocol, JSON).
 *
 *   node bench/serving.ts [--seconds 5] [--rows 1] [--python PATH]
 *
 * `--python`: an interpreter that has mlserver and onnxruntime; without it an environment is made. esteira checks every
 * input and writes every prediction durably to SQLite before it answers; MLServer does neither. The peer runs its model
 * in the server's own process (`parallel_workers: 0`), which spares it a hop.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Fastify from "fastify";
import type { Identity } from "#access";
import { digestOf, silentLog } from "#base";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs } from "#storage";
import { createServing, createServingCalls } from "#serving";
import { servingMounts } from "../src/server/endpoints/endpoint-mounts.ts";
import { mountRoutes } from "../src/server/routing/mount-routes.ts";
import { testPython } from "../test/setup/python-environment.ts";

const MODELS = join(import.meta.dirname, "..", "test", "serving", "models");
const CONNECTIONS = [1, 16, 64] as const;

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rows: { type: "string", default: "1" },
    python: { type: "string" },
    serve: { type: "string" },
    folder: { type: "string", default: "" },
  },
});

/** esteira's side, in a process of its own. */
async function serve(port: number, folder: string): Promise<void> {
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const objects = createFileSystemBlobs(join(folder, "objects"));
  const serving = createServing({ store, objects, log: silentLog });
  const { model } = JSON.parse(await readFile(join(MODELS, "late-by-matrix.json"), "utf8")) as { model: object };
  const file = await objects.putFile(join(MODELS, "late-by-matrix.onnx"));
  const content = {
    format: "model/1",
    tree: { format: "tree/1", files: [{ path: "model.onnx", digest: file.digest, sizeBytes: file.sizeBytes }] },
    model,
    registered: { name: "delay" },
    record: {},
  };
  const { version } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: "delay",
      kind: "model",
      digest: digestOf("bench"),
      madeAtMs: 0,
      actor: "bench",
      content,
      inputs: [],
    }),
  );
  await serving.target.deploy(
    { deploymentId: "bench", project: "p", environment: "production", endpoint: "delay", version, actor: "bench" },
    { signal: new AbortController().signal, log: () => {} },
  );
  const server = Fastify();
  const calls = createServingCalls({ endpoints: serving.endpoints, project: "p", log: silentLog });
  const client: Identity = { name: "bench", kind: "user", roles: [{ project: "p", role: "contributor" }] };
  mountRoutes(server, servingMounts(calls), { project: "p", identify: async () => client });
  await server.listen({ port, host: "127.0.0.1" });
}

interface Peer {
  readonly name: string;
  readonly port: number;
  readonly path: string;
  readonly child: ChildProcess;
}

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Server CPU per request, of the process and its children; µs. */
  readonly cpuUs: number;
}

async function compare(): Promise<void> {
  const environment =
    flags.python === undefined
      ? await testPython(["mlserver==1.7.1", "onnxruntime==1.24.4"])
      : { python: flags.python };
  if ("problem" in environment) throw new Error(`The peer cannot be started: ${environment.problem}`);
  const folder = await mkdtemp(join(tmpdir(), "esteira-serving-"));
  const started: Peer[] = [];
  try {
    const results = new Map<string, Measured[]>();
    for (const start of [startEsteira, startMlserver]) {
      const peer = await start(folder, environment.python);
      started.push(peer);
      await ready(peer);
      const measured: Measured[] = [];
      for (const connections of CONNECTIONS) measured.push(await measure(peer, connections));
      results.set(peer.name, measured);
      peer.child.kill("SIGKILL");
    }
    print(results);
  } finally {
    for (const { child } of started) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

async function startEsteira(folder: string): Promise<Peer> {
  const port = await freePort();
  const child = spawn(process.execPath, [import.meta.filename, "--serve", String(port), "--folder", folder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { name: "esteira", port, path: "/endpoints/production/delay/v2/models/delay/infer", child };
}

async function startMlserver(folder: string, python: string): Promise<Peer> {
  const [port, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  await copyFile(join(MODELS, "late-by-matrix.onnx"), join(folder, "model.onnx"));
  await copyFile(join(import.meta.dirname, "serving_peer.py"), join(folder, "serving_peer.py"));
  await writeFile(
    join(folder, "settings.json"),
    JSON.stringify({
      http_port: port,
      grpc_port: grpc,
      metrics_port: metrics,
      host: "127.0.0.1",
      debug: false,
      parallel_workers: 0,
    }),
  );
  await writeFile(
    join(folder, "model-settings.json"),
    JSON.stringify({
      name: "delay",
      implementation: "serving_peer.OnnxModel",
      parameters: { uri: join(folder, "model.onnx") },
    }),
  );
  const child = spawn(python, ["-m", "mlserver.cli.main", "start", folder], {
    cwd: folder,
    stdio: "ignore",
    env: { ...process.env, PYTHONPATH: folder },
  });
  return { name: "MLServer", port, path: "/v2/models/delay/infer", child };
}

const rows = Number(flags.rows);
const body = Buffer.from(
  JSON.stringify({
    inputs: [
      {
        name: "X",
        shape: [rows, 2],
        datatype: "FP32",
        data: Array.from({ length: rows * 2 }, (_, index) => (index % 2 === 0 ? 500 + index : index % 24)),
      },
    ],
  }),
);

function send(peer: Peer, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        port: peer.port,
        host: "127.0.0.1",
        path: peer.path,
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

async function ready(peer: Peer): Promise<void> {
  const agent = new Agent();
  const deadline = Date.now() + 60_000;
  while ((await send(peer, agent).catch(() => 0)) !== 200) {
    if (Date.now() > deadline) throw new Error(`${peer.name} never answered`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function measure(peer: Peer, connections: number): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  const load = async (untilMs: number, keep: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      const start = performance.now();
      const status = await send(peer, agent);
      if (status !== 200) throw new Error(`${peer.name} answered ${status}`);
      if (keep) times.push(performance.now() - start);
    }
  };
  const run = (seconds: number, keep: boolean): Promise<unknown> =>
    Promise.all(Array.from({ length: connections }, () => load(performance.now() + seconds * 1000, keep)));
  await run(1, false);
  const before = await cpuSeconds(peer.child.pid ?? 0);
  const seconds = Number(flags.seconds);
  await run(seconds, true);
  const cpu = (await cpuSeconds(peer.child.pid ?? 0)) - before;
  agent.destroy();
  times.sort((left, right) => left - right);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), cpuUs: (cpu * 1e6) / times.length };
}

/** User and system time of a process and its live children, from /proc; NaN where there is none. */
async function cpuSeconds(pid: number): Promise<number> {
  try {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").filter(Boolean);
    const own = (Number(fields[11]) + Number(fields[12])) / 100;
    return (
      own +
      (await Promise.all(children.map((child) => cpuSeconds(Number(child))))).reduce((sum, seconds) => sum + seconds, 0)
    );
  } catch {
    return NaN;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function print(results: ReadonlyMap<string, readonly Measured[]>): void {
  console.log(`${rows} rows a request, ${flags.seconds} s each`);
  for (const [name, measured] of results) {
    measured.forEach((found, index) =>
      console.log(
        `${name.padEnd(10)} c=${String(CONNECTIONS[index]).padStart(2)}  ${found.perSecond.toFixed(0).padStart(6)} requests/s  p50 ${found.p50Ms.toFixed(2)} ms  p99 ${found.p99Ms.toFixed(2)} ms  CPU ${found.cpuUs.toFixed(0)} µs/request`,
      ),
    );
  }
  const [ours, theirs] = [results.get("esteira") ?? [], results.get("MLServer") ?? []];
  ours.forEach((found, index) =>
    console.log(
      `ratio      c=${String(CONNECTIONS[index]).padStart(2)}  ${(found.perSecond / (theirs[index]?.perSecond ?? NaN)).toFixed(1)} × throughput, CPU ${((theirs[index]?.cpuUs ?? NaN) / found.cpuUs).toFixed(1)} × less (target 5 ×)`,
    ),
  );
}

if (flags.serve === undefined) await compare();
else await serve(Number(flags.serve), flags.folder);
