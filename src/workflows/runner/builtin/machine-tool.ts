import { dirname } from "node:path";
import { builtinOf } from "../../builtin-actions.ts";
import { findVersion, MACHINE_TOOLS, toolVersions } from "../../machine-tools.ts";
import { findCommand } from "../processes.ts";
import { callProcess, pathOf } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";
import { hashFiles } from "../hash-files.ts";
import { type ToolCache, useToolCache } from "./tool-cache.ts";

/** What the package managers of Java keep, as setup-java names them. */
const JAVA_CACHES: Readonly<Record<string, Omit<ToolCache, "name">>> = {
  maven: { paths: ["~/.m2/repository"], lockFiles: ["**/pom.xml"] },
  gradle: {
    paths: ["~/.gradle/caches", "~/.gradle/wrapper"],
    lockFiles: [
      "**/*.gradle*",
      "**/gradle-wrapper.properties",
      "buildSrc/**/Versions.kt",
      "buildSrc/**/Dependencies.kt",
      "gradle/*.versions.toml",
      "**/versions.properties",
    ],
  },
  sbt: {
    paths: ["~/.ivy2/cache", "~/.sbt", "~/.cache/coursier"],
    lockFiles: ["**/*.sbt", "**/project/build.properties", "**/project/**.scala", "**/project/**.sbt"],
  },
};
const GO_CACHE: ToolCache = {
  name: "setup-go",
  paths: ["~/go/pkg/mod", "~/.cache/go-build"],
  lockFiles: ["go.sum"],
};

/** A tool that no registry of packages has: the machine's own, where its version fits. */
export async function setupMachineTool(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const builtin = builtinOf(step.step.uses ?? "");
  const tool = builtin === undefined ? undefined : MACHINE_TOOLS[builtin];
  if (tool === undefined) throw new Error(`${step.step.uses ?? ""} names no tool`);
  const known = await toolVersions(tool, pathOf(job));
  const pinned = /^dtolnay\/rust-toolchain@(.+)$/i.exec(step.step.uses ?? "")?.[1];
  const range =
    tool.versions.map((name) => inputs[name]).find((value) => value !== undefined && value !== "") ??
    (pinned === undefined || /^(master|v1|[0-9a-f]{40})$/.test(pinned) ? "" : pinned);
  const found = findVersion(known, range);
  if (found === undefined)
    throw new Error(
      `${tool.title} ${range} is not on this machine; there is ${[...known.keys()].join(", ") || "none of it"}`,
    );
  const { version, program } = found;
  job.path.push(dirname(program));
  job.output.say(`${tool.title} ${version}`);
  const name = tool.versions[0] ?? "version";
  return { [name]: version, version, "cache-hit": await restoreFor(step, builtin, version) };
}

/** What an earlier run of the tool downloaded; what `cache-hit` says. */
async function restoreFor(step: BuiltinStep, builtin: string | undefined, version: string): Promise<string> {
  const { inputs, job } = step;
  const wanted = inputs["cache"] ?? "";
  if (builtin === "actions/setup-java" && wanted !== "") {
    const known = Object.hasOwn(JAVA_CACHES, wanted) ? JAVA_CACHES[wanted] : undefined;
    if (known === undefined)
      throw new Error(`cache: "${wanted}" is unknown; expected ${Object.keys(JAVA_CACHES).join(", ")}`);
    return useToolCache(step, { ...known, name: `setup-java-${wanted}` });
  }
  if (builtin !== "actions/setup-go" || wanted === "false") return "false";
  // Without being asked it keeps what it can, and fails for nothing.
  const stated = inputs["cache-dependency-path"] ?? "";
  if (stated === "" && hashFiles(job.plan.folders.workspace, GO_CACHE.lockFiles) === "") {
    job.output.say("Nothing is kept for other runs: there is no go.sum");
    return "false";
  }
  return useToolCache(step, { ...GO_CACHE, name: `setup-go-${version}` });
}

/** `cargo` with arguments, as an action. */
export async function runCargo(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const cargo = findCommand("cargo", pathOf(job));
  if (cargo === undefined) throw new Error("cargo is not on this machine");
  const args = (inputs["args"] ?? "").split(/\s+/).filter((word) => word !== "");
  const { exitCode } = await callProcess(step, {
    command: [cargo, inputs["command"] ?? "build", ...args],
    folder: job.plan.folders.workspace,
  });
  if (exitCode !== 0) throw new Error(`cargo ended with exit code ${exitCode}`);
  return {};
}

/** What cargo has downloaded and built, kept between runs. */
export async function cacheRust(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const hit = await useToolCache(step, {
    name: "rust-cache",
    paths: ["~/.cargo/registry", "~/.cargo/git", "target"],
    lockFiles: ["**/Cargo.lock", "**/Cargo.toml"],
  });
  return { "cache-hit": hit };
}
