import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ProcessSpec } from "#pipeline";
import type { Blobs } from "#storage";
import { folderUnusable } from "../errors.ts";
import { readEnvironmentRecord } from "../python-environment.ts";
import { pythonPackageFolder } from "../step-context.ts";
import { isBelow, listEntries, type ListOptions } from "./list-entries.ts";
import type { TaskManifest, TaskRoot, TaskSpec } from "./task-format.ts";

const INLINE_BYTES = 512 * 1024;
/** Of an attempt's folder: made anew where it runs, or only for the engine. */
const OWN = ["home", "tmp", "placed.json", "placed.json.part"];

/** Where things are on the engine's machine. */
export interface PackingPlace {
  /** Holds the folders of attempts. */
  readonly workFolder: string;
  /** Inputs lie in it, and environments. */
  readonly storeFolder?: string | undefined;
  readonly objects: Blobs;
}

/** Folders of an attempt's process that come back changed: its own, and the one that it works in. */
export async function ownFolders(spec: ProcessSpec, { workFolder }: PackingPlace): Promise<readonly string[]> {
  const attempt = join(workFolder, spec.attemptId.split(".")[0] ?? spec.attemptId);
  const working = resolve(spec.workingFolder);
  const hasOwn = await stat(attempt).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  if (!hasOwn) return [working];
  return isBelow(working, attempt) ? [attempt] : [attempt, working];
}

/**
 * Makes a process a value that another machine can run: what it reads is listed by digest, and kept as objects.
 *
 * Of what a process sees here, the workspace, the attempt's folder and its inputs travel; of an environment, what it is
 * made of; of the machine, nothing.
 */
export async function packTask(
  spec: ProcessSpec,
  place: PackingPlace,
): Promise<{ readonly spec: TaskSpec; readonly manifest: TaskManifest }> {
  const { objects, storeFolder, workFolder } = place;
  const options: ListOptions = {
    follow: spec.readable ?? [],
    inline: { left: INLINE_BYTES },
    async keep(digest, path) {
      if ((await objects.stat(digest)) === undefined) await objects.putFile(path);
    },
  };
  const roots: TaskRoot[] = [];
  const own = await ownFolders(spec, place);
  await assertFolder(spec.workingFolder);
  for (const path of own) {
    const leaveOut = new Set([
      ...own.filter((other) => other !== path),
      ...OWN.map((name) => join(path, name)),
      ...(path === own[0] && own.length === 1 && !isBelow(path, workFolder) ? [workFolder] : []),
      ...(storeFolder === undefined || isBelow(path, storeFolder) ? [] : [storeFolder]),
      // It names the repository, which stays here.
      join(path, ".git"),
      join(path, "project", ".git"),
    ]);
    // oxlint-disable-next-line no-await-in-loop -- one reads many files at once already
    roots.push({ kind: "work", path, entries: await listEntries(path, { ...options, leaveOut }) });
  }
  const tables = await tablesOf(spec);
  for (const path of new Set(spec.readable ?? [])) {
    // oxlint-disable-next-line no-await-in-loop -- as above
    const root = await packReadable(path, { place, options, only: tables.get(path) });
    if (root !== undefined && !own.some((folder) => isBelow(path, folder))) roots.push(root);
  }
  return { spec: toTaskSpec(spec), manifest: { format: "task/1", roots } };
}

/** Said here: on another machine it would be of the copy. */
async function assertFolder(folder: string): Promise<void> {
  const facts = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    throw folderUnusable({ folder, reason: error.message }, error);
  });
  if (!facts.isDirectory()) throw folderUnusable({ folder, reason: "it is not a folder" });
}

/** Undefined for what belongs to this machine: its programs, the project beside the workspace. */
async function packReadable(
  path: string,
  {
    place: { storeFolder },
    options,
    only,
  }: {
    readonly place: PackingPlace;
    readonly options: ListOptions;
    readonly only: ReadonlySet<string> | undefined;
  },
): Promise<TaskRoot | undefined> {
  if (path === pythonPackageFolder) return { kind: "package", path };
  if (storeFolder === undefined || !isBelow(path, storeFolder)) return undefined;
  if (dirname(path) === join(storeFolder, "python")) {
    const record = await readEnvironmentRecord(path);
    return record === undefined ? undefined : { kind: "python", path, ...record };
  }
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  if (!facts.isDirectory()) {
    const name = path.slice(dirname(path).length + 1);
    const entries = await listEntries(dirname(path), { ...options, only: (at) => at === name });
    return { kind: "input", path: dirname(path), entries };
  }
  const isWanted =
    only === undefined ? undefined : (at: string): boolean => at.startsWith("_delta_log/") || only.has(`${path}/${at}`);
  const entries = await listEntries(path, { ...options, ...(isWanted === undefined ? {} : { only: isWanted }) });
  return { kind: "input", path, entries };
}

/** Of a Delta table, the files of the version that is read, by the table's folder. */
async function tablesOf({ environment }: ProcessSpec): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const file = environment["ESTEIRA_CONTEXT"];
  if (file === undefined) return new Map();
  const context: {
    readonly inputs?: Readonly<Record<string, { format?: string; path?: string; files?: readonly string[] }>>;
  } = JSON.parse(await readFile(file, "utf8").catch(() => "{}"));
  return new Map(
    Object.values(context.inputs ?? {}).flatMap(({ format, path, files }): [string, ReadonlySet<string>][] =>
      format === "delta/1" && path !== undefined && files !== undefined ? [[path, new Set(files)]] : [],
    ),
  );
}

/** What only a process of the engine can hold is no part of it. */
function toTaskSpec(spec: ProcessSpec): TaskSpec {
  const own = new Map<string, unknown>(Object.entries(spec));
  for (const name of ["onOutput", "abandon", "logged"]) own.delete(name);
  const kept: TaskSpec["process"] = JSON.parse(JSON.stringify(Object.fromEntries(own)));
  return { format: "task/1", process: kept, node: process.execPath };
}
