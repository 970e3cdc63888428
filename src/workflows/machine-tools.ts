import { execFile } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { BuiltinAction } from "./builtin-actions.ts";
import { findCommand } from "./runner/processes.ts";
import { parseVersion, satisfies } from "./version-range.ts";

const run = promisify(execFile);
const LONGEST_MS = 10_000;

/** What a set-up action needs of the machine, where no registry of packages has it. */
export interface MachineTool {
  readonly title: string;
  readonly command: string;
  /** Input of the action that names the version; the first that is given. */
  readonly versions: readonly string[];
  readonly args: readonly [string, ...string[]];
}

export const PYTHON: MachineTool = {
  title: "Python",
  command: "python3",
  versions: ["python-version"],
  args: ["--version"],
};
const RUST: MachineTool = { title: "Rust", command: "rustc", versions: ["toolchain"], args: ["--version"] };

export const MACHINE_TOOLS: Partial<Record<BuiltinAction, MachineTool>> = {
  "actions/setup-python": PYTHON,
  "deadsnakes/action": PYTHON,
  "astral-sh/setup-uv": PYTHON,
  "actions/setup-go": { title: "Go", command: "go", versions: ["go-version"], args: ["version"] },
  "actions/setup-java": { title: "Java", command: "java", versions: ["java-version"], args: ["-version"] },
  "ruby/setup-ruby": { title: "Ruby", command: "ruby", versions: ["ruby-version"], args: ["--version"] },
  "shivammathur/setup-php": { title: "PHP", command: "php", versions: ["php-version"], args: ["--version"] },
  "dtolnay/rust-toolchain": RUST,
  "actions-rs/toolchain": RUST,
  "actions-rust-lang/setup-rust-toolchain": RUST,
};

const known = new Map<string, Promise<string | undefined>>();

/** Version that a program tells of itself: `3.11.7`. Undefined when it tells none. Asked once for each file. */
export function programVersion(program: string, args: readonly string[]): Promise<string | undefined> {
  const key = `${program} ${statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0}`;
  const asked =
    known.get(key) ??
    run(program, [...args], { timeout: LONGEST_MS }).then(
      ({ stdout, stderr }) => versionIn(`${stdout}\n${stderr}`),
      () => undefined,
    );
  known.set(key, asked);
  return asked;
}

function versionIn(text: string): string | undefined {
  const found = /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0];
  return found === undefined ? undefined : parseVersion(found)?.join(".");
}

/** Versions of a tool on this machine, each with its program; the first of the search path first. */
export async function toolVersions(tool: MachineTool, searchPath: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const program of programsOf(tool, searchPath)) {
    const version = await programVersion(program, tool.args);
    if (version !== undefined && !found.has(version)) found.set(version, program);
  }
  return found;
}

function programsOf({ command }: MachineTool, searchPath: string): readonly string[] {
  if (command === "python3") return pythons(searchPath);
  const chains = command === "rustc" ? toolchains(searchPath) : [];
  if (chains.length > 0) return chains.map((folder) => join(folder, "bin", command));
  const program = findCommand(command, searchPath);
  return program === undefined ? [] : [program];
}

/** Toolchains of rustup: the commands on the search path only choose one, by a home that a job does not have. */
function toolchains(searchPath: string): readonly string[] {
  return searchPath.split(delimiter).flatMap((folder) => {
    const home = /^(.*)\/\.cargo\/bin\/?$/.exec(folder)?.[1];
    return home === undefined ? [] : globSync(join(home, ".rustup/toolchains/*")).toSorted().toReversed();
  });
}

/** Folders that tools of the search path need beside it, for the isolation of a job. */
export function toolFolders(searchPath: string): readonly string[] {
  return [...toolchains(searchPath), ...pyenvFolders(searchPath).map(dirname)];
}

/** The program of a version that fits; channels of Rust are known by their toolchain's name. */
export function findVersion(
  versions: ReadonlyMap<string, string>,
  range: string,
): { readonly version: string; readonly program: string } | undefined {
  const channel = /^(stable|beta|nightly)$/.exec(range)?.[1];
  const found = [...versions].find(([version, program]) => {
    const own = /\/toolchains\/([a-z]+)/.exec(program)?.[1];
    return channel === undefined || own === undefined ? satisfies(version, range) : own === channel;
  });
  return found === undefined ? undefined : { version: found[0], program: found[1] };
}

/** Every Python of the search path, and those that pyenv keeps beside the one that is on it. */
function pythons(searchPath: string): readonly string[] {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...folders, ...pyenvFolders(searchPath)])]
    .filter((folder) => basename(dirname(folder)) !== "shims" && basename(folder) !== "shims")
    .flatMap((folder) => globSync(join(folder, "python3{,.[0-9]*}")).toSorted())
    .filter((path) => /^python3(\.\d+)?$/.test(basename(path)));
}

function pyenvFolders(searchPath: string): readonly string[] {
  return searchPath.split(delimiter).flatMap((folder) => {
    const root = /^(.*\/\.?pyenv)\/(shims|bin|versions\/[^/]+\/bin)$/.exec(folder)?.[1];
    return root === undefined ? [] : globSync(join(root, "versions/*/bin")).toSorted();
  });
}
