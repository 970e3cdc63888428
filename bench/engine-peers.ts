// The engine against Prefect and Dagster in the same run: a chain and a fan-out of no-op process steps.
// Usage: node bench/engine-peers.ts [--chain 200] [--fan 1000] [--runs 3] [--venv FOLDER]
// Makes its own virtual environment with both peers when there is none yet.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { testCache } from "../test/setup/cache-folder.ts";

const { values } = parseArgs({
  options: {
    chain: { type: "string", default: "200" },
    fan: { type: "string", default: "1000" },
    runs: { type: "string", default: "3" },
    venv: { type: "string", default: join(testCache(), "bench-peers") },
    python: { type: "string", default: "python3" },
  },
});
const PARALLEL = "4";

interface Times {
  readonly chain: number;
  readonly fan: number;
}

function output(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
      detached: true,
    });
    let text = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.on("error", reject);
    // Prefect leaves its server behind, which would keep the pipes open.
    child.on("exit", () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // Nothing was left behind.
      }
    });
    child.on("close", (code) =>
      code === 0
        ? resolve(text)
        : reject(new Error(`${command} ${args.join(" ")} ended with ${String(code)}: ${errors.slice(-2000)}`)),
    );
  });
}

async function preparePeers(): Promise<string> {
  const python = join(values.venv, "bin", "python");
  if (!existsSync(python)) {
    console.log(`making an environment with Prefect and Dagster in ${values.venv}`);
    await output(values.python, ["-m", "venv", values.venv]);
    await output(python, ["-m", "pip", "install", "-q", "prefect", "dagster", "fastapi<0.120"]);
  }
  return python;
}

async function peer(python: string, script: string): Promise<Times> {
  const home = join(values.venv, "home");
  mkdirSync(join(home, "prefect"), { recursive: true });
  const text = await output(python, [join(import.meta.dirname, script), values.chain, values.fan, PARALLEL], {
    PREFECT_HOME: join(home, "prefect"),
    PREFECT_LOGGING_LEVEL: "ERROR",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: "180",
    DAGSTER_HOME: "",
    DO_NOT_TRACK: "1",
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
  });
  const line = text.split("\n").find((one) => one.startsWith("RESULT ")) ?? "RESULT {}";
  return JSON.parse(line.slice("RESULT ".length)) as Times;
}

async function ours(): Promise<{ readonly engine: Times; readonly bare: Times }> {
  const text = await output(process.execPath, [
    join(import.meta.dirname, "engine.ts"),
    "--runs",
    "1",
    "--json",
    "--chain",
    values.chain,
    "--fan",
    values.fan,
  ]);
  const [chain, fan] = JSON.parse(text) as { engineMs: number; bareMs: number }[];
  return {
    engine: { chain: chain?.engineMs ?? NaN, fan: fan?.engineMs ?? NaN },
    bare: { chain: chain?.bareMs ?? NaN, fan: fan?.bareMs ?? NaN },
  };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? NaN;

const python = await preparePeers();
const times: Record<string, Times[]> = { bare: [], engine: [], prefect: [], dagster: [] };
for (let run = 0; run < Number(values.runs); run++) {
  const own = await ours();
  times["bare"]?.push(own.bare);
  times["engine"]?.push(own.engine);
  times["prefect"]?.push(await peer(python, "engine_peer_prefect.py"));
  times["dagster"]?.push(await peer(python, "engine_peer_dagster.py"));
}
for (const [shape, count] of [
  ["chain", Number(values.chain)],
  ["fan", Number(values.fan)],
] as const) {
  const medians = Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, median(all.map((one) => one[shape]))]),
  );
  const own = ((medians["engine"] ?? NaN) - (medians["bare"] ?? NaN)) / count;
  console.log(
    `${shape} of ${count}: bare ${((medians["bare"] ?? NaN) / 1000).toFixed(2)} s, engine ${((medians["engine"] ?? NaN) / 1000).toFixed(2)} s (own ${own.toFixed(2)} ms per step)`,
  );
  for (const name of ["prefect", "dagster"]) {
    const theirs = ((medians[name] ?? NaN) - (medians["bare"] ?? NaN)) / count;
    console.log(
      `  ${name}: ${((medians[name] ?? NaN) / 1000).toFixed(2)} s (own ${theirs.toFixed(2)} ms per step): ${(theirs / own).toFixed(1)} × our overhead`,
    );
  }
}
