import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import {
  environmentCancelled,
  environmentFailed,
  packageUnavailable,
  requirementUnsupported,
} from "./python-errors.ts";
import type { PythonInterpreter } from "./python-interpreter.ts";

const LAST_LINES = 12;

/** What an environment holds. */
export interface Installed {
  /** `name==version` a line, sorted. */
  readonly lock: string;
  /** SHA-256 of the file that each line was installed from; none where the installer does not tell. */
  readonly wheels: Readonly<Record<string, string>>;
}

/** Makes a folder into an environment that holds the requirements. */
export interface Installer {
  install(what: {
    readonly folder: string;
    readonly python: PythonInterpreter;
    readonly requirements: readonly string[];
  }): Promise<Installed>;
}

interface InstallerOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly requirementsFile: string;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** `uv` where it is on PATH, else pip. */
export async function createInstaller(options: InstallerOptions): Promise<Installer> {
  const run = (command: readonly [string, ...string[]]): Promise<string> => runInstaller(command, options);
  const hasUv = await run(["uv", "--version"]).then(
    () => true,
    () => false,
  );
  return {
    async install({ folder, python, requirements }) {
      options.report(
        `making a Python ${python.version} environment of ${requirements.length} requirement${requirements.length === 1 ? "" : "s"} with ${hasUv ? "uv" : "pip"} (once; it is kept)`,
      );
      const executable = join(folder, "bin", "python");
      const pip = requirements.length === 0 ? ["--without-pip"] : [];
      await run(
        hasUv
          ? ["uv", "venv", "--quiet", "--python", python.path, folder]
          : [python.path, "-m", "venv", ...pip, folder],
      );
      if (requirements.length === 0) return { lock: "", wheels: {} };
      await mkdir(folder, { recursive: true });
      const file = join(folder, "requirements.txt");
      const report = join(folder, "installed.json");
      await writeFile(file, `${requirements.join("\n")}\n`);
      // Byte code is made on first import: compiling every file of scipy and pandas costs more than installing them.
      await run(
        hasUv
          ? ["uv", "pip", "install", "--python", executable, "-r", file]
          : [
              executable,
              "-m",
              "pip",
              "install",
              "--no-compile",
              "--disable-pip-version-check",
              "--progress-bar",
              "off",
              "--report",
              report,
              "-r",
              file,
            ],
      );
      const frozen = await run(
        hasUv
          ? ["uv", "pip", "freeze", "--python", executable]
          : [executable, "-m", "pip", "freeze", "--disable-pip-version-check"],
      );
      const lines = frozen
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("WARNING"))
        .sort();
      return { lock: lines.join("\n"), wheels: hasUv ? {} : await readWheels(report, lines) };
    },
  };
}

/** What pip says of an installation, in the parts that are read. */
const reportSchema = z.looseObject({
  install: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), version: z.string() }),
      download_info: z.looseObject({
        archive_info: z.looseObject({ hashes: z.record(z.string(), z.string()).optional() }).optional(),
      }),
    }),
  ),
});

async function readWheels(file: string, lines: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(file, "utf8").catch(() => "{}");
  await rm(file, { force: true });
  const { data } = reportSchema.safeParse(JSON.parse(text));
  const hashes = new Map(
    data?.install.map(({ metadata, download_info: { archive_info: archive } }) => [
      `${canonicalName(metadata.name)}==${metadata.version}`,
      archive?.hashes?.["sha256"],
    ]),
  );
  const known = lines.map((line) => [line, hashes.get(canonicalLine(line))] as const);
  return Object.fromEntries(known.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

function canonicalLine(line: string): string {
  const [name = "", version] = line.split("==");
  return version === undefined ? line : `${canonicalName(name)}==${version}`;
}

/**
 * The requirements with the digest that each file must have, where it is known of every one; pip takes all or none.
 * Undefined otherwise.
 */
export function withWheels(
  requirements: readonly string[],
  wheels: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  const hashed = requirements.flatMap((line) => {
    const digest = wheels[line];
    return digest === undefined ? [] : [`${line} --hash=sha256:${digest}`];
  });
  return hashed.length === requirements.length ? hashed : undefined;
}

/**
 * The lines of a requirements file that say something, in order, with `extra` packages that no line names.
 *
 * @throws EXECUTORS_REQUIREMENT_UNSUPPORTED for lines that point at other files
 */
export function readRequirements(text: string, requirementsFile: string, extra: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(^|\s)#.*$/, "").trim();
    if (line === "") continue;
    if (/^(-r|--requirement|-c|--constraint|-e|--editable)\b|^(\.{0,2}\/|file:)|@\s*file:/.test(line))
      throw requirementUnsupported({ requirementsFile, line: index + 1, text: line });
    lines.push(line);
  }
  const names = new Set(lines.map((line) => canonicalName(/^[A-Za-z0-9._-]+/.exec(line)?.[0] ?? "")));
  return [...lines, ...extra.filter((name) => !names.has(canonicalName(name)))];
}

/** PEP 503: case and runs of `-`, `_`, `.` do not tell names apart. */
function canonicalName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

async function runInstaller(command: readonly [string, ...string[]], options: InstallerOptions): Promise<string> {
  if (isAborted(options.signal)) throw environmentCancelled({ requirementsFile: options.requirementsFile });
  const [program, ...parameters] = command;
  const child = spawn(program, parameters, {
    env: { ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const output: string[] = [];
  const errors: string[] = [];
  const killTree = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  options.signal?.addEventListener("abort", killTree, { once: true });
  createInterface({ input: child.stdout }).on("line", (line) => {
    output.push(line);
    if (/^(Collecting|Downloading|Installing collected|Successfully installed|Resolved|Prepared|Installed)/.test(line))
      options.report(line.replace(/ \(from .*/, "").slice(0, 200));
  });
  createInterface({ input: child.stderr }).on("line", (line) => errors.push(line));
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    if (code === 0) return output.join("\n");
    if (isAborted(options.signal)) throw environmentCancelled({ requirementsFile: options.requirementsFile });
    throw explain(command, {
      exit: code === null ? (signal ?? "a signal") : `exit code ${code}`,
      lines: [...errors, ...output],
      requirementsFile: options.requirementsFile,
    });
  } finally {
    options.signal?.removeEventListener("abort", killTree);
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** pip and uv say in many ways that a package cannot be had; the user needs its name. */
function explain(
  command: readonly string[],
  failure: { readonly exit: string; readonly lines: readonly string[]; readonly requirementsFile: string },
): Error {
  const text = failure.lines.join("\n");
  const names = [
    ...text.matchAll(/No matching distribution found for (\S+)|requirement (\S+) \(from|Because (\S+) was not found/g),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
  const unreachable =
    /Failed to establish a new connection|Temporary failure in name resolution|Could not connect|ConnectTimeoutError|dns error|Network is unreachable/.exec(
      text,
    );
  if (names.length > 0 || unreachable !== null) {
    return packageUnavailable({
      packages: [...new Set(names)],
      requirementsFile: failure.requirementsFile,
      reason: unreachable?.[0] ?? "the package index has no such version for this Python",
    });
  }
  const relevant = failure.lines.filter((line) => line.trim() !== "" && !line.startsWith("WARNING"));
  return environmentFailed({
    requirementsFile: failure.requirementsFile,
    command: command.slice(0, 6).join(" "),
    exit: failure.exit,
    lastLines: relevant.slice(-LAST_LINES).join("\n"),
  });
}
