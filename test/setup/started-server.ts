import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

export interface StartedServer {
  readonly url: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** Starts `esteira up` on a free port, in a project's folder. */
export async function startServer(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
  words: readonly string[] = [],
): Promise<StartedServer> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "src/cli/main.ts"), "up", "--port", "0", ...words],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } },
  );
  let output = "";
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  const onOutput = (piece: Buffer): void => {
    output += piece.toString();
    const url = /http:\/\/[\d.]+:\d+/.exec(output)?.[0];
    if (url !== undefined) found(url);
  };
  child.stdout.on("data", onOutput);
  child.stderr.on("data", onOutput);
  child.once("exit", () => reject(new Error(`the server did not start: ${output}`)));
  const url = await promise;
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  return { url, child, stop };
}
