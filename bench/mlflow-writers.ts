/**
 * Sixteen clients that log one metric after the other: esteira, the MLflow server, and a server that answers at once
 * without doing anything, by turns in one run. Beside the rate: the processor time that a call costs the server and the
 * clients, which share the machine. What the clients need is the least a call can take, whatever serves it.
 *
 *   node bench/mlflow-writers.ts [--seconds 8] [--rounds 3] [--serve-nothing PORT]
 *
 * Two kinds of clients: plain HTTP from Node, and the MLflow client in threads of one Python process. Linux only: it
 * reads /proc.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { testPython } from "../test/setup/python-environment.ts";

const CLIENTS = 16;
const CLOCK_TICKS_PER_SECOND = 100;
const API = "/api/2.0/mlflow/runs";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    "serve-nothing": { type: "string" },
  },
});

interface Server {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
}

/** What a call took: of the machine's time, and of the processors' by either side. */
interface Cost {
  readonly perSecond: number;
  readonly serverMs: number;
  readonly clientMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

function post(url: string, body: object): Promise<string> {
  return new Promise((done, failed) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      let answer = "";
      response.setEncoding("utf8").on("data", (piece: string) => (answer += piece));
      response.on("end", () =>
        response.statusCode === 200 ? done(answer) : failed(new Error(`${url}: ${response.statusCode} ${answer}`)),
      );
    });
    sent.on("error", failed);
    sent.end(text);
  });
}

async function start(name: string, command: string, parameters: (port: number) => readonly string[]): Promise<Server> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(command, parameters(port), { stdio: "ignore", detached: true });
  const until = performance.now() + 180_000;
  for (;;) {
    const isUp = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return { name, url, child };
    if (performance.now() > until) throw new Error(`${name} did not start`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** Processor time of a process group so far, ms. */
async function groupTimeMs(group: number): Promise<number> {
  let ticks = 0;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1000) / CLOCK_TICKS_PER_SECOND;
}

async function newRuns({ name, url }: Server): Promise<readonly string[]> {
  const ids = Array.from({ length: CLIENTS }, (_, index) => index.toString(16).padStart(32, "0"));
  if (name === "nothing") return ids;
  return Promise.all(
    ids.map(async () => {
      const answer = await post(`${url}${API}/create`, { experiment_id: "0", start_time: 1 });
      return (JSON.parse(answer) as { run: { info: { run_id: string } } }).run.info.run_id;
    }),
  );
}

async function byNode({ url }: Server, runs: readonly string[], seconds: number): Promise<number> {
  let calls = 0;
  const until = performance.now() + seconds * 1000;
  await Promise.all(
    runs.map(async (run) => {
      for (let step = 0; performance.now() < until; step++, calls++)
        await post(`${url}${API}/log-metric`, { run_id: run, key: "m", value: step, timestamp: step, step });
    }),
  );
  return calls;
}

type Clients = (
  server: Server,
  runs: readonly string[],
) => Promise<{ calls: number; seconds: number; clientMs: number }>;

const nodeClients: Clients = async (server, runs) => {
  await byNode(server, runs, 1);
  const [before, started] = [process.cpuUsage(), performance.now()];
  const calls = await byNode(server, runs, Number(flags.seconds));
  const { user, system } = process.cpuUsage(before);
  return { calls, seconds: (performance.now() - started) / 1000, clientMs: (user + system) / 1000 };
};

const pythonClients =
  (python: string): Clients =>
  async ({ url }, runs) => {
    const script = join(import.meta.dirname, "mlflow_writers.py");
    const { stdout } = await promisify(execFile)(python, ["-W", "ignore", script, flags.seconds, ...runs], {
      env: { ...process.env, MLFLOW_TRACKING_URI: url },
    });
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Awaited<ReturnType<Clients>>;
  };

async function measure(server: Server, clients: Clients): Promise<Cost> {
  const runs = await newRuns(server);
  const before = await groupTimeMs(server.child.pid ?? 0);
  const { calls, seconds, clientMs } = await clients(server, runs);
  // The second of warming up is served, too.
  const serverMs = ((await groupTimeMs(server.child.pid ?? 0)) - before) * (seconds / (seconds + 1));
  return { perSecond: calls / seconds, serverMs: serverMs / calls, clientMs: clientMs / calls };
}

function median(costs: readonly Cost[], of: keyof Cost): number {
  const sorted = costs.map((cost) => cost[of]).sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** Answers everything with an empty object. */
function serveNothing(port: number): void {
  createServer((received, response) => {
    received.resume().on("end", () => response.setHeader("content-type", "application/json").end("{}"));
  }).listen(port, "127.0.0.1");
}

async function main(): Promise<void> {
  const made = await testPython(["mlflow==3.11.1"]);
  if (!("python" in made)) throw new Error(made.problem);
  const { python } = made;
  const folder = await mkdtemp(join(tmpdir(), "esteira-writers-"));
  const node = ["--disable-warning=ExperimentalWarning"];
  const main = resolve(import.meta.dirname, "../src/cli/main.ts");
  const servers: Server[] = [];
  try {
    const add = async (...of: Parameters<typeof start>): Promise<void> => void servers.push(await start(...of));
    await add("nothing", process.execPath, (port) => [...node, import.meta.filename, "--serve-nothing", `${port}`]);
    await add("esteira", process.execPath, (port) => [
      ...node,
      main,
      "up",
      "--store",
      join(folder, "ours"),
      "--port",
      `${port}`,
    ]);
    await add("mlflow", python, (port) => [
      "-m",
      "mlflow",
      "server",
      "--host",
      "127.0.0.1",
      "--port",
      `${port}`,
      "--backend-store-uri",
      `sqlite:///${join(folder, "mlflow.db")}`,
      "--artifacts-destination",
      join(folder, "artifacts"),
    ]);
    for (const [title, clients] of [
      ["plain HTTP", nodeClients],
      ["the MLflow client", pythonClients(python)],
    ] as const) {
      const costs = new Map<string, Cost[]>(servers.map(({ name }) => [name, []]));
      for (let round = 0; round <= Number(flags.rounds); round++)
        for (const server of servers) costs.get(server.name)?.push(await measure(server, clients));
      // The first round is not counted: servers still load what they need.
      for (const all of costs.values()) all.shift();
      report(title, costs);
    }
  } finally {
    agent.destroy();
    for (const { child } of servers) if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function report(title: string, costs: ReadonlyMap<string, readonly Cost[]>): void {
  const theirs = costs.get("mlflow") ?? [];
  process.stdout.write(`${CLIENTS} clients, ${title}\n`);
  for (const [name, all] of costs) {
    const ratio = median(all, "perSecond") / median(theirs, "perSecond");
    process.stdout.write(
      `  ${name.padEnd(8)} ${median(all, "perSecond").toFixed(0).padStart(6)} calls/s (${ratio.toFixed(1)} × mlflow)  processor time per call: server ${median(all, "serverMs").toFixed(2)} ms (mlflow's is ${(median(theirs, "serverMs") / median(all, "serverMs")).toFixed(1)} ×), clients ${median(all, "clientMs").toFixed(2)} ms\n`,
    );
  }
}

if (flags["serve-nothing"] === undefined) await main();
else serveNothing(Number(flags["serve-nothing"]));
