// `esteira up` as a process of its own, with the processor time it has used. Reads /proc: Linux only.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

const CLOCK_TICKS_PER_SECOND = 100;
const MAIN = resolve(import.meta.dirname, "../src/cli/main.ts");

/** A running server. */
export interface StartedServer {
  readonly url: string;
  /** Processor time used so far by all of its threads, ms; a tick is 10 ms. */
  cpuMs(): Promise<number>;
  /** Resident memory now and at its peak, MB. */
  memoryMb(): Promise<{ readonly now: number; readonly peak: number }>;
  stop(): Promise<void>;
}

/** Starts `esteira up` in a project's folder on a free port. `options` are options of node, `words` of `esteira up`. */
export async function startServer(
  folder: string,
  options: readonly string[] = [],
  words: readonly string[] = [],
): Promise<StartedServer> {
  const child = spawn(
    process.execPath,
    [...options, "--disable-warning=ExperimentalWarning", MAIN, "up", "--port", "0", ...words],
    { cwd: folder, stdio: ["ignore", "pipe", "inherit"] },
  );
  const url = await new Promise<string>((found, failed) => {
    let said = "";
    child.stdout.on("data", (piece: Buffer) => {
      said += piece.toString();
      const [address] = /http:\/\/[\d.]+:\d+/.exec(said) ?? [];
      if (address !== undefined) found(address);
    });
    child.once("exit", () => failed(new Error(`the server did not start: ${said}`)));
  });
  return {
    url,
    async cpuMs() {
      const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
    },
    async memoryMb() {
      const status = await readFile(`/proc/${child.pid}/status`, "utf8");
      const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
      return { now: of("VmRSS"), peak: of("VmHWM") };
    },
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
