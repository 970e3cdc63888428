import { constants, type Dirent } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { assertInside } from "#pipeline";
import type { Git } from "./git.ts";

/** Made by tools, and no part of a project. */
const LEFT_OUT: ReadonlySet<string> = new Set([".esteira", ".git", "__pycache__", "node_modules", ".venv", "venv"]);

/** What a workspace held when somebody began to work in it. */
export interface WorkspaceMemory {
  /**
   * Project-relative files that were written there since and differ from the project's, sorted: not what git ignores,
   * and no links.
   */
  changed(): Promise<readonly string[]>;
  /**
   * Copies a changed file into the project, over what it was copied from.
   *
   * @returns false when the project's own file was changed meanwhile, or is a link: it stays as it is
   * @throws PIPELINE_PATH_OUTSIDE when a folder leads out of the project
   */
  takeOver(path: string): Promise<boolean>;
}

/**
 * Remembers the files of a workspace and those that they were copied from.
 *
 * @param folder absolute: the workspace
 * @param made project-relative paths that the step makes itself: they count as no change
 */
export async function rememberWorkspace(
  of: { readonly folder: string; readonly projectFolder: string; readonly made: readonly string[] },
  git: Pick<Git, "ignoredPaths">,
): Promise<WorkspaceMemory> {
  const { folder, projectFolder } = of;
  const made = of.made.map((path) => posix.normalize(path).replace(/\/$/, ""));
  const before = new Map<string, { readonly here: string; readonly there: string | undefined }>();
  for (const path of await listFiles(folder, ""))
    before.set(path, {
      here: (await stampOf(join(folder, path))) ?? "",
      there: await stampOf(join(projectFolder, path)),
    });
  return {
    async changed() {
      const ignored = [...(await git.ignoredPaths(folder)), ...made];
      const found: string[] = [];
      for (const path of await listFiles(folder, "")) {
        if (ignored.some((one) => path === one || path.startsWith(`${one}/`))) continue;
        if (before.get(path)?.here === (await stampOf(join(folder, path)))) continue;
        if (!(await isSame(join(folder, path), join(projectFolder, path)))) found.push(path);
      }
      return found.sort();
    },
    async takeOver(path) {
      const target = join(projectFolder, path);
      if ((await stampOf(target)) !== before.get(path)?.there) return false;
      await assertInside(dirname(target), { folders: [projectFolder], asset: path });
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(folder, path), target, constants.COPYFILE_FICLONE);
      return true;
    },
  };
}

async function listFiles(folder: string, below: string): Promise<readonly string[]> {
  const found: string[] = [];
  const entries: readonly Dirent[] = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (LEFT_OUT.has(entry.name)) continue;
    const path = posix.join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await listFiles(folder, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

/** Undefined when there is nothing; of a link its own, so that one that takes a file's place is seen. */
async function stampOf(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found === undefined ? undefined : [found.ino, found.size, found.mtimeMs, found.ctimeMs].join();
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([one, other].map((path) => readFile(path).catch(() => undefined)));
  return left !== undefined && right !== undefined && left.equals(right);
}
