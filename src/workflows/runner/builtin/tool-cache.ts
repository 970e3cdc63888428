import { digestOf } from "#base";
import { hashFiles } from "../hash-files.ts";
import { keepAtEnd, restoreCache } from "./cache.ts";
import type { BuiltinStep } from "./builtins.ts";

/** What a set-up action keeps between runs: the downloads of a package manager. */
export interface ToolCache {
  /** Part of the key beside the system: `node-npm`, `setup-python-3.11.7-pip`. */
  readonly name: string;
  readonly paths: readonly string[];
  /** Files that decide what is downloaded; those below any folder where no pattern says more. */
  readonly lockFiles: readonly string[];
}

/**
 * Restores what an earlier run kept under the same lock files, and keeps it at the end of the job.
 *
 * @returns what `cache-hit` says: `true`, `false`
 * @throws when there is no lock file: the key would be the same for all
 */
export async function useToolCache(step: BuiltinStep, cache: ToolCache): Promise<string> {
  const stated = (step.inputs["cache-dependency-path"] ?? step.inputs["cache-dependency-glob"] ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const patterns = stated.length > 0 ? stated : cache.lockFiles;
  const found = hashFiles(step.job.plan.folders.workspace, patterns);
  if (found === "")
    throw new Error(
      `cache: no file was found of ${patterns.join(", ")}: commit one, name it with cache-dependency-path, or take the cache away`,
    );
  const key = `${cache.name}-Linux-${process.arch}-${digestOf(found).slice("sha256:".length, 39)}`;
  const own = { ...step, inputs: { key, path: cache.paths.join("\n") } };
  const restored = await restoreCache(own);
  if (restored["cache-hit"] === "true") return "true";
  keepAtEnd(own);
  return "false";
}
