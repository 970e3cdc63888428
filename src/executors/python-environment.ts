import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Digest, digestOf, digestOfJson } from "#base";
import type { PythonEnvironment, WheelDigests } from "#pipeline";
import { programFolders } from "./isolation/system-view.ts";
import { withFolderLock } from "./folder-lock.ts";
import { compilePackages } from "./python-bytecode.ts";
import { environmentFailed } from "./python-errors.ts";
import { createInstaller, type Installer, readRequirements, withWheels } from "./python-installer.ts";
import { findPython, type PythonInterpreter } from "./python-interpreter.ts";
import { bindScripts } from "./python-scripts.ts";

const FORMAT = "esteira.python/1";

/** What to make an environment of. */
export interface PythonRequest {
  /** Content of the requirements file; empty text for the standard library alone. */
  readonly requirements: string;
  /** Its project-relative path, for messages. */
  readonly requirementsFile: string;
  /** Packages that are added when no line names them (`ipykernel` for a notebook). */
  readonly extra?: readonly string[];
  /** The files that an earlier environment of the same packages was installed from: the same ones are taken. */
  readonly wheels?: WheelDigests | undefined;
  readonly signal?: AbortSignal;
  /** Progress lines, for the step's log. */
  readonly report?: (line: string) => void;
}

/** Python environments of one store, made once and shared by everything that asks for the same requirements. */
export interface PythonEnvironments {
  /**
   * The environment of these requirements, made now when there is none: with `uv` where it is on PATH, else `venv` and
   * pip.
   *
   * Two callers at once, of one process or of several: one makes it, the others wait. What a dead maker left is
   * removed.
   *
   * @throws EXECUTORS_PYTHON_MISSING, EXECUTORS_PACKAGE_UNAVAILABLE, EXECUTORS_ENVIRONMENT_FAILED,
   *   EXECUTORS_REQUIREMENT_UNSUPPORTED, EXECUTORS_ENVIRONMENT_CANCELLED
   */
  prepare(request: PythonRequest): Promise<PythonEnvironment>;
}

/** What the folder of a finished environment says of itself. */
interface EnvironmentRecord {
  readonly format: typeof FORMAT;
  readonly interpreter: PythonInterpreter;
  readonly lock: string;
  readonly lockDigest: Digest;
  /** Missing in those of earlier versions. */
  readonly wheels?: Readonly<Record<string, string>>;
  /** The real path that its programs were installed for, or bound to since; missing in those of earlier versions. */
  readonly folder?: string;
}

/**
 * @param options.storeFolder  environments live below `<storeFolder>/python/`
 * @param options.environment  variables of the installer: PATH, HOME, and what configures pip, uv, proxies and
 *   certificates
 * @param options.interpreter  path or name of the Python to use; default: the first on PATH that is new enough
 */
export function createPythonEnvironments(options: {
  readonly storeFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly interpreter?: string | undefined;
}): PythonEnvironments {
  const environment = installerVariables(options.environment);
  let interpreter: Promise<PythonInterpreter> | undefined;

  async function prepare(request: PythonRequest): Promise<PythonEnvironment> {
    const named = readRequirements(request.requirements, request.requirementsFile, request.extra ?? []);
    interpreter ??= findPython({ environment, interpreter: options.interpreter });
    const python = await interpreter.catch((error: unknown) => {
      interpreter = undefined;
      throw error;
    });
    const requirements = pinned(named, python, request.wheels);
    const digest = digestOfJson({ format: FORMAT, requirements, python });
    const root = await makeRoot(options.storeFolder);
    const folder = join(root, digest.slice("sha256:".length, "sha256:".length + 32));
    const lock = {
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      onWait: () => request.report?.("waiting for the Python environment that another step is making"),
    };
    const ready = await readRecord(folder);
    if (ready !== undefined) return toEnvironment(folder, await bound(folder, ready, lock));
    const same = await findSame(root, { named, python, wheels: request.wheels });
    if (same !== undefined) return toEnvironment(same.folder, await bound(same.folder, same.record, lock));
    return withFolderLock(`${folder}.lock`, lock, async () => {
      const made = await readRecord(folder);
      if (made !== undefined) return toEnvironment(folder, await bind(folder, made));
      const installer = await createInstaller({
        environment,
        requirementsFile: request.requirementsFile,
        report: request.report ?? (() => {}),
        signal: request.signal,
      });
      return toEnvironment(folder, await make(folder, { python, requirements, installer, request }));
    });
  }
  return { prepare };
}

/** The real path: what is written into programs must hold for everybody who gets here through another link. */
async function makeRoot(storeFolder: string): Promise<string> {
  const root = join(storeFolder, "python");
  await mkdir(root, { recursive: true });
  return realpath(root);
}

/** A project may have been moved since its environments were made. */
async function bound(
  folder: string,
  record: EnvironmentRecord,
  lock: Parameters<typeof withFolderLock>[1],
): Promise<EnvironmentRecord> {
  if (record.folder === folder) return record;
  return withFolderLock(`${folder}.lock`, lock, () => bind(folder, record));
}

async function bind(folder: string, record: EnvironmentRecord): Promise<EnvironmentRecord> {
  if (record.folder === folder) return record;
  if (record.lock !== "") await bindScripts(folder);
  const moved = { ...record, folder };
  await writeRecord(folder, moved);
  return moved;
}

/**
 * An environment that holds exactly what is asked for, package for package, and file for file where those are known: a
 * model is served in the environment of the step that made it.
 */
async function findSame(
  root: string,
  asked: {
    readonly named: readonly string[];
    readonly python: PythonInterpreter;
    readonly wheels: WheelDigests | undefined;
  },
): Promise<{ readonly folder: string; readonly record: EnvironmentRecord } | undefined> {
  const { named, python, wheels } = asked;
  if (named.length === 0 || !named.every((line) => PINNED.test(line))) return undefined;
  const lock = named.toSorted().join("\n");
  const files = wheels?.platform === platformOf(python) ? wheels.sha256 : {};
  for (const name of (await readdir(root)).filter((each) => ENVIRONMENT_FOLDER.test(each)).sort()) {
    const folder = join(root, name);
    // oxlint-disable-next-line no-await-in-loop -- the first that fits is taken
    const record = await readRecord(folder);
    if (record === undefined || !isDeepStrictEqual(record.interpreter, python)) continue;
    if (record.lock.split("\n").toSorted().join("\n") !== lock) continue;
    if (Object.entries(files).every(([line, digest]) => record.wheels?.[line] === digest)) return { folder, record };
  }
  return undefined;
}

const PINNED = /^[A-Za-z0-9._-]+==[^\s;,]+$/;
const ENVIRONMENT_FOLDER = /^[0-9a-f]{32}$/;

/** Wheels differ from one system and one Python to the next: elsewhere the versions alone are asked for. */
function pinned(
  requirements: readonly string[],
  python: PythonInterpreter,
  wheels: WheelDigests | undefined,
): readonly string[] {
  if (wheels === undefined || wheels.platform !== platformOf(python)) return requirements;
  return withWheels(requirements, wheels.sha256) ?? requirements;
}

function platformOf({ version, platform }: PythonInterpreter): string {
  return `${platform} ${arch()} python ${version.split(".").slice(0, 2).join(".")}`;
}

async function make(
  folder: string,
  from: {
    readonly python: PythonInterpreter;
    readonly requirements: readonly string[];
    readonly installer: Installer;
    readonly request: PythonRequest;
  },
): Promise<EnvironmentRecord> {
  await rm(folder, { recursive: true, force: true });
  try {
    const { lock, wheels } = await from.installer.install({
      folder,
      python: from.python,
      requirements: from.requirements,
    });
    const record: EnvironmentRecord = {
      format: FORMAT,
      interpreter: from.python,
      lock,
      lockDigest: digestOf(`python==${from.python.version}\n${lock}`),
      wheels,
      folder,
    };
    await writeRecord(folder, record);
    return record;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The record makes the environment visible: it is written last, and in one piece. */
async function writeRecord(folder: string, record: EnvironmentRecord): Promise<void> {
  const part = join(folder, "esteira.json.part");
  await writeFile(part, JSON.stringify(record, undefined, 2), { flush: true });
  await rename(part, join(folder, "esteira.json"));
}

async function readRecord(folder: string): Promise<EnvironmentRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, "esteira.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw environmentFailed(
      { requirementsFile: folder, command: "read esteira.json", exit: "an error", lastLines: String(error) },
      error,
    );
  }
  const record = JSON.parse(text) as EnvironmentRecord;
  return record.format === FORMAT ? record : undefined;
}

/** What the environment in a folder is made of, so that another machine can make it; undefined where there is none. */
export async function readEnvironmentRecord(
  folder: string,
): Promise<{ readonly lock: string; readonly wheels: WheelDigests | undefined; readonly version: string } | undefined> {
  const record = await readRecord(folder);
  if (record === undefined) return undefined;
  const wheels = { platform: platformOf(record.interpreter), sha256: record.wheels ?? {} };
  return { lock: record.lock, wheels, version: record.interpreter.version };
}

function toEnvironment(folder: string, record: EnvironmentRecord): PythonEnvironment {
  if (record.lock !== "") compilePackages(folder);
  // An interpreter brings its standard library along, beside the folder it lies in.
  const interpreter = dirname(dirname(record.interpreter.path));
  return {
    python: join(folder, "bin", "python"),
    lockDigest: record.lockDigest,
    lock: record.lock,
    wheels: { platform: platformOf(record.interpreter), sha256: record.wheels ?? {} },
    folders: [folder, ...programFolders(join(interpreter, "bin"))],
  };
}

/** The installer needs the user's own configuration of pip, uv and the network, and nothing else. */
function installerVariables(all: Readonly<Record<string, string>>): Record<string, string> {
  const wanted =
    /^(PATH|HOME|LANG|LC_ALL|TMPDIR|USER|PIP_.*|UV_.*|PYENV_.*|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|XDG_.*)$/;
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.test(name)));
}
