import { constants } from "node:fs";
import { chmod, copyFile, link, lstat, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Digest, Json } from "#base";
import { isBelow, listEntries, type ListOptions, readEntry } from "../remote/list-entries.ts";
import { taskOutputRefused } from "../remote/remote-errors.ts";
import type { TaskEntry, TaskRoot, TakenPath } from "../remote/task-format.ts";

const AT_ONCE = 16;
const INLINE_BYTES = 512 * 1024;
/** Larger inputs are not copied for each task: they are only read. */
const LARGEST_COPY_BYTES = 1024 * 1024;

/** Paths of the engine's machine and of this one. */
export class PathMap {
  readonly #pairs: readonly (readonly [string, string])[];
  readonly #pattern: RegExp | undefined;

  constructor(pairs: readonly (readonly [string, string])[]) {
    // The longest first: one may lie in another.
    this.#pairs = [...pairs].sort(([left], [right]) => right.length - left.length);
    const names = this.#pairs.map(([path]) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    this.#pattern = names.length === 0 ? undefined : new RegExp(`(?:${names.join("|")})(?![\\w.-])`, "g");
  }

  /** A text with every path in it replaced. */
  text(text: string): string {
    if (this.#pattern === undefined) return text;
    return text.replaceAll(this.#pattern, (path) => this.#pairs.find(([from]) => from === path)?.[1] ?? path);
  }

  json(value: Json): Json {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((each) => this.json(each));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.json(each)]));
  }
}

/** Makes the folder of a root. `fetch` gives the path of an object here, which is not to be written. */
export async function makeRoot(
  root: Extract<TaskRoot, { readonly kind: "work" | "input" }>,
  folder: string,
  fetch: (digest: Digest) => Promise<string>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const links: TaskEntry[] = [];
  let next = 0;
  const make = async (): Promise<void> => {
    for (let entry = root.entries[next++]; entry !== undefined; entry = root.entries[next++]) {
      const target = placeIn(folder, entry.at);
      if (entry.link !== undefined) links.push(entry);
      else if (entry.digest === undefined && entry.inline === undefined) await mkdir(target, { recursive: true });
      else await makeFile(target, entry, { fetch, isRead: root.kind === "input" });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
  for (const entry of links) {
    const target = placeIn(folder, entry.at);
    await mkdir(dirname(target), { recursive: true });
    await symlink(entry.link ?? "", target);
  }
}

async function makeFile(
  target: string,
  entry: TaskEntry,
  { fetch, isRead }: { readonly fetch: (digest: Digest) => Promise<string>; readonly isRead: boolean },
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const mode = entry.isExecutable === true ? 0o755 : 0o644;
  if (entry.inline !== undefined) return writeFile(target, Buffer.from(entry.inline, "base64"), { mode });
  if (entry.digest === undefined) return undefined;
  const source = await fetch(entry.digest);
  if (isRead && (entry.sizeBytes ?? 0) > LARGEST_COPY_BYTES && entry.isExecutable !== true) {
    const isLinked = await link(source, target).then(
      () => true,
      () => false,
    );
    if (isLinked) return undefined;
  }
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await chmod(target, mode);
}

function placeIn(folder: string, at: string): string {
  const target = resolve(folder, at);
  if (target === folder || !isBelow(target, folder))
    throw taskOutputRefused({ path: at, reason: "it is no plain path below a folder" });
  return target;
}

/** Writes the paths of this machine into the file that tells a step where its inputs are. */
export async function rewriteContext(path: string, map: PathMap): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const context: Json = JSON.parse(text);
  await writeFile(path, JSON.stringify(map.json(context), undefined, 2));
}

/** A folder that came, and the one that it became. */
export interface MadeRoot {
  readonly root: Extract<TaskRoot, { readonly kind: "work" | "input" }>;
  readonly folder: string;
}

/**
 * What a process left that its engine reads.
 *
 * @param takes paths of the engine's machine; undefined: whatever is new in the folders that the process may write
 * @param keep gets what is too large to go with the list
 */
export async function collectOutputs(
  takes: readonly string[] | undefined,
  roots: readonly MadeRoot[],
  { map, keep }: { readonly map: PathMap; readonly keep: (digest: Digest, path: string) => Promise<void> },
): Promise<readonly TakenPath[]> {
  const options = { inline: { left: INLINE_BYTES }, keep };
  const taken: TakenPath[] = [];
  if (takes === undefined) {
    for (const made of roots) if (made.root.kind === "work") taken.push(await changesIn(made, options));
    return taken;
  }
  for (const path of new Set(takes)) {
    const here = map.text(resolve(path));
    const facts = await stat(here).catch(() => undefined);
    const shape = { path, isFile: facts?.isFile() === true, isWhole: true, isMissing: facts === undefined };
    if (facts?.isDirectory() === true) taken.push({ ...shape, entries: [...(await listEntries(here, options))] });
    else if (facts?.isFile() === true && !(await lstat(here)).isSymbolicLink())
      taken.push({ ...shape, entries: [...(await readEntry(here, basename(here), options))] });
    else taken.push({ ...shape, isFile: false, isMissing: true, entries: [] });
  }
  return taken;
}

async function changesIn({ root, folder }: MadeRoot, options: ListOptions): Promise<TakenPath> {
  const before = new Map(root.entries.map((entry) => [entry.at, entry]));
  const deferred = new Map<Digest, string>();
  const now = await listEntries(folder, {
    ...options,
    // What did not change is not sent, and is known when all is listed.
    keep: async (digest, path) => void deferred.set(digest, path),
  });
  const changed = now.filter((entry) => {
    const known = before.get(entry.at);
    if (known === undefined) return true;
    return known.digest !== entry.digest || known.inline !== entry.inline || known.link !== entry.link;
  });
  for (const { digest } of changed) {
    const path = digest === undefined ? undefined : deferred.get(digest);
    if (digest !== undefined && path !== undefined) await options.keep(digest, path);
  }
  return { path: root.path, isFile: false, isWhole: false, isMissing: false, entries: changed };
}

/** Makes the context's folders readable where a process runs as another user. */
export const folderOf = (base: string, index: number): string => join(base, `r${index}`);
