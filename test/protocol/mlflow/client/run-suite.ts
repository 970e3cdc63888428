import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { testPython } from "../../../setup/python-environment.ts";

interface Check {
  readonly group: string;
  readonly sentence: string;
  readonly problem: string | null;
}

export interface ClientScript {
  /** Beside this file. */
  readonly script: string;
  readonly packages: readonly string[];
  readonly trackingUri: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What came of a script: its lines `CHECK {…}` and its exit code, or why it could not run. */
export type ClientResult =
  | { readonly checks: readonly Check[]; readonly ended: number | null }
  | { readonly problem: string };

/** Runs a Python script of checks against a server. */
export async function runClientScript(options: ClientScript): Promise<ClientResult> {
  const environment = await testPython(options.packages);
  return "problem" in environment ? environment : runScript(environment.python, options);
}

/** Declares each check of a script as a test. */
export function declareChecks(result: ClientResult): void {
  if ("problem" in result) {
    it("run the Python client", () => assert.fail(result.problem));
    return;
  }
  for (const { group, sentence, problem } of result.checks)
    it(`${group} ${sentence}`, () => assert.equal(problem, null));
  it("come to the end of the script", () => assert.equal(result.ended, 0));
}

async function runScript(
  python: string,
  { script, trackingUri, environment }: ClientScript,
): Promise<{ readonly checks: readonly Check[]; readonly ended: number | null }> {
  const child = spawn(python, ["-W", "ignore", fileURLToPath(new URL(script, import.meta.url))], {
    env: {
      ...process.env,
      ...environment,
      MLFLOW_TRACKING_URI: trackingUri,
      // A failure shows itself at once instead of after minutes of retries.
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: "1",
      MLFLOW_ENABLE_ASYNC_LOGGING: "false",
      GIT_PYTHON_REFRESH: "quiet",
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const checks: Check[] = [];
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("CHECK ")) checks.push(JSON.parse(line.slice("CHECK ".length)) as Check);
  }
  return { checks, ended: await ended };
}
