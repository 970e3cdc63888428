// What the data of each page cost the server: processor time per call, on the store of a project, beside its cheapest
// call.
// Usage: node bench/pages.ts FOLDER [--calls 40]   FOLDER: a project with a store, e.g. examples/flights after `npm run
// demo -- --exit`
// Processor time is the figure to compare on a machine that others use too; the wall time is the median of one caller.
// Reads /proc: Linux only.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startServer, type StartedServer } from "./started-server.ts";

const SETTLE_MS = 250;
/** A page is asked of a server that has answered before: the first calls are compiled as they run. */
const WARMING_CALLS = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { calls: { type: "string", default: "40" } },
});
const calls = Number(values.calls);
const server = await startServer(resolve(positionals[0] ?? "examples/flights"));
try {
  await settle(server);
  const paths = await findPaths(server.url);
  const measured = [];
  for (const path of paths) measured.push({ path, ...(await measure(server, path)) });
  const cheapest = Math.max(measured[0]?.cpuMs ?? 1, 0.1);
  process.stdout.write(`${calls} calls each\n${"call".padEnd(70)}  CPU ms  ratio  wall ms  kB\n`);
  for (const { path, cpuMs, wallMs, sizeKb } of measured) {
    process.stdout.write(
      `${path.slice(0, 70).padEnd(70)}  ${cpuMs.toFixed(1).padStart(6)}  ${(cpuMs / cheapest).toFixed(1).padStart(5)}  ${wallMs.toFixed(1).padStart(7)}  ${sizeKb.toFixed(0)}\n`,
    );
  }
  const { now, peak } = await server.memoryMb();
  process.stdout.write(`memory ${now.toFixed(0)} MB, at most ${peak.toFixed(0)} MB\n`);
} finally {
  await server.stop();
}

/** Waits until the server rests, so that what it does by itself is not counted. */
async function settle({ cpuMs }: StartedServer): Promise<void> {
  for (let rests = 0, before = await cpuMs(); rests < 8;) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const after = await cpuMs();
    rests = after - before <= 10 ? rests + 1 : 0;
    before = after;
  }
}

interface Named {
  readonly name?: string;
  readonly environment?: string;
  readonly id?: string;
  readonly version?: number;
}

/** The calls of every page, with the first thing of each list. */
async function findPaths(url: string): Promise<readonly string[]> {
  const first = async (path: string): Promise<Named | undefined> =>
    ((await (await fetch(`${url}/api/v1${path}`)).json()) as { items?: readonly Named[] }).items?.[0];
  const lists = [
    "/session",
    "/overview",
    "/pipelines",
    "/pipeline-runs",
    "/datasets",
    "/feature-views",
    "/models",
    "/endpoints",
    "/monitors",
    "/alerts",
    "/environments",
    "/releases",
    "/approvals",
    "/dashboards",
  ];
  const pipeline = await first("/pipelines");
  const run = await first("/pipeline-runs?status=succeeded");
  const model = await first("/models");
  const endpoint = await first("/endpoints");
  const dashboard = await first("/dashboards");
  const datasets = (
    (await (await fetch(`${url}/api/v1/datasets`)).json()) as { items: readonly { asset?: string; name?: string }[] }
  ).items.map(({ asset, name }) => name ?? asset ?? "");
  const of = endpoint === undefined ? "" : `/endpoints/${endpoint.environment}/${endpoint.name}`;
  const prediction = endpoint === undefined ? undefined : await first(`${of}/predictions?limit=1`);
  return [
    ...lists,
    ...(pipeline === undefined ? [] : [`/pipelines/${pipeline.name}`]),
    ...(run === undefined ? [] : [`/pipeline-runs/${run.id}`]),
    ...datasets.flatMap((name) => [`/datasets/${name}`, `/assets/${name}/versions`, `/datasets/${name}/rows`]),
    ...(model === undefined ? [] : [`/models/${model.name}`, `/models/${model.name}/versions/1`]),
    ...(endpoint === undefined
      ? []
      : [of, `${of}/predictions`, `${of}/predictions?labelled=no`, `${of}/predictions?modelVersion=1`]),
    ...(prediction === undefined ? [] : [`/predictions/${prediction.id}`]),
    ...(dashboard === undefined ? [] : [`/dashboards/${dashboard.name}`]),
  ];
}

async function measure(
  started: StartedServer,
  path: string,
): Promise<{ readonly cpuMs: number; readonly wallMs: number; readonly sizeKb: number }> {
  const call = async (): Promise<number> => {
    const response = await fetch(`${started.url}/api/v1${path}`);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.arrayBuffer()).byteLength;
  };
  for (let warm = 0; warm < WARMING_CALLS; warm++) await call();
  const walls: number[] = [];
  let size = 0;
  const before = await started.cpuMs();
  for (let count = 0; count < calls; count++) {
    const start = performance.now();
    size = await call();
    walls.push(performance.now() - start);
  }
  const cpuMs = ((await started.cpuMs()) - before) / calls;
  return {
    cpuMs,
    wallMs: walls.toSorted((left, right) => left - right)[Math.floor(calls / 2)] ?? 0,
    sizeKb: size / 1000,
  };
}
