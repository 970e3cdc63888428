// What a server costs by its roles: memory and processor time while nothing happens, and for step runs, calls and
// predictions, each role in a process of its own on one PostgreSQL. The figures of the guide on operating.
// Usage: node bench/sizing.ts [--idle 20] [--runs 60] [--calls 2000]
// Needs PostgreSQL at ESTEIRA_TEST_POSTGRES (default postgres://root@127.0.0.1:5432/test), where it makes a database
// and drops it. Processor time is the figure that holds on a machine that others use too. Reads /proc: Linux only.
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { z } from "zod";
import { type StartedServer, startServer } from "./started-server.ts";

const MODELS = resolve(import.meta.dirname, "../test/serving/models");
const AT_ONCE = 8;
const POSTGRES = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";

const runSchema = z.looseObject({ id: z.string(), status: z.string().optional() });

const { values } = parseArgs({
  options: {
    idle: { type: "string", default: "20" },
    runs: { type: "string", default: "60" },
    calls: { type: "string", default: "2000" },
  },
});
const [idleSeconds, runs, calls] = [Number(values.idle), Number(values.runs), Number(values.calls)];

const administrator = new pg.Client(POSTGRES);
await administrator.connect();
const database = `esteira_sizing_${randomBytes(4).toString("hex")}`;
await administrator.query(`create database ${database}`);
const folder = await mkdtemp(join(tmpdir(), "esteira-sizing-"));
const servers: { readonly roles: string; readonly server: StartedServer }[] = [];
try {
  await writeProject();
  for (const roles of ["page,api,engine,serving", "page,api", "engine", "serving"]) {
    const server = await startServer(folder, [], ["--roles", roles]);
    await untilReady(server);
    await delay(3000);
    const began = await server.cpuMs();
    await delay(idleSeconds * 1000);
    const spent = (await server.cpuMs()) - began;
    say(`${roles}: idle ${await memoryOf(server)}, ${((spent / idleSeconds) * 0.1).toFixed(2)} % of a processor`);
    if (roles.includes(",engine")) await server.stop();
    else servers.push({ roles, server });
  }
  const [api, , serving] = servers.map(({ server }) => server);
  if (api === undefined || serving === undefined) throw new Error("the servers did not start");
  await run(api, "delay");
  await costOf(`${runs} runs of a step that runs true`, runs, () => run(api, "ping"));
  await costOf(`${calls} calls of the API (a page of pipeline runs)`, calls, () =>
    ask(`${api.url}/api/v1/pipeline-runs?limit=20`),
  );
  const predict = (): Promise<unknown> =>
    ask(`${serving.url}/endpoints/trial/delay/predict`, {
      rows: [{ features: { distance: 900, hour: 18, origin: "JFK" } }],
    });
  await predict();
  await costOf(`${calls} predictions of one row, each durable`, calls, predict);
  for (const { roles, server } of servers) say(`${roles}: afterwards ${await memoryOf(server)}`);
} finally {
  for (const { server } of servers) await server.stop();
  await administrator.query(`drop database ${database} with (force)`);
  await administrator.end();
  await rm(folder, { recursive: true, force: true });
}

/** A model that answers, and a step that does nothing. */
async function writeProject(): Promise<void> {
  const url = new URL(POSTGRES);
  url.pathname = `/${database}`;
  const model = await readFile(join(MODELS, "late-by-columns.json"), "utf8");
  const { model: description }: { readonly model: object } = JSON.parse(model);
  const files: Readonly<Record<string, string>> = {
    "esteira.yaml": `name: sizing\nstore: { metadata: "${url.href}" }\nisolation: { level: none }\nenvironments: { trial: {} }\n`,
    "pipelines/ping.yaml": 'concurrency: 50\nsteps: { ping: { run: "true" } }\n',
    "pipelines/delay.yaml": `steps:
  delay: { run: "mkdir -p made && cp model/* made/", makes: { model: made }, files: ["model/*"] }
  live: { deploy: delay, to: trial }
`,
    "model/model.json": JSON.stringify({
      ...description,
      format: "esteira.model/1",
      runtime: "onnx",
      file: "late.onnx",
      label: "late",
    }),
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await copyFile(join(MODELS, "late-by-columns.onnx"), join(folder, "model/late.onnx"));
}

async function costOf(what: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const before = await Promise.all(servers.map(({ server }) => server.cpuMs()));
  const startMs = performance.now();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const seconds = (performance.now() - startMs) / 1000;
  const spent = await Promise.all(
    servers.map(async ({ server }, index) => (await server.cpuMs()) - (before[index] ?? 0)),
  );
  const costs = servers.map(({ roles }, index) => `${roles} ${((spent[index] ?? 0) / count).toFixed(2)} ms`);
  say(
    `${what}, ${AT_ONCE} at once: ${(count / seconds).toFixed(0)} a second; processor time each: ${costs.join(", ")}`,
  );
}

async function run({ url }: StartedServer, pipeline: string): Promise<void> {
  const { id } = runSchema.parse(await ask(`${url}/api/v1/pipelines/${pipeline}/runs`, {}));
  for (;;) {
    const { status } = runSchema.parse(await ask(`${url}/api/v1/pipeline-runs/${id}`));
    if (status === "succeeded") return;
    if (status !== undefined && !["queued", "running"].includes(status))
      throw new Error(`${pipeline} ended as ${status}`);
    await delay(100);
  }
}

async function ask(url: string, body?: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function untilReady({ url }: StartedServer): Promise<void> {
  while ((await fetch(`${url}/readyz`)).status !== 200) await delay(100);
}

async function memoryOf(server: StartedServer): Promise<string> {
  const { now, peak } = await server.memoryMb();
  return `${now.toFixed(0)} MB (${peak.toFixed(0)} MB at its peak)`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
