import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { digestOfJson } from "#base";
import { testEnvironments } from "./attempt.ts";
import { testCache } from "./cache-folder.ts";

/** What the Python models of the tests are made with and served in. */
export const MODEL_PACKAGES: readonly string[] = ["mlflow-skinny==3.17.2", "pandas==3.1.1", "scikit-learn==1.9.1"];

const SCRIPT = join(import.meta.dirname, "..", "serving", "models", "make-python-models.py");

/** Folders as `save_model` of MLflow's flavors leaves them, and scikit-learn's own answers. */
export interface PythonModels {
  /** Holds one folder per model: late, part, distance, unsigned, untold, slow, dead. */
  readonly folder: string;
  readonly expected: {
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    readonly late: readonly number[];
    readonly part: readonly string[];
    readonly distance: readonly number[];
    readonly withoutDistance: number;
  };
}

/** Made once, by the real MLflow and scikit-learn, and kept in the user's cache. */
export async function pythonModels(): Promise<PythonModels> {
  const { python, lockDigest } = await testEnvironments.prepare({
    requirements: MODEL_PACKAGES.join("\n"),
    requirementsFile: "the Python models of the tests",
    report: (line) => void process.stderr.write(`${line}\n`),
  });
  const digest = digestOfJson({ script: await readFile(SCRIPT, "utf8"), lockDigest });
  const folder = join(testCache(), "test-models", digest.slice("sha256:".length, "sha256:".length + 16));
  if (!existsSync(join(folder, "expected.json"))) {
    const making = `${folder}.${process.pid}`;
    await rm(making, { recursive: true, force: true });
    await mkdir(making, { recursive: true });
    await promisify(execFile)(python, [SCRIPT, making, MODEL_PACKAGES.join(" ")]);
    // Another process may have made them meanwhile; both are the same.
    await rename(making, folder).catch(() => rm(making, { recursive: true, force: true }));
  }
  return {
    folder,
    expected: JSON.parse(await readFile(join(folder, "expected.json"), "utf8")) as PythonModels["expected"],
  };
}
