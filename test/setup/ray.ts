import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { testCache } from "./cache-folder.ts";

const READY_WITHIN_MS = 240_000;

/** A Ray of two nodes on this machine, started for a test. */
export interface TestRay {
  /** Of its dashboard. */
  readonly address: string;
  /** Python that has ray. */
  readonly python: string;
  /** Kills the second node at once. */
  killNode(): void;
  stop(): Promise<void>;
}

/** Python with ray of PyPI, installed once: `ESTEIRA_TEST_RAY` names one that is there. */
function pythonWithRay(): string {
  const given = process.env["ESTEIRA_TEST_RAY"];
  if (given !== undefined) return given;
  const folder = join(testCache(), "ray");
  const python = join(folder, "bin/python");
  if (existsSync(join(folder, "bin/ray"))) return python;
  execFileSync("python3", ["-m", "venv", folder]);
  execFileSync(python, ["-m", "pip", "install", "--quiet", "ray[default]"], { stdio: "inherit" });
  return python;
}

export async function startRay(cpus = 8): Promise<TestRay> {
  const python = pythonWithRay();
  // Its sockets have short names, or none.
  const folder = await mkdtemp("/tmp/er-");
  const [port, dashboard] = await freePorts();
  const environment = {
    // Certificates that this machine names would be those of its steps too.
    HOME: process.env["HOME"] ?? folder,
    PATH: `${dirname(python)}:${process.env["PATH"] ?? ""}`,
    RAY_USAGE_STATS_ENABLED: "0",
    RAY_memory_monitor_refresh_ms: "0",
  };
  const nodes: ChildProcess[] = [];
  const start = (...words: readonly string[]): void => {
    const node = spawn(
      join(dirname(python), "ray"),
      ["start", ...words, `--num-cpus=${cpus}`, "--object-store-memory=100000000", "--disable-usage-stats", "--block"],
      { env: environment, stdio: "ignore", detached: true },
    );
    nodes.push(node);
    process.once("exit", () => kill(node));
  };
  const kill = ({ pid }: ChildProcess): void => {
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  const address = `http://127.0.0.1:${dashboard}`;
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + READY_WITHIN_MS; !(await holds().catch(() => false)); await delay(500))
      if (Date.now() > end) throw new Error(`Ray: ${what} after ${READY_WITHIN_MS / 1000} s`);
  };
  start(
    "--head",
    `--port=${port}`,
    `--dashboard-port=${dashboard}`,
    "--dashboard-host=127.0.0.1",
    `--temp-dir=${folder}`,
  );
  await until("the head does not answer", async () => (await fetch(`${address}/api/version`)).ok);
  start(`--address=127.0.0.1:${port}`);
  await until("there are not two nodes", async () => {
    const said = await (await fetch(`${address}/nodes?view=summary`)).text();
    return (said.match(/"state": ?"ALIVE"/g) ?? []).length >= 2;
  });
  return {
    address,
    python,
    killNode: () => {
      const [, second] = nodes;
      if (second !== undefined) kill(second);
    },
    async stop() {
      for (const node of nodes.toReversed()) kill(node);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function freePorts(): Promise<readonly [number, number]> {
  const servers: Server[] = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return [ports[0] ?? 0, ports[1] ?? 0];
}
