import { lstat, readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Digest } from "#base";
import { digestOfFile } from "#storage";
import type { TaskEntry } from "./task-format.ts";

const INLINE_BYTES = 4096;
const AT_ONCE = 16;

/** How the files of a folder are listed. */
export interface ListOptions {
  /** Absolute paths that are left out, with all below them. */
  readonly leaveOut?: ReadonlySet<string>;
  /** Links that lead out of the folder and into one of these are taken as what they lead to. */
  readonly follow?: readonly string[];
  /** Only what it lets through, by its path relative to the folder; folders are always looked into. */
  readonly only?: (path: string) => boolean;
  /** Bytes that may still be listed with their content; what is larger than some pages never is. */
  readonly inline: { left: number };
  /** Called for each file whose content is not in the list. */
  readonly keep: (digest: Digest, path: string) => Promise<void>;
}

/** True for the folder itself and all below. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Files, links and empty folders below a folder, or the one file that the path is. */
export async function listEntries(root: string, options: ListOptions): Promise<readonly TaskEntry[]> {
  const entries: TaskEntry[] = [];
  const pending: (() => Promise<void>)[] = [];
  const real = await realpath(root);
  const walk = async (folder: string, at: string, inside: readonly string[]): Promise<void> => {
    const found = await readdir(folder, { withFileTypes: true });
    if (found.length === 0 && at !== "" && options.only === undefined) entries.push({ at });
    for (const entry of found) {
      const path = join(folder, entry.name);
      if (options.leaveOut?.has(path) === true) continue;
      await take(path, at === "" ? entry.name : `${at}/${entry.name}`, inside);
    }
  };
  const take = async (path: string, at: string, inside: readonly string[]): Promise<void> => {
    const facts = await lstat(path).catch(ifGone);
    if (facts === undefined) return;
    if (facts.isDirectory()) return walk(path, at, inside);
    if (options.only?.(at) === false) return;
    if (facts.isFile()) pending.push(async () => void entries.push(...(await readEntry(path, at, options))));
    else if (facts.isSymbolicLink()) await takeLink(path, at, inside);
  };
  const takeLink = async (path: string, at: string, inside: readonly string[]): Promise<void> => {
    const aim = await realpath(path).catch(ifGone);
    const link = await readlink(path);
    if (aim === undefined || isBelow(aim, real)) {
      entries.push({ at, link: aim !== undefined && isAbsolute(link) ? relative(dirname(path), aim) : link });
      return;
    }
    if (options.follow?.some((folder) => isBelow(aim, folder)) !== true || inside.includes(aim)) {
      entries.push({ at, link });
      return;
    }
    const facts = await stat(aim);
    if (facts.isDirectory()) return walk(aim, at, [...inside, aim]);
    if (facts.isFile()) pending.push(async () => void entries.push(...(await readEntry(aim, at, options))));
  };
  await walk(root, "", []);
  await inTurns(pending);
  return entries.sort((left, right) => (left.at < right.at ? -1 : 1));
}

/** One file as an entry; nothing where it is gone. */
export async function readEntry(path: string, at: string, options: ListOptions): Promise<readonly TaskEntry[]> {
  const facts = await stat(path).catch(ifGone);
  if (facts === undefined) return [];
  const executable = (facts.mode & 0o100) !== 0 ? { isExecutable: true as const } : {};
  if (facts.size <= INLINE_BYTES && options.inline.left >= facts.size) {
    options.inline.left -= facts.size;
    const content = await readFile(path);
    return [{ at, inline: content.toString("base64"), ...executable }];
  }
  const digest = await digestOfFile(path);
  await options.keep(digest, path);
  return [{ at, digest, sizeBytes: facts.size, ...executable }];
}

async function inTurns(work: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < work.length; at = next++) await work[at]?.();
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, work.length) }, worker));
}

/** What a link leads to, when it stays below a folder; undefined when it does not. */
export function insideOf(folder: string, at: string, link: string): string | undefined {
  if (isAbsolute(link)) return undefined;
  const aim = resolve(folder, dirname(at), link);
  return isBelow(aim, folder) ? aim : undefined;
}

function ifGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR" || error.code === "ELOOP") return undefined;
  throw error;
}
