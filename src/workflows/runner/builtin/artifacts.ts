import { mkdir, rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { findFiles } from "../hash-files.ts";
import { commonFolder, packFiles, unpackInto } from "./archive.ts";
import type { BuiltinStep } from "./builtins.ts";

/** Keeps files of the workspace under a name: for the jobs behind this one, and with the run. */
export async function uploadArtifact(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const { workspace, artifacts: kept } = job.plan.folders;
  const name = inputs["name"] ?? "artifact";
  if (name === "" || name.length > 256 || /["<>|*?\r\n\\/:]/.test(name))
    throw new Error(`"${name}" cannot name an artifact`);
  if (job.artifacts.some((one) => one.name === name) && inputs["overwrite"] !== "true")
    throw new Error(`there is an artifact "${name}" already: give it another name, or overwrite: true`);
  const lines = (inputs["path"] ?? "").split("\n").map((line) => line.trim());
  const includesHidden = inputs["include-hidden-files"] === "true";
  const found = await filesOf(step, lines);
  const files = found.filter(
    (file) =>
      includesHidden ||
      !relative(workspace, file)
        .split("/")
        .some((part) => part.startsWith(".") && part !== ".."),
  );
  if (files.length === 0) {
    const reason = `no files were found with the path ${lines.join(", ")}`;
    if (inputs["if-no-files-found"] === "error") throw new Error(reason);
    if (inputs["if-no-files-found"] !== "ignore") job.output.say(`Warning: ${reason}: no artifact is kept.`);
    return {};
  }
  const root = commonFolder(workspace, files, lines);
  await packFiles(step, { root, files, into: join(kept, `${job.artifacts.length}.tar.gz`) });
  job.artifacts.push({ name, files: files.length });
  job.output.say(`Artifact ${name}: ${files.length} file${files.length === 1 ? "" : "s"}`);
  return { "artifact-id": String(job.artifacts.length) };
}

/** Project files, and files elsewhere by their absolute paths. */
async function filesOf({ job }: BuiltinStep, lines: readonly string[]): Promise<readonly string[]> {
  const { workspace } = job.plan.folders;
  const home = job.base["HOME"] ?? workspace;
  const found = new Set(findFiles(workspace, lines).map((file) => join(workspace, file)));
  for (const line of lines) {
    const path = line.replace(/^~(?=\/|$)/, home);
    if (!path.startsWith("/") || path.startsWith(`${workspace}/`)) continue;
    const folder = path.replace(/\/[^/]*[*?[].*$/, "");
    const pattern = path === folder ? "" : path.slice(folder.length + 1);
    const isFile = (await stat(folder).catch(() => undefined))?.isFile() === true;
    if (isFile) found.add(folder);
    else for (const file of findFiles(folder, [pattern === "" ? "**" : pattern])) found.add(join(folder, file));
  }
  return [...found].toSorted();
}

/** Gives the workspace what jobs before this one kept. */
export async function downloadArtifact(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const { workspace, artifacts: own } = job.plan.folders;
  const known: Record<string, string> = { ...job.plan.artifacts };
  for (const [index, { name }] of job.artifacts.entries()) known[name] = join(own, `${index}.tar.gz`);
  const folder = resolve(workspace, (inputs["path"] ?? ".").replace(/^~(?=\/|$)/, job.base["HOME"] ?? workspace));
  const name = inputs["name"] ?? "";
  if (name !== "") {
    const archive = known[name];
    if (archive === undefined)
      throw new Error(
        `there is no artifact "${name}" of the jobs that this one needs; there are: ${Object.keys(known).join(", ") || "none"}`,
      );
    await unpackInto(step, archive, folder);
    return { "download-path": folder };
  }
  const pattern = inputs["pattern"] ?? "*";
  const wanted = Object.entries(known).filter(([one]) => matches(one, pattern));
  const merges = inputs["merge-multiple"] === "true";
  for (const [one, archive] of wanted) await unpackInto(step, archive, merges ? folder : join(folder, one));
  job.output.say(`${wanted.length} artifact${wanted.length === 1 ? "" : "s"} downloaded`);
  await mkdir(folder, { recursive: true });
  await rm(join(folder, ".download"), { force: true });
  return { "download-path": folder };
}

function matches(name: string, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}
