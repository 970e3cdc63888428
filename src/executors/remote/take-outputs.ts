import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, lstat, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Blobs } from "#storage";
import { insideOf, isBelow } from "./list-entries.ts";
import { taskOutputRefused } from "./remote-errors.ts";
import type { TakenPath, TaskEntry } from "./task-format.ts";

/**
 * Puts what a worker sent where the step would have left it here. Nothing is written outside the step's own folders,
 * nor through a link.
 *
 * @param facts.folders that the process may write, absolute
 * @param facts.takes what was asked for; undefined: whatever changed in these folders
 * @throws EXECUTORS_TASK_OUTPUT_REFUSED, STORAGE_OBJECT_MISSING, STORAGE_OBJECT_DAMAGED
 */
export async function takeOutputs(
  taken: readonly TakenPath[],
  facts: {
    readonly folders: readonly string[];
    readonly takes: readonly string[] | undefined;
    readonly objects: Blobs;
    readonly leftOut: (path: string) => void;
  },
): Promise<void> {
  for (const each of taken) {
    const path = resolve(each.path);
    const wanted = facts.takes?.map((one) => resolve(one)) ?? facts.folders;
    if (!wanted.includes(path)) throw taskOutputRefused({ path: each.path, reason: "nobody asked for it" });
    const folder = facts.folders.find((one) => isBelow(path, one));
    if (folder === undefined)
      throw taskOutputRefused({ path: each.path, reason: "it is outside of the step's own folders" });
    await assertNoLink(folder, dirname(path));
    // oxlint-disable-next-line no-await-in-loop -- one after the other: none is written through a link of another
    await takePath(path, each, facts);
  }
}

async function takePath(
  path: string,
  { isFile, isWhole, isMissing, entries }: TakenPath,
  facts: { readonly objects: Blobs; readonly leftOut: (path: string) => void },
): Promise<void> {
  if (isMissing || isWhole || isFile) await rm(path, { recursive: true, force: true });
  if (isMissing) return;
  if (isFile) {
    const [entry] = entries;
    if (entry === undefined) throw taskOutputRefused({ path, reason: "it has no content" });
    await mkdir(dirname(path), { recursive: true });
    return writeEntry(path, entry, facts.objects);
  }
  await mkdir(path, { recursive: true });
  const links: (readonly [string, string])[] = [];
  for (const entry of entries) {
    const target = place(path, entry.at);
    if (!isWhole) await assertNoLink(path, dirname(target));
    if (entry.link !== undefined) {
      if (insideOf(path, entry.at, entry.link) === undefined) facts.leftOut(target);
      else links.push([target, entry.link]);
    } else if (entry.digest === undefined && entry.inline === undefined) {
      await mkdir(target, { recursive: true });
    } else {
      await mkdir(dirname(target), { recursive: true });
      await writeEntry(target, entry, facts.objects);
    }
  }
  // Last: no file is written through one of them.
  for (const [target, link] of links) {
    // Where a link leads is told by names: below another link they would say something else.
    await assertNoLink(path, dirname(target));
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { recursive: true, force: true });
    await symlink(link, target);
  }
}

async function writeEntry(target: string, entry: TaskEntry, objects: Blobs): Promise<void> {
  const partial = join(dirname(target), `.${randomUUID()}.part`);
  if (entry.inline !== undefined) await writeFile(partial, Buffer.from(entry.inline, "base64"));
  else if (entry.digest !== undefined)
    await pipeline(await objects.open(entry.digest), createWriteStream(partial, { mode: 0o644 }));
  await chmod(partial, entry.isExecutable === true ? 0o755 : 0o644);
  const before = await lstat(target).catch(() => undefined);
  if (before?.isDirectory() === true) await rm(target, { recursive: true });
  await rename(partial, target);
}

function place(folder: string, at: string): string {
  const segments = at.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..") || at.includes("\0"))
    throw taskOutputRefused({ path: at, reason: "it is no plain path below a folder" });
  return join(folder, ...segments);
}

/** @throws EXECUTORS_TASK_OUTPUT_REFUSED when a folder on the way is a link */
async function assertNoLink(folder: string, path: string): Promise<void> {
  for (let each = path; each !== folder && isBelow(each, folder); each = dirname(each)) {
    const facts = await lstat(each).catch(() => undefined);
    if (facts !== undefined && !facts.isDirectory())
      throw taskOutputRefused({ path, reason: `${each} is no folder of its own` });
  }
}
