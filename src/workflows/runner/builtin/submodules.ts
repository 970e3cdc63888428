import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, lstat, mkdir, readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { BuiltinStep } from "./builtins.ts";

/** Runs git in a folder, and gives what it wrote. @throws with what git says */
type RunGit = (step: BuiltinStep, folder: string, args: readonly string[]) => Promise<string>;

const DEEPEST = 5;
const LARGEST_POINTER_BYTES = 1024;
const MOST_POINTERS = 100_000;

interface Submodule {
  readonly path: string;
  readonly commit: string;
}

/**
 * Checks out what a repository names as its submodules, at the commits that it names: from the project's own where they
 * are checked out there, else from their addresses.
 *
 * @param source the project's folder of the repository
 * @param target the job's
 * @throws when one leads out of its repository, or can be had from neither
 */
export async function checkOutSubmodules(
  step: BuiltinStep,
  git: RunGit,
  place: { readonly source: string; readonly target: string; readonly isRecursive: boolean; readonly depth?: number },
): Promise<void> {
  const { source, target, isRecursive, depth = 1 } = place;
  if (depth > DEEPEST) throw new Error(`submodules stand in each other more than ${DEEPEST} deep`);
  for (const { path, commit } of await listSubmodules(step, git, target)) {
    const own = await ownFolder(source, path);
    const into = join(target, path);
    await assertInside(target, path);
    if (own !== undefined && (await has(step, git, { folder: own, commit }))) {
      await mkdir(into, { recursive: true });
      await git(step, into, ["init", "--quiet", "."]);
      await git(step, into, ["fetch", "--quiet", "--update-shallow", "--no-recurse-submodules", own, commit]);
      await git(step, into, ["checkout", "--quiet", "--force", "--detach", commit]);
    } else await git(step, target, ["submodule", "update", "--init", "--quiet", "--", path]);
    step.job.output.say(`Submodule ${path} is at ${commit.slice(0, 12)}`);
    if (isRecursive)
      await checkOutSubmodules(step, git, {
        source: own ?? join(source, path),
        target: into,
        isRecursive,
        depth: depth + 1,
      });
  }
}

/** Of the commit that is checked out. */
async function listSubmodules(step: BuiltinStep, git: RunGit, folder: string): Promise<readonly Submodule[]> {
  const entries = await git(step, folder, ["ls-files", "-z", "--stage"]);
  return entries.split("\0").flatMap((entry) => {
    const [, commit = "", path = ""] = /^160000 ([0-9a-f]{40,64}) 0\t(.+)$/s.exec(entry) ?? [];
    return path === "" ? [] : [{ commit, path }];
  });
}

/** A part of the way that is a link would lead the files of a submodule elsewhere. */
async function assertInside(target: string, path: string): Promise<void> {
  const parts = path.split("/");
  if (posix.isAbsolute(path) || parts.some((part) => part === ".." || part === "." || part.toLowerCase() === ".git"))
    throw new Error(`the submodule "${path}" leads out of the repository`);
  for (let length = 1; length <= parts.length; length++) {
    const found = await lstat(join(target, ...parts.slice(0, length))).catch(() => undefined);
    if (found?.isSymbolicLink() === true) throw new Error(`the submodule "${path}" leads through a link`);
  }
}

/** The project's checkout of a submodule; undefined where there is none, or a link leads out of the project. */
async function ownFolder(source: string, path: string): Promise<string | undefined> {
  const [root, real] = await Promise.all(
    [source, join(source, path)].map((one) => realpath(one).catch(() => undefined)),
  );
  if (root === undefined || real !== join(root, path)) return undefined;
  return (await stat(join(real, ".git")).catch(() => undefined)) === undefined ? undefined : real;
}

async function has(
  step: BuiltinStep,
  git: RunGit,
  { folder, commit }: { readonly folder: string; readonly commit: string },
): Promise<boolean> {
  return git(step, folder, ["cat-file", "-e", `${commit}^{commit}`]).then(
    () => true,
    () => false,
  );
}

/**
 * Puts the files that LFS keeps beside the repository in the place of their pointers, where the project has them: each
 * is checked against the digest that its pointer names.
 *
 * @returns how many pointers stayed what they are
 */
export async function fillPointers(
  step: BuiltinStep,
  git: RunGit,
  { source, target }: { readonly source: string; readonly target: string },
): Promise<number> {
  const common = (await git(step, source, ["rev-parse", "--path-format=absolute", "--git-common-dir"])).trim();
  const entries = (await git(step, target, ["ls-files", "-z", "--stage"])).split("\0");
  let missing = 0;
  for (const entry of entries.slice(0, MOST_POINTERS)) {
    const path = /^100(?:644|755) [0-9a-f]+ 0\t(.+)$/s.exec(entry)?.[1];
    const oid = path === undefined ? undefined : await pointerOf(join(target, path));
    if (path === undefined || oid === undefined) continue;
    const kept = join(common, "lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    if ((await digestOfFile(kept)) === oid) await copyFile(kept, join(target, path));
    else missing++;
  }
  return missing;
}

/** The digest that a pointer names; undefined for what is none. Source: the specification of Git LFS, version 1. */
async function pointerOf(file: string): Promise<string | undefined> {
  const found = await lstat(file).catch(() => undefined);
  if (found?.isFile() !== true || found.size > LARGEST_POINTER_BYTES) return undefined;
  const text = await readFile(file, "utf8");
  if (!text.startsWith("version https://git-lfs.github.com/spec/v1\n")) return undefined;
  return /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
}

async function digestOfFile(file: string): Promise<string | undefined> {
  const found = await lstat(dirname(file)).catch(() => undefined);
  if (found?.isDirectory() !== true || (await lstat(file).catch(() => undefined))?.isFile() !== true) return undefined;
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece);
  return hash.digest("hex");
}
