import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Json } from "#base";
import { type AttemptContext, partitionScope } from "#pipeline";

/** Folder of the Python package `esteira`, for `PYTHONPATH`. */
export const pythonPackageFolder: string = fileURLToPath(new URL("../../python", import.meta.url));

/** What a process of a step is told, and where it leaves what it makes. */
export interface StepContext {
  /** Holds one folder per asset made. */
  readonly outputFolder: string;
  /** Takes the outputs that other steps read. */
  readonly outputFile: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute folders that the process must see to use what the environment names. */
  readonly folders: readonly string[];
}

/**
 * Writes the file that `ESTEIRA_CONTEXT` names: project, step, params, and where the inputs can be read.
 *
 * @param params what the process sees as its params, in place of the pipeline's
 */
export async function writeStepContext(
  attempt: AttemptContext<unknown>,
  params: Readonly<Record<string, Json>>,
): Promise<StepContext> {
  const inputs: Record<string, unknown> = {};
  for (const [name, version] of attempt.inputs) {
    const located = await attempt.locate(version);
    inputs[name] = { ...located, version: version.version, digest: version.digest };
  }
  const { project, pipeline, step, stepRunId, attemptId, item } = attempt;
  const partition = attempt.partition === undefined ? undefined : partitionScope(attempt.partition);
  const steps = await attempt.stepResults();
  return writeContext(attempt.workFolder, {
    project,
    pipeline,
    step,
    stepRunId,
    attemptId,
    params,
    inputs,
    item,
    partition,
    steps,
  });
}

/**
 * Writes the file that `ESTEIRA_CONTEXT` names. At once: on other threads, two small files cost several times as much.
 *
 * @param folder absolute, writable by the process
 * @param facts what the file says beside the folder of the outputs
 */
export function writeContext(folder: string, facts: object): StepContext {
  const outputFolder = join(folder, "output");
  mkdirSync(outputFolder, { recursive: true });
  const file = join(folder, "context.json");
  const outputFile = join(folder, "outputs");
  writeFileSync(outputFile, "");
  writeFileSync(file, JSON.stringify({ ...facts, outputFolder }, undefined, 2));
  return {
    outputFolder,
    outputFile,
    folders: [pythonPackageFolder],
    environment: {
      ESTEIRA_CONTEXT: file,
      ESTEIRA_OUTPUT: outputFile,
      ESTEIRA_OUTPUT_FOLDER: outputFolder,
      PYTHONPATH: pythonPackageFolder,
      PYTHONUNBUFFERED: "1",
      PYTHONIOENCODING: "utf-8",
      // Threads that spin while they wait starve each other where steps share processors: training the flights model
      // took 42 s, with this 8 s.
      OMP_WAIT_POLICY: "PASSIVE",
    },
  };
}

/** True when the environment can log to MLflow, so that the step gets a run of its own. */
export function logsToMlflow(lock: string): boolean {
  return /^mlflow(-skinny|-tracing)?==/m.test(lock);
}
