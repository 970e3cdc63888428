import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOfJson } from "#base";
import { testCache } from "./cache-folder.ts";

/**
 * A Python environment with exactly these packages, made once and kept in the user's cache; progress goes to stderr.
 *
 * @returns the interpreter, or why there is none
 */
export async function testPython(
  packages: readonly string[],
): Promise<{ readonly python: string } | { readonly problem: string }> {
  const base = basePython();
  if (base === undefined) return { problem: "no Python 3.10 or newer was found as `python3`" };
  const cache = join(testCache(), "test-python");
  const folder = join(cache, digestOfJson({ base, packages }).slice("sha256:".length, "sha256:".length + 16));
  const python = join(folder, "bin", "python");
  if (existsSync(join(folder, "complete"))) return { python };
  const making = `${folder}.${process.pid}`;
  process.stderr.write(`Making a Python environment with ${packages.join(", ")} (once) …\n`);
  mkdirSync(cache, { recursive: true });
  const failed =
    (await run(base, ["-m", "venv", making])) ??
    (await run(join(making, "bin", "python"), [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      ...packages,
    ]));
  if (failed !== undefined) {
    rmSync(making, { recursive: true, force: true });
    return { problem: `pip could not install ${packages.join(", ")}: ${failed}` };
  }
  writeFileSync(join(making, "complete"), "");
  // Another process may have made it meanwhile; both are the same.
  if (existsSync(folder)) rmSync(making, { recursive: true, force: true });
  else renameSync(making, folder);
  return { python };
}

/** The real interpreter: what a version manager's shim runs. */
function basePython(): string | undefined {
  try {
    const script = "import sys; print(sys.executable if sys.version_info >= (3, 10) else '')";
    return (
      execFileSync("python3", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
}

/** Undefined when it went well, else the last lines that it said. */
function run(command: string, parameters: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, parameters, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (piece: Buffer) => {
      said = (said + piece.toString()).slice(-2000);
    });
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code) => resolve(code === 0 ? undefined : said.trim() || `exit code ${code}`));
  });
}
