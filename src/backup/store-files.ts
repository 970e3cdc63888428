import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { failureOf } from "./copy-files.ts";

/**
 * Can be made again, or belongs to what runs now. Checkpoints of the event log (`audit`) are newer than the metadata of
 * a backup: the log that is restored would not continue them.
 */
const LEFT_OUT = new Set(["work", "cache", "python", "audit"]);
const METADATA = /^metadata\.sqlite(-wal|-shm|-journal)?$/;
/** What is being written, and was not promised to anybody. */
const UNFINISHED = [/\/_delta_log\/\.tmp-[^/]*$/, /^(?!artifacts\/).*\.part$/];
const INCOMING = /^[^/]+\/\.?incoming$/;

/**
 * Files of a store that a backup holds, relative to its folder: all but the metadata, what can be made again, and what
 * is being written. Links and sockets are left out.
 */
export async function listStoreFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  await walk(folder, "", found);
  // A Delta log's entry is written after the data that it names: with logs first, a copy has all that they name.
  return found.sort((left, right) => Number(names(right)) - Number(names(left)) || (left < right ? -1 : 1));
}

function names(path: string): boolean {
  return isLog(path) || isRef(path);
}

/** The same holds for the branches of a repository and its commits. */
function isRef(path: string): boolean {
  return /^git\/[^/]+\.git\/(refs\/|packed-refs$)/.test(path);
}

function isLog(path: string): boolean {
  return path.includes("/_delta_log/");
}

async function walk(root: string, below: string, found: string[]): Promise<void> {
  let entries: readonly Dirent[];
  try {
    entries = await readdir(join(root, below), { withFileTypes: true });
  } catch (error) {
    // A folder that went away meanwhile.
    if (failureOf(error).code === "ENOENT" && below !== "") return;
    throw error;
  }
  for (const entry of entries) {
    const isTop = below === "";
    if (isTop && (LEFT_OUT.has(entry.name) || METADATA.test(entry.name))) continue;
    const path = isTop ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!INCOMING.test(path)) await walk(root, path, found);
    } else if (entry.isFile() && !UNFINISHED.some((pattern) => pattern.test(path))) found.push(path);
  }
}
