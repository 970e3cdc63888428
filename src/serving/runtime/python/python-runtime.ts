import { join } from "node:path";
import type { Log } from "#base";
import { type PythonEnvironments, pythonPackageFolder, type Workers } from "#executors";
import type { AssetVersion } from "#metadata-store";
import { readModelContent } from "#models";
import { digestOfTree } from "#storage";
import { modelUnusable, runtimeDied } from "../../errors.ts";
import type { ModelRuntime } from "../../model-runtime.ts";
import { startPythonWorkers } from "./python-workers.ts";
import type { PythonWorker } from "./python-worker.ts";

const LONGEST_CALL_MS = 60_000;

/** What Python models are computed with; made by whoever opens the store. */
export interface PythonServing {
  readonly environments: Pick<PythonEnvironments, "prepare">;
  readonly workers: Workers;
  /** Folder of a version's files. */
  readonly locate: (version: AssetVersion) => Promise<{ readonly path: string }>;
  /**
   * Absolute; one folder per model content with the byte code of its packages, which lie where it cannot write. Not
   * shared: what one model wrote there would be run by another.
   */
  readonly cacheFolder: string;
  /** Private memory of a model's process. */
  readonly memoryBytes: number;
}

/**
 * Computes what `mlflow.pyfunc` loads, each version in a process of its own and in the environment that was captured
 * with it. Nothing of a model is unpickled in this process.
 */
export function createPythonRuntime(
  options: PythonServing & { readonly timeoutMs?: number | undefined; readonly log: Log },
): ModelRuntime {
  const { environments, workers, log, timeoutMs = LONGEST_CALL_MS } = options;
  const running = new Set<PythonWorker>();
  let isClosed = false;
  return {
    name: "python",
    capabilities: { parallel: 1, workers: true, interruptible: true },
    async load({ version, signature, title, report, workers: count = 1 }) {
      if (isClosed) throw runtimeDied({ reason: "serving is closed" });
      const { requirements, wheels, tree } = readModelContent(version);
      if (requirements === undefined)
        throw modelUnusable({ model: title, problem: "it was stored without the requirements of its environment" });
      const environment = await environments.prepare({
        requirements: requirements.join("\n"),
        requirementsFile: `requirements.txt of ${title}`,
        wheels,
        report: (line) => {
          log.info(line, { model: title });
          report?.(line);
        },
      });
      const { path } = await options.locate(version);
      const byteCode = join(options.cacheFolder, digestOfTree(tree).slice("sha256:".length));
      const worker = await startPythonWorkers(count, {
        title,
        signature,
        timeoutMs,
        start: () =>
          workers.start({
            command: [environment.python, "-P", "-s", join(pythonPackageFolder, "esteira", "_serve.py"), path],
            environment: { ...ENVIRONMENT, PYTHONPYCACHEPREFIX: byteCode },
            readable: [pythonPackageFolder, path, ...environment.folders],
            writable: [byteCode],
            memoryBytes: options.memoryBytes,
          }),
        onEnd: (how, lastLines) => log.warn("the process of a model ended", { model: title, how, lastLines }),
      });
      running.add(worker);
      return {
        exact: worker.exact,
        predict: (inputs) => worker.predict(inputs),
        ...(worker.stream === undefined ? {} : { stream: worker.stream }),
        async unload() {
          running.delete(worker);
          await worker.end();
        },
      };
    },
    async close() {
      isClosed = true;
      await Promise.all([...running].map((worker) => worker.end()));
    },
  };
}

const ENVIRONMENT = {
  PYTHONUNBUFFERED: "1",
  PYTHONIOENCODING: "utf-8",
  MLFLOW_DISABLE_TELEMETRY: "true",
  DO_NOT_TRACK: "true",
  // Threads that spin while they wait starve those of other models.
  OMP_WAIT_POLICY: "PASSIVE",
} as const;
