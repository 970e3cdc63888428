import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { createPythonEnvironments } from "#executors";

/** The clients that are tested: the current release and the last of the 2.x line. */
export const MLFLOW_CLIENTS = ["3.17.2", "2.22.5"] as const;
export type MlflowClientVersion = (typeof MLFLOW_CLIENTS)[number];

const environments = createPythonEnvironments({
  storeFolder: join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "esteira-test"),
  environment: process.env as Record<string, string>,
});

/**
 * Interpreter of an environment with the real MLflow, scikit-learn and a PostgreSQL driver; made on first use, which
 * takes minutes, and kept.
 */
export async function mlflowPython(version: MlflowClientVersion): Promise<string> {
  const { python } = await environments.prepare({
    requirements: `mlflow==${version}\nscikit-learn==1.9.1\npsycopg2-binary==2.9.13\n`,
    requirementsFile: `MLflow ${version} for tests`,
    report: (line) => process.stderr.write(`[mlflow ${version}] ${line}\n`),
  });
  return python;
}

/**
 * Runs a Python script and gives what it printed; its last line may be JSON for the caller.
 *
 * @throws Error with the script's own output when it fails
 */
export async function runPython(
  python: string,
  script: string,
  options: {
    readonly environment?: Readonly<Record<string, string>>;
    readonly folder?: string;
    readonly arguments?: readonly string[];
  } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      python,
      ["-", ...(options.arguments ?? [])],
      {
        ...(options.folder === undefined ? {} : { cwd: options.folder }),
        maxBuffer: 64 * 2 ** 20,
        env: {
          PATH: process.env["PATH"],
          HOME: process.env["HOME"],
          MLFLOW_DISABLE_TELEMETRY: "true",
          DO_NOT_TRACK: "true",
          GIT_PYTHON_REFRESH: "quiet",
          MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
          ...options.environment,
        },
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(`the Python script failed:\n${stdout}\n${stderr}`, { cause: error }));
      },
    );
    child.stdin?.end(script);
  });
}
