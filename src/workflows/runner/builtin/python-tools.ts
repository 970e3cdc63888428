import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { findCommand, runProcess } from "../processes.ts";
import { environmentOf, pathOf } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";
import { versionOf } from "./node-tools.ts";
import { compareVersions, satisfies } from "./version-range.ts";

/** A Python of this machine that fits, with an environment of the job's own: packages go into that. */
export async function setupPython(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const stated = inputs["python-version"] || (await versionInFile(step)) || "";
  const ranges = stated
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const { program, version } = await findPython(step, ranges.at(-1) ?? "");
  const folder = join(job.plan.folders.tools, `python-${++job.counter}`);
  await run(step, [program, "-m", "venv", folder]);
  job.path.push(join(folder, "bin"));
  job.env["pythonLocation"] = folder;
  job.env["Python3_ROOT_DIR"] = folder;
  job.env["VIRTUAL_ENV"] = folder;
  job.output.say(`Python ${version}`);
  return { "python-version": version, "python-path": join(folder, "bin", "python"), "cache-hit": "false" };
}

async function findPython(
  step: BuiltinStep,
  range: string,
): Promise<{ readonly program: string; readonly version: string }> {
  const folders = pathOf(step.job)
    .split(":")
    .filter((folder) => folder !== "");
  const programs = folders
    .flatMap((folder) => globSync(join(folder, "python3{,.[0-9]*}")))
    .filter((path) => /^python3(\.\d+)?$/.test(basename(path)));
  const known = new Map<string, string>();
  for (const program of programs) {
    const version = await versionOf(step, program);
    if (version !== undefined && !known.has(version)) known.set(version, program);
  }
  const wanted = range.replace(/^(pypy|graalpy).*/, "0.0").replace(/t$|-dev$/, "");
  const fitting = [...known]
    .filter(([version]) => satisfies(version, wanted))
    .toSorted(([one], [other]) => compareVersions(other, one));
  const [found] = fitting;
  if (found === undefined)
    throw new Error(`Python ${range} is not on this machine; there is ${[...known.keys()].join(", ") || "none"}`);
  return { version: found[0], program: found[1] };
}

async function versionInFile({ job, inputs }: BuiltinStep): Promise<string | undefined> {
  const file = inputs["python-version-file"];
  if (file === undefined || file === "") return undefined;
  const text = await readFile(join(job.plan.folders.workspace, file), "utf8");
  if (file.endsWith(".toml")) return /requires-python\s*=\s*["']([^"']+)["']/.exec(text)?.[1]?.replaceAll(",", " ");
  return /^\s*(?:python\s+)?(\S+)/m.exec(text)?.[1];
}

/** uv: of this machine, else from the package index. */
export async function setupUv(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const range = inputs["version"] ?? "latest";
  let program = findCommand("uv", pathOf(job));
  const known = program === undefined ? undefined : await versionOf(step, program);
  if (program === undefined || known === undefined || !satisfies(known, range)) {
    const folder = join(job.plan.folders.tools, `uv-${++job.counter}`);
    const python = findCommand("python3", pathOf(job));
    if (python === undefined) throw new Error("there is no uv on this machine, and no Python to install it with");
    await run(step, [python, "-m", "venv", folder]);
    await run(step, [
      join(folder, "bin", "pip"),
      "install",
      "--quiet",
      /^\d+\.\d+\.\d+$/.test(range) ? `uv==${range}` : "uv",
    ]);
    program = join(folder, "bin", "uv");
    job.path.push(join(folder, "bin"));
  }
  const python = inputs["python-version"];
  if (python !== undefined && python !== "") job.env["UV_PYTHON"] = python;
  const version = (await versionOf(step, program)) ?? "";
  job.output.say(`uv ${version}`);
  return { "uv-version": version, "uv-path": program, "cache-hit": "false" };
}

async function run(step: BuiltinStep, command: readonly [string, ...string[]]): Promise<void> {
  const { exitCode, output } = await runProcess(step.job, {
    command,
    folder: step.job.plan.folders.workspace,
    environment: environmentOf(step),
    isQuiet: true,
  });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${output.trim().split("\n").slice(-3).join(" ")}`);
}
