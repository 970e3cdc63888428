import { mkdir, readFile, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PYTHON, toolVersions } from "../../machine-tools.ts";
import { findCommand, runProcess } from "../processes.ts";
import { environmentOf, pathOf } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";
import { versionOf } from "./node-tools.ts";
import { type ToolCache, useToolCache } from "./tool-cache.ts";
import { compareVersions, satisfies } from "../../version-range.ts";

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
  await runQuietly(step, [program, "-m", "venv", folder]);
  job.path.push(join(folder, "bin"));
  job.env["pythonLocation"] = folder;
  job.env["Python3_ROOT_DIR"] = folder;
  job.env["VIRTUAL_ENV"] = folder;
  job.output.say(`Python ${version}`);
  const manager = inputs["cache"] ?? "";
  const hit = manager === "" ? "" : await useToolCache(step, pythonCache(step, manager, version));
  return {
    "python-version": version,
    "python-path": join(folder, "bin", "python"),
    ...(hit === "" ? {} : { "cache-hit": hit }),
  };
}

const PYTHON_CACHES: Readonly<Record<string, Omit<ToolCache, "name">>> = {
  pip: { paths: ["~/.cache/pip"], lockFiles: ["**/requirements.txt", "**/pyproject.toml"] },
  pipenv: { paths: ["~/.cache/pip", "~/.local/share/virtualenvs"], lockFiles: ["**/Pipfile.lock"] },
  poetry: { paths: ["~/.cache/pypoetry"], lockFiles: ["**/poetry.lock"] },
};

/** @throws for a package manager that setup-python does not know */
function pythonCache({ job }: BuiltinStep, manager: string, version: string): ToolCache {
  const known = Object.hasOwn(PYTHON_CACHES, manager) ? PYTHON_CACHES[manager] : undefined;
  if (known === undefined)
    throw new Error(`cache: "${manager}" is unknown; expected ${Object.keys(PYTHON_CACHES).join(", ")}`);
  const moved = job.base["PIP_CACHE_DIR"];
  return {
    ...known,
    name: `setup-python-${version}-${manager}`,
    paths: manager === "pip" && moved !== undefined ? [moved] : known.paths,
  };
}

/** The newest Python of this machine that fits; an empty range is any. */
export async function findPython(
  { job }: BuiltinStep,
  range: string,
): Promise<{ readonly program: string; readonly version: string }> {
  const known = await toolVersions(PYTHON, pathOf(job));
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

const UV_CACHE: ToolCache = {
  name: "setup-uv",
  paths: ["~/.cache/uv"],
  lockFiles: ["**/uv.lock", "**/pyproject.toml", "**/requirements*.txt"],
};

/**
 * A folder with every Python of this machine by its version, as `python3.12`: uv looks for these names on the search
 * path, and downloads what it does not find there. `python3` stays what it was.
 */
async function linkPythons({ job }: BuiltinStep): Promise<string> {
  const folder = join(job.plan.folders.tools, `pythons-${++job.counter}`);
  await mkdir(folder, { recursive: true });
  const newest = [...(await toolVersions(PYTHON, pathOf(job)))].toSorted(([one], [other]) =>
    compareVersions(other, one),
  );
  const linked = new Set<string>();
  for (const [version, program] of newest) {
    const name = /^3\.\d+(?=\.\d+$)/.exec(version)?.[0];
    if (name === undefined || linked.has(name)) continue;
    linked.add(name);
    await symlink(program, join(folder, `python${name}`));
  }
  return folder;
}

/** uv: of this machine, else from the package index. */
export async function setupUv(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const range = inputs["version"] ?? "latest";
  let program = findCommand("uv", pathOf(job));
  const known = program === undefined ? undefined : await versionOf(step, program);
  if (program === undefined || known === undefined || !satisfies(known, range)) {
    const folder = join(job.plan.folders.tools, `uv-${++job.counter}`);
    const { program: python } = await findPython(step, "");
    await runQuietly(step, [python, "-m", "venv", folder]);
    await runQuietly(step, [
      join(folder, "bin", "pip"),
      "install",
      "--quiet",
      /^\d+\.\d+\.\d+$/.test(range) ? `uv==${range}` : "uv",
    ]);
    program = join(folder, "bin", "uv");
    job.path.push(join(folder, "bin"));
  }
  job.path.push(await linkPythons(step));
  const python = inputs["python-version"];
  if (python !== undefined && python !== "") {
    // uv looks on the search path, where those of pyenv are not.
    job.path.push(dirname((await findPython(step, python)).program));
    job.env["UV_PYTHON"] = python;
  }
  const version = (await versionOf(step, program)) ?? "";
  job.output.say(`uv ${version}`);
  const wantsCache = ["true", "auto"].includes(inputs["enable-cache"] ?? "false");
  const hit = wantsCache ? await useToolCache(step, UV_CACHE) : "false";
  return { "uv-version": version, "uv-path": program, "cache-hit": hit };
}

/** What a program wrote. @throws with the end of that when it fails */
export async function runQuietly(step: BuiltinStep, command: readonly [string, ...string[]]): Promise<string> {
  const { exitCode, output } = await runProcess(step.job, {
    command,
    folder: step.job.plan.folders.workspace,
    environment: environmentOf(step),
    isQuiet: true,
  });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${output.trim().split("\n").slice(-3).join(" ")}`);
  return output;
}
