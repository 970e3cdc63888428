// How long `esteira up` takes on an empty store until it answers, and what it holds then; beside a bare node:http
// server.
// Usage: node bench/startup.ts [--runs 7]
// CPU time is the figure to compare on a machine that others use too. Reads /proc: Linux only.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const CLOCK_TICKS_PER_SECOND = 100;
const ESTEIRA = resolve(import.meta.dirname, "../bin/esteira");
const HELLO = `import { createServer } from "node:http";
const server = createServer((request, response) => response.end("hello")).listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));
process.on("SIGTERM", () => process.exit(0));`;

interface Start {
  readonly listenMs: number;
  readonly answerMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "7" } } });
const runs = Number(values.runs);
const folder = await mkdtemp(join(tmpdir(), "esteira-startup-"));
const hello = join(folder, "hello.mjs");
await writeFile(hello, HELLO);

try {
  const cases = {
    "node:http hello": () => measure(process.execPath, [hello], "/"),
    "esteira up, empty store": async () => {
      const store = await mkdtemp(join(folder, "store-"));
      return measure(
        ESTEIRA,
        ["up", "--port", "0", "--store", store],
        "/api/2.0/mlflow/experiments/get?experiment_id=0",
      );
    },
  };
  process.stdout.write(
    `medians of ${runs} runs\n${["".padEnd(26), "listens", "answers", "CPU", "memory"].join("  ")}\n`,
  );
  for (const [name, start] of Object.entries(cases)) {
    await start(); // fills the compile cache
    const measured: Start[] = [];
    for (let run = 0; run < runs; run++) measured.push(await start());
    const figure = (key: keyof Start): string => median(measured.map((each) => each[key])).toFixed(0);
    process.stdout.write(
      `${name.padEnd(26)}  ${figure("listenMs")} ms  ${figure("answerMs")} ms  ${figure("cpuMs")} ms  ${figure("memoryMb")} MB\n`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measure(program: string, args: readonly string[], path: string): Promise<Start> {
  const started = performance.now();
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const url = await readAddress(child);
    const listenMs = performance.now() - started;
    const response = await fetch(url + path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    await response.arrayBuffer();
    const answerMs = performance.now() - started;
    return { listenMs, answerMs, ...(await readUse(child.pid ?? 0)) };
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  }
}

async function readAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the server has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /http:\/\/\S+/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error("the server ended before it listened");
}

async function readUse(pid: number): Promise<Pick<Start, "cpuMs" | "memoryMb">> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const cpuMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
  return { cpuMs, memoryMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024 };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
