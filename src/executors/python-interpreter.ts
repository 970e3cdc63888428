import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pythonMissing } from "./python-errors.ts";

const OLDEST: readonly [number, number] = [3, 11];
const CANDIDATES = ["python3", "python3.12", "python3.11", "python3.13", "python3.14", "python"];
const PROBE_TIMEOUT_MS = 15_000;

/** The executable itself is asked, so that a version manager's shim answers with what it stands for. */
const PROBE = `import json, os, sys
print(json.dumps([os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable), list(sys.version_info[:3]), sys.platform]))`;

/** A Python on this machine: the real executable, never a shim. */
export interface PythonInterpreter {
  readonly path: string;
  /** `3.11.7` */
  readonly version: string;
  /** `linux`, `darwin`, … */
  readonly platform: string;
}

/**
 * Finds a Python that is new enough (3.11).
 *
 * @param options.environment variables of the search, PATH among them
 * @param options.interpreter path or name that the project asks for; nothing else is tried then
 * @throws EXECUTORS_PYTHON_MISSING with everything that was tried
 */
export async function findPython(options: {
  readonly environment: Readonly<Record<string, string>>;
  readonly interpreter?: string | undefined;
}): Promise<PythonInterpreter> {
  const tried: string[] = [];
  for (const candidate of options.interpreter === undefined ? CANDIDATES : [options.interpreter]) {
    const found = await probe(candidate, options.environment);
    if (typeof found === "string") {
      tried.push(`${candidate} (${found})`);
      continue;
    }
    return found;
  }
  throw pythonMissing({ searched: tried, oldest: OLDEST.join(".") });
}

async function probe(
  candidate: string,
  environment: Readonly<Record<string, string>>,
): Promise<PythonInterpreter | string> {
  try {
    const { stdout } = await promisify(execFile)(candidate, ["-I", "-c", PROBE], {
      env: environment,
      timeout: PROBE_TIMEOUT_MS,
    });
    const [path, [major, minor, patch], platform] = JSON.parse(stdout) as [string, [number, number, number], string];
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) return `is ${major}.${minor}.${patch}`;
    return { path, version: `${major}.${minor}.${patch}`, platform };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "not found" : "does not start";
  }
}
