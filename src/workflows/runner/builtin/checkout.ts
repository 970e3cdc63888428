import { cp, mkdir, readdir, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { asText } from "../../json.ts";
import { runProcess } from "../processes.ts";
import { environmentOf } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";
import { checkOutSubmodules, fillPointers } from "./submodules.ts";

/** Of a folder that is under no git. */
const LEFT_OUT: ReadonlySet<string> = new Set([".git", ".esteira", "node_modules"]);

/**
 * Puts the project into the workspace: a repository of its own that holds the commit of the run, with what was changed
 * and not committed where the run is of a work tree.
 */
// oxlint-disable-next-line complexity -- one case for each kind of source
export async function checkout(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const { source, folders } = job.plan;
  const repository = inputs["repository"] ?? "";
  if (repository !== "" && repository.toLowerCase() !== asText(job.github["repository"]).toLowerCase())
    throw new Error(`only ${asText(job.github["repository"])} can be checked out here, not ${repository}`);
  const target = resolve(folders.workspace, inputs["path"] ?? ".");
  if (target !== folders.workspace && !target.startsWith(`${folders.workspace}/`))
    throw new Error(`the path ${inputs["path"] ?? ""} leads out of the workspace`);
  await mkdir(target, { recursive: true });
  await empty(target, inputs["clean"] !== "false" || (await exists(join(target, ".git"))));
  const isRepository = await exists(join(source.folder, ".git"));
  if (!isRepository || source.commit === undefined || !(await clone(step, target))) {
    await copyPlain(source.folder, target);
    job.output.say(`The project's files are in ${target}; it is no repository.`);
    return { commit: source.commit ?? "", ref: asText(job.github["ref"]) };
  }
  const place = { source: source.folder, target };
  if (inputs["submodules"] === "true" || inputs["submodules"] === "recursive")
    await checkOutSubmodules(step, git, { ...place, isRecursive: inputs["submodules"] === "recursive" });
  const missing = inputs["lfs"] === "true" ? await fillPointers(step, git, place) : 0;
  if (missing > 0)
    job.output.say(
      `Warning: ${missing} file${missing === 1 ? " is" : "s are"} kept by LFS and not here: the pointer stays.`,
    );
  const commit = (await git(step, target, ["rev-parse", "HEAD"])).trim();
  job.output.say(`HEAD is now at ${commit.slice(0, 12)}`);
  return { commit, ref: inputs["ref"] ?? asText(job.github["ref"]) };
}

/** False where git cannot read the repository from here: a work tree whose objects lie elsewhere. */
async function clone(step: BuiltinStep, target: string): Promise<boolean> {
  const { job, inputs } = step;
  const { folder, commit = "", branch } = job.plan.source;
  try {
    await git(step, target, ["init", "--quiet", "."]);
    await git(step, target, ["remote", "add", "origin", folder]);
    await git(step, target, [
      "fetch",
      "--quiet",
      "--update-shallow",
      "origin",
      "+refs/heads/*:refs/remotes/origin/*",
      "+refs/tags/*:refs/tags/*",
      "HEAD",
    ]);
  } catch (error) {
    job.output.say(`The repository cannot be read from here (${String(error).split("\n")[0] ?? ""}).`);
    await empty(target, true);
    return false;
  }
  const wanted = inputs["ref"] ?? "";
  if (wanted !== "" && wanted !== asText(job.github["ref"]) && wanted !== commit) {
    await git(step, target, ["checkout", "--quiet", "--detach", await resolveRef(step, target, wanted)]);
    return true;
  }
  const name = branch ?? (job.github["ref_type"] === "branch" ? asText(job.github["ref_name"]) : "");
  const isBranch = name !== "" && !name.startsWith("-") && !asText(job.github["ref"]).endsWith("/merge");
  await git(step, target, ["checkout", "--quiet", "--force", ...(isBranch ? ["-B", name] : ["--detach"]), commit]);
  await copyChanges(step, target);
  return true;
}

async function resolveRef(step: BuiltinStep, target: string, ref: string): Promise<string> {
  if (ref.startsWith("-")) throw new Error(`"${ref}" names no branch, tag or commit`);
  for (const name of [
    `refs/remotes/origin/${ref.replace(/^refs\/heads\//, "")}`,
    ref.startsWith("refs/tags/") ? ref : `refs/tags/${ref}`,
    ref,
  ]) {
    const found = await git(step, target, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]).catch(() => "");
    if (found.trim() !== "") return found.trim();
  }
  throw new Error(`there is no branch, tag or commit "${ref}" in the project's repository`);
}

/** A run of a work tree is a run of what stands there. */
async function copyChanges(step: BuiltinStep, target: string): Promise<void> {
  const { folder } = step.job.plan.source;
  // Beside the commit, not beside the index: what is staged stands in the work tree too.
  const { commit = "HEAD" } = step.job.plan.source;
  const changed = await git(step, folder, ["diff", "--name-only", "--no-renames", "--ignore-submodules", "-z", commit]);
  const added = await git(step, folder, ["ls-files", "-z", "--others", "--exclude-standard"]);
  for (const path of new Set([...changed.split("\0"), ...added.split("\0")])) {
    if (path === "" || path === ".esteira" || path.startsWith(".esteira/")) continue;
    const source = join(folder, path);
    const into = join(target, path);
    await rm(into, { recursive: true, force: true });
    if (!(await exists(source))) continue;
    await mkdir(dirname(into), { recursive: true });
    await cp(source, into, { recursive: true, verbatimSymlinks: true });
  }
}

async function copyPlain(source: string, target: string): Promise<void> {
  for (const name of await readdir(source))
    if (!LEFT_OUT.has(name))
      await cp(join(source, name), join(target, name), { recursive: true, verbatimSymlinks: true });
}

async function empty(folder: string, really: boolean): Promise<void> {
  if (!really) return;
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function git(step: BuiltinStep, folder: string, args: readonly string[]): Promise<string> {
  const { exitCode, output } = await runProcess(step.job, {
    command: ["git", "-c", "core.hooksPath=/dev/null", ...args],
    folder,
    environment: { ...environmentOf(step), GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0" },
    isQuiet: true,
  });
  if (exitCode !== 0) throw new Error(`git ${args[0] ?? ""}: ${output.trim() || `exit code ${exitCode}`}`);
  return output;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
