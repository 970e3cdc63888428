import { constants, type Dirent } from "node:fs";
import { copyFile, mkdir, readdir, readFile, readlink, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { assertInside } from "#pipeline";
import type { Git } from "./git.ts";

/** Larger files are linked: a copy of data for every attempt would cost more than most attempts. */
const LARGEST_COPY_BYTES = 8 * 2 ** 20;
const AT_ONCE = 16;
/** Linked as a whole where git ignores them: made by tools, and full of files. */
const INSTALLED: ReadonlySet<string> = new Set(["node_modules", ".venv", "venv"]);
const LEFT_OUT: ReadonlySet<string> = new Set([".esteira", ".git", "__pycache__"]);

/** A copy of a project that is to be made. */
export interface WorkspaceRequest {
  /** Absolute. */
  readonly projectFolder: string;
  /** Absolute; made here. */
  readonly folder: string;
  /** Absolute folders that are no part of the project although they lie in it: the store. */
  readonly leaveOut: readonly string[];
  /**
   * Project-relative paths that the step makes itself: where git ignores them, an earlier result is not taken along.
   */
  readonly made: readonly string[];
  /** Project-relative files, when it is to hold no others: their contents, also of links, and nothing of git. */
  readonly only?: readonly string[];
}

/**
 * Makes the folder that an attempt's processes work in: the project's files as they are now, for that attempt alone.
 *
 * - Files are copied, sharing their blocks where the file system can.
 * - Files that git ignores and files over 8 MB are links to the project's own, in folders of the attempt: they are
 *   there to be read.
 * - `node_modules`, `.venv` and their like are links as a whole where git ignores them.
 * - `.git` is named, not copied: git's commands see the repository. The store is left out.
 *
 * @returns absolute paths that its links lead to, and where tools look above it: what a process in it must see
 */
export async function createWorkspace(
  request: WorkspaceRequest,
  git: Pick<Git, "ignoredPaths">,
): Promise<readonly string[]> {
  if (request.only !== undefined) {
    await copyOnly(request, request.only);
    return [];
  }
  const ignored = new Set(await git.ignoredPaths(request.projectFolder));
  const limit = createLimit(AT_ONCE);
  await mkdir(request.folder, { recursive: true });
  await copyFolder("", false, {
    ...request,
    leaveOut: request.leaveOut.map((folder) => resolve(folder)),
    ignored,
    limit,
  });
  const repository = join(request.projectFolder, ".git");
  const found = await stat(repository).catch(() => undefined);
  if (found?.isDirectory() === true) await writeFile(join(request.folder, ".git"), `gitdir: ${repository}\n`);
  else if (found !== undefined) await copyFile(repository, join(request.folder, ".git"));
  return [request.projectFolder, ...(await foldersAround(request.projectFolder))];
}

/** Repository and packages of a project that is part of a larger one: git and Node look for them in folders above. */
async function foldersAround(projectFolder: string): Promise<readonly string[]> {
  const seen = await linkedRepository(join(projectFolder, ".git"));
  for (let folder = dirname(projectFolder); ; folder = dirname(folder)) {
    for (const name of [".git", "node_modules"]) {
      const path = join(folder, name);
      if ((await stat(path).catch(() => undefined)) === undefined) continue;
      seen.push(path, ...(name === ".git" ? await linkedRepository(path) : []));
    }
    if (dirname(folder) === folder) return seen;
  }
}

/** A work tree's `.git` is a file that names a folder, which names the one that holds the objects. */
async function linkedRepository(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const named = /^gitdir: (.+)$/m.exec(text)?.[1];
  if (named === undefined) return [];
  const folder = resolve(dirname(path), named);
  const common = await readFile(join(folder, "commondir"), "utf8").catch(() => undefined);
  return common === undefined ? [folder] : [folder, resolve(folder, common.trim())];
}

async function copyOnly({ projectFolder, folder }: WorkspaceRequest, only: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const path of new Set(only)) {
    await mkdir(join(folder, posix.dirname(path)), { recursive: true });
    const source = await realpath(join(projectFolder, path)).catch(() => undefined);
    if (source === undefined) continue;
    await assertInside(source, { folders: [projectFolder], asset: path });
    await copyFile(source, join(folder, path), constants.COPYFILE_FICLONE);
  }
}

interface Copying extends WorkspaceRequest {
  readonly ignored: ReadonlySet<string>;
  readonly limit: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

async function copyFolder(below: string, isIgnored: boolean, copying: Copying): Promise<void> {
  const source = join(copying.projectFolder, below);
  const entries = await copying.limit(() => readdir(source, { withFileTypes: true }));
  await Promise.all(entries.map((entry) => copyEntry(entry, posix.join(below, entry.name), isIgnored, copying)));
}

async function copyEntry(entry: Dirent, path: string, isIgnored: boolean, copying: Copying): Promise<void> {
  const source = join(copying.projectFolder, path);
  const target = join(copying.folder, path);
  if (LEFT_OUT.has(entry.name) || copying.leaveOut.includes(source)) return;
  const ignored = isIgnored || copying.ignored.has(path);
  if (ignored && copying.made.some((made) => posix.normalize(made).replace(/\/$/, "") === path)) return;
  if (entry.isDirectory()) {
    if (ignored && INSTALLED.has(entry.name)) return copying.limit(() => symlink(source, target));
    await mkdir(target);
    return copyFolder(path, ignored, copying);
  }
  if (entry.isSymbolicLink()) return copying.limit(() => copyLink(source, target, copying));
  // Sockets and pipes are no files of a project.
  if (!entry.isFile()) return undefined;
  return copying
    .limit(() => (ignored ? symlink(source, target) : copyOrLink(source, target)))
    .catch((error: NodeJS.ErrnoException) => {
      // Taken away while the copy was made: it is not there any more.
      if (error.code !== "ENOENT") throw error;
    });
}

/** A link out of the project leads where it led there: from the copy, the same way could lead into the store. */
async function copyLink(source: string, target: string, { projectFolder }: Copying): Promise<void> {
  const named = await readlink(source);
  const aim = resolve(dirname(source), named);
  await symlink(aim.startsWith(`${resolve(projectFolder)}/`) ? named : aim, target);
}

async function copyOrLink(source: string, target: string): Promise<void> {
  if ((await stat(source)).size > LARGEST_COPY_BYTES) return symlink(source, target);
  return copyFile(source, target, constants.COPYFILE_FICLONE);
}

/** At most so many at once: a large project must not run out of file handles. */
function createLimit(most: number): Copying["limit"] {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
