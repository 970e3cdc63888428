import type { BuiltinAction } from "../../builtin-actions.ts";
import type { RunningStep } from "../step-process.ts";
import { allGreen } from "./all-green.ts";
import { downloadArtifact, uploadArtifact, uploadPages } from "./artifacts.ts";
import { cache, restoreCache, saveCache } from "./cache.ts";
import { checkout } from "./checkout.ts";
import { reportCoverage } from "./coverage.ts";
import { runGithubScript } from "./github-script.ts";
import { cacheRust, runCargo, setupMachineTool } from "./machine-tool.ts";
import { setupBun, setupDeno, setupNode, setupPnpm } from "./node-tools.ts";
import {
  buildPythonPackage,
  runBenchmarks,
  runPreCommit,
  runPrek,
  runZizmor,
  setupCachedUv,
  setupJust,
} from "./python-programs.ts";
import { setupPython, setupUv } from "./python-tools.ts";

/** A step of an action that esteira does itself. */
export interface BuiltinStep extends RunningStep {
  /** As given, by their names in small letters. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** Does the work, and gives the action's outputs. Failing is throwing. */
export type Builtin = (step: BuiltinStep) => Promise<Readonly<Record<string, string>>>;

export const BUILTINS: Readonly<Record<BuiltinAction, Builtin>> = {
  "actions/checkout": checkout,
  "actions/setup-node": setupNode,
  "actions/setup-python": setupPython,
  "actions/cache": cache,
  "actions/cache/restore": restoreCache,
  "actions/cache/save": saveCache,
  "actions/upload-artifact": uploadArtifact,
  "actions/download-artifact": downloadArtifact,
  "actions/github-script": runGithubScript,
  "astral-sh/setup-uv": setupUv,
  "pnpm/action-setup": setupPnpm,
  "oven-sh/setup-bun": setupBun,
  "actions/setup-go": setupMachineTool,
  "actions/setup-java": setupMachineTool,
  "actions/upload-pages-artifact": uploadPages,
  "actions-rs/toolchain": setupMachineTool,
  "actions-rs/cargo": runCargo,
  "actions-rust-lang/setup-rust-toolchain": setupMachineTool,
  "codecov/codecov-action": reportCoverage,
  "codspeedhq/action": runBenchmarks,
  "coverallsapp/github-action": reportCoverage,
  "deadsnakes/action": setupPython,
  "denoland/setup-deno": setupDeno,
  "dtolnay/rust-toolchain": setupMachineTool,
  "extractions/setup-just": setupJust,
  "hynek/build-and-inspect-python-package": buildPythonPackage,
  "hynek/setup-cached-uv": setupCachedUv,
  "j178/prek-action": runPrek,
  "pre-commit/action": runPreCommit,
  "re-actors/alls-green": allGreen,
  "ruby/setup-ruby": setupMachineTool,
  "shivammathur/setup-php": setupMachineTool,
  "swatinem/rust-cache": cacheRust,
  "zizmorcore/zizmor-action": runZizmor,
};
