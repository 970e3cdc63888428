import { globSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename, dirname, join, matchesGlob, relative, resolve, sep } from "node:path";
import { packFiles, unpackInto } from "./archive.ts";
import type { BuiltinStep } from "./builtins.ts";

/** As upload-artifact has them: what no file system of its runners can take. */
const NAME_FORBIDS = /["<>|*?\r\n\\/:]/;
const PATH_FORBIDS = /["<>|*?\r\n:]/;
const NO_FILES = ["warn", "error", "ignore"];

/** Keeps files of the workspace under a name: for the jobs behind this one, and with the run. */
export async function uploadArtifact(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const name = inputs["name"] || "artifact";
  assertName(step, name);
  const behaviour = inputs["if-no-files-found"] || "warn";
  if (!NO_FILES.includes(behaviour))
    throw new Error(`if-no-files-found: "${behaviour}" is unknown; expected ${NO_FILES.join(", ")}`);
  const patterns = linesOf(inputs["path"] ?? "");
  if (patterns.length === 0) throw new Error("path is required, and has no value");
  const { files, root } = findArtifact(step, patterns);
  if (files.length === 0) {
    const reason = `no files were found with the path ${patterns.join(", ")}`;
    if (behaviour === "error") throw new Error(reason);
    if (behaviour === "warn") job.output.say(`Warning: ${reason}: no artifact is kept.`);
    return {};
  }
  const wrong = files.find((file) => PATH_FORBIDS.test(relative(root, file)));
  if (wrong !== undefined)
    throw new Error(`${relative(root, wrong)} cannot be kept: a path may hold none of " : < > | * ? and no line break`);
  return keepArtifact(step, name, { root, files });
}

/** Keeps files as an artifact. @throws when its name cannot be one, or is taken */
export async function keepArtifact(
  { job, ...step }: BuiltinStep,
  name: string,
  archive: { readonly root: string; readonly files: readonly string[] },
): Promise<Readonly<Record<string, string>>> {
  assertName({ job, ...step }, name);
  const into = join(job.plan.folders.artifacts, `${job.artifacts.length}.tar.gz`);
  await packFiles({ job, ...step }, { ...archive, into });
  job.artifacts.push({ name, files: archive.files.length });
  job.output.say(`Artifact ${name}: ${archive.files.length} file${archive.files.length === 1 ? "" : "s"}`);
  return { "artifact-id": String(job.artifacts.length), "artifact-url": "", "artifact-digest": "" };
}

/** The folder of a site, as the artifact that pages of GitHub are made from. */
export async function uploadPages(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { inputs, job } = step;
  const folder = resolve(job.plan.folders.workspace, inputs["path"] || "_site");
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new Error(`there is no folder ${inputs["path"] || "_site"}`);
  const name = inputs["name"] || "github-pages";
  assertName(step, name);
  const { files } = findArtifact({ ...step, inputs: { "include-hidden-files": "true" } }, [folder]);
  const kept = await keepArtifact(step, name, { root: folder, files });
  return { artifact_id: kept["artifact-id"] ?? "" };
}

function assertName({ job, inputs }: BuiltinStep, name: string): void {
  if (name.length > 256 || NAME_FORBIDS.test(name))
    throw new Error(
      `"${name}" cannot name an artifact: at most 256 characters, none of " : < > | * ? \\ / and no line break`,
    );
  if (job.output.isSecret(name))
    throw new Error("the name of the artifact holds a secret: it would stand in the records");
  const isThere = job.artifacts.some((one) => one.name === name) || Object.hasOwn(job.plan.artifacts, name);
  if (isThere && inputs["overwrite"] !== "true")
    throw new Error(`there is an artifact "${name}" already: give it another name, or overwrite: true`);
}

function linesOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/**
 * The files that patterns name, and the folder that they are named from: that of the only pattern, up to its first
 * wildcard; of several, what these have in common, whether or not each found something.
 *
 * Source: `findFilesToUpload` of actions/upload-artifact, `getSearchPaths` of @actions/glob
 */
function findArtifact(
  { job, inputs }: Pick<BuiltinStep, "job" | "inputs">,
  patterns: readonly string[],
): { readonly files: readonly string[]; readonly root: string } {
  const { workspace } = job.plan.folders;
  const home = job.base["HOME"] ?? workspace;
  const showsHidden = inputs["include-hidden-files"] === "true";
  const found = new Set<string>();
  const searched: string[] = [];
  for (const line of patterns) {
    const isTaken = line.startsWith("!");
    const path = resolve(workspace, line.slice(isTaken ? 1 : 0).replace(/^~(?=\/|$)/, home));
    if (isTaken) {
      for (const file of found) if (matchesGlob(file, path) || file.startsWith(path + sep)) found.delete(file);
      continue;
    }
    const root = searchRoot(path);
    searched.push(root);
    for (const file of filesAt(path)) if (showsHidden || !isHidden(relative(dirname(root), file))) found.add(file);
  }
  const roots = searched.filter((one) => !searched.some((other) => one !== other && one.startsWith(other + sep)));
  const files = [...found].toSorted();
  const [only = workspace] = roots;
  if (new Set(roots).size > 1) return { files, root: commonFolder(roots) };
  return { files, root: files.length === 1 && files[0] === only ? dirname(only) : only };
}

/** The part of a pattern before its first wildcard. */
function searchRoot(path: string): string {
  const parts = path.split(sep);
  const first = parts.findIndex((part) => /[*?[]/.test(part));
  return first === -1 ? path : parts.slice(0, first).join(sep) || sep;
}

function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split(sep));
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && same < other.length && first[same] === other[same]) same++;
    length = same;
  }
  return first.slice(0, length).join(sep) || sep;
}

/** A part that begins with a dot, from the folder that was searched on. */
function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith(".") && part !== "..");
}

/** Files that a pattern matches; a folder stands for all in it. */
function filesAt(pattern: string): readonly string[] {
  const matched = /[*?[]/.test(pattern) ? globSync(pattern) : [pattern];
  return matched.flatMap((path) => {
    const [entry] = globSync(basename(path).replaceAll(/[*?[\]{}()!+@\\]/g, String.raw`\$&`), {
      cwd: dirname(path),
      withFileTypes: true,
    });
    if (entry?.isDirectory() !== true) return entry === undefined ? [] : [path];
    return globSync("**", { cwd: path, withFileTypes: true }).flatMap((one) =>
      one.isDirectory() ? [] : [join(one.parentPath, one.name)],
    );
  });
}

/** Gives the workspace what jobs before this one kept. */
export async function downloadArtifact(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const { workspace, artifacts: own } = job.plan.folders;
  const known: Record<string, string> = { ...job.plan.artifacts };
  for (const [index, { name }] of job.artifacts.entries()) known[name] = join(own, `${index}.tar.gz`);
  const folder = resolve(workspace, (inputs["path"] || ".").replace(/^~(?=\/|$)/, job.base["HOME"] ?? workspace));
  const name = inputs["name"] ?? "";
  if (name !== "") {
    const archive = Object.hasOwn(known, name) ? known[name] : undefined;
    if (archive === undefined)
      throw new Error(
        `there is no artifact "${name}" of the jobs that this one needs; there are: ${Object.keys(known).join(", ") || "none"}`,
      );
    await unpackInto(step, archive, folder);
    return { "download-path": folder };
  }
  const pattern = inputs["pattern"] || "*";
  const wanted = Object.entries(known).filter(([one]) => matchesGlob(one, pattern));
  const merges = inputs["merge-multiple"] === "true";
  await mkdir(folder, { recursive: true });
  for (const [one, archive] of wanted) await unpackInto(step, archive, merges ? folder : join(folder, one));
  job.output.say(`${wanted.length} artifact${wanted.length === 1 ? "" : "s"} downloaded`);
  return { "download-path": folder };
}
