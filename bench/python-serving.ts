/**
 * A scikit-learn pipeline with texts behind an endpoint, against `mlflow models serve` with the same model folder and
 * the same requests (`/invocations`, JSON), in turns.
 *
 *   node bench/python-serving.ts [--seconds 4] [--rounds 3] [--python PATH]
 *
 * `--python`: an interpreter that has the full mlflow, pandas and scikit-learn; without it an environment is made.
 * esteira answers probabilities, checks every input and writes every prediction durably to SQLite before it answers;
 * the peer answers labels and writes nothing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import Fastify from "fastify";
import type { Identity } from "#access";
import { digestOf, silentLog } from "#base";
import { createLocalExecutor, createWorkers } from "#executors";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { locateModel } from "#models";
import { createFileSystemBlobs, putTree } from "#storage";
import { createServing, createServingCalls } from "#serving";
import { servingMounts } from "../src/server/endpoints/endpoint-mounts.ts";
import { mountRoutes } from "../src/server/routing/mount-routes.ts";
import { testEnvironments } from "../test/setup/attempt.ts";
import { testPython } from "../test/setup/python-environment.ts";
import { MODEL_PACKAGES, pythonModels } from "../test/setup/python-models.ts";

const CASES = [
  { rows: 1, connections: 1 },
  { rows: 100, connections: 1 },
  { rows: 1, connections: 16 },
] as const;

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    python: { type: "string" },
    serve: { type: "string" },
    folder: { type: "string", default: "" },
  },
});

/** esteira's side, in a process of its own. */
async function serve(port: number, folder: string): Promise<void> {
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const objects = createFileSystemBlobs(join(folder, "objects"));
  const workFolder = join(folder, "work");
  const serving = createServing({
    store,
    objects,
    log: silentLog,
    python: {
      environments: testEnvironments,
      workers: createWorkers({ executor: createLocalExecutor({ workFolder, storeFolder: folder }), workFolder }),
      locate: (version) => locateModel(version, { objects, folder: join(folder, "models") }),
      cacheFolder: join(folder, "bytecode"),
      memoryBytes: 4 * 1024 ** 3,
    },
  });
  const inputs = Object.entries({ distance: "float", hour: "integer", origin: "string" });
  const content = {
    format: "model/1",
    tree: await putTree(objects, join((await pythonModels()).folder, "late")),
    model: {
      format: "esteira.model/1",
      runtime: "python",
      file: "MLmodel",
      task: "binary_classification",
      inputs: inputs.map(([name, type]) => ({ name, type })),
      outputs: [],
      example: { distance: 500, hour: 7, origin: "ATL" },
    },
    requirements: MODEL_PACKAGES,
    registered: { name: "delay" },
    record: {},
  };
  const facts = { project: "p", asset: "delay", kind: "model", madeAtMs: 0, actor: "bench", inputs: [] } as const;
  const { version } = await store.write((transaction) =>
    recordAssetVersion(transaction, { ...facts, digest: digestOf("bench"), content }),
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

interface Side {
  readonly name: string;
  readonly port: number;
  readonly path: string;
  readonly child: ChildProcess;
}

async function startEsteira(folder: string): Promise<Side> {
  const port = await freePort();
  const child = spawn(process.execPath, [import.meta.filename, "--serve", String(port), "--folder", folder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { name: "esteira", port, path: "/endpoints/production/delay/invocations", child };
}

async function startMlflow(python: string): Promise<Side> {
  const port = await freePort();
  const { folder } = await pythonModels();
  const options = ["--env-manager", "local", "--port", String(port), "--host", "127.0.0.1", "--workers", "1"];
  const child = spawn(python, ["-m", "mlflow", "models", "serve", "-m", join(folder, "late"), ...options], {
    stdio: "ignore",
    detached: true,
    env: { ...process.env, PATH: `${dirname(python)}:${process.env["PATH"] ?? ""}`, MLFLOW_DISABLE_TELEMETRY: "true" },
  });
  return { name: "mlflow models serve", port, path: "/invocations", child };
}

function bodyOf(rows: number): Buffer {
  const records = Array.from({ length: rows }, (_, row) => ({
    distance: 500.5 + row,
    hour: row % 24,
    origin: row % 2 === 0 ? "ATL" : "ORD",
  }));
  return Buffer.from(JSON.stringify({ dataframe_records: records }));
}

function send(side: Side, agent: Agent, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const options = { port: side.port, host: "127.0.0.1", path: side.path, method: "POST", agent, headers };
    const call = request(options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function ready(side: Side): Promise<void> {
  const agent = new Agent();
  const deadline = Date.now() + 120_000;
  while ((await send(side, agent, bodyOf(1)).catch(() => 0)) !== 200) {
    if (Date.now() > deadline) throw new Error(`${side.name} never answered`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
}

async function measure(side: Side, { rows, connections }: (typeof CASES)[number]): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const body = bodyOf(rows);
  const times: number[] = [];
  const seconds = Number(flags.seconds);
  const load = async (untilMs: number, keep: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      const start = performance.now();
      const status = await send(side, agent, body);
      if (status !== 200) throw new Error(`${side.name} answered ${status}`);
      if (keep) times.push(performance.now() - start);
    }
  };
  for (const [lasts, keep] of [
    [0.5, false],
    [seconds, true],
  ] as const)
    await Promise.all(Array.from({ length: connections }, () => load(performance.now() + lasts * 1000, keep)));
  agent.destroy();
  times.sort((left, right) => left - right);
  return { perSecond: times.length / seconds, p50Ms: times[Math.floor(times.length / 2)] ?? NaN };
}

async function compare(): Promise<void> {
  const peer =
    flags.python === undefined
      ? await testPython(["mlflow==3.17.2", "pandas==3.1.1", "scikit-learn==1.9.1"])
      : { python: flags.python };
  if ("problem" in peer) throw new Error(`The peer cannot be started: ${peer.problem}`);
  const folder = await mkdtemp(join(tmpdir(), "esteira-python-serving-"));
  const sides: Side[] = [];
  try {
    sides.push(await startEsteira(folder), await startMlflow(peer.python));
    for (const side of sides) await ready(side);
    for (const asked of CASES) {
      const ratios: number[] = [];
      for (let round = 0; round < Number(flags.rounds); round++) {
        const [ours, theirs] = [await measure(sides[0] as Side, asked), await measure(sides[1] as Side, asked)];
        ratios.push(ours.perSecond / theirs.perSecond);
        console.log(
          `${asked.rows} rows, ${asked.connections} clients: esteira ${ours.perSecond.toFixed(0)}/s, p50 ${ours.p50Ms.toFixed(1)} ms; mlflow models serve ${theirs.perSecond.toFixed(0)}/s, p50 ${theirs.p50Ms.toFixed(1)} ms`,
        );
      }
      const median = ratios.toSorted((left, right) => left - right)[Math.floor(ratios.length / 2)] ?? NaN;
      console.log(
        `${asked.rows} rows, ${asked.connections} clients: ${median.toFixed(2)} x (${ratios.map((ratio) => ratio.toFixed(2)).join(", ")})`,
      );
    }
  } finally {
    for (const { child, name } of sides) {
      if (name === "esteira") child.kill("SIGKILL");
      else process.kill(-(child.pid ?? 0), "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
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

await (flags.serve === undefined ? compare() : serve(Number(flags.serve), flags.folder));
