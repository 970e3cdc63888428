import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, newId } from "#base";
import { digestOfFile } from "#storage";
import { cacheEntrySchema } from "./job-plan.ts";

/** Caches beyond this go, those first that were not used for longest. */
const LARGEST_CACHES_BYTES = 10 * 1024 ** 3;
/** As long as GitHub keeps artifacts by default. */
const ARTIFACT_DAYS = 90;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Archives that jobs leave for other jobs. They are made and read by the processes of jobs alone: here they are bytes.
 */
export interface KeptFiles {
  /** Keeps an archive; its digest names it. */
  keepArtifact(path: string): Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
  /** Absolute path of a kept artifact; undefined when it is gone. */
  artifactPath(digest: string): Promise<string | undefined>;
  /** Folder with the caches of a branch, for reading. */
  cacheFolder(scope: string): string;
  /** A key that is there already stays as it is. */
  keepCache(cache: {
    readonly scope: string;
    readonly key: string;
    readonly version: string;
    readonly path: string;
    readonly atMs: number;
  }): Promise<void>;
  /** Removes what is old or too much. */
  trim(atMs: number): Promise<void>;
}

/** @param folder absolute; below the store */
export function createKeptFiles(folder: string): KeptFiles {
  const artifacts = join(folder, "artifacts");
  const caches = join(folder, "caches");
  const cacheFolder = (scope: string): string => join(caches, digestOf(scope).slice("sha256:".length, 39));
  const artifactFile = (digest: string): string => join(artifacts, `${digest.replace(/^sha256:/, "")}.tar.gz`);
  return {
    async keepArtifact(path) {
      await assertFile(path);
      const digest = await digestOfFile(path);
      const { size } = await stat(path);
      await putFile(path, artifactFile(digest));
      return { digest, sizeBytes: size };
    },
    async artifactPath(digest) {
      if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
      const path = artifactFile(digest);
      return (await stat(path).catch(() => undefined)) === undefined ? undefined : path;
    },
    cacheFolder,
    async keepCache({ scope, key, version, path, atMs }) {
      await assertFile(path);
      const target = cacheFolder(scope);
      const name = nameOfCache(key, version);
      if ((await stat(join(target, `${name}.json`)).catch(() => undefined)) !== undefined) return;
      await putFile(path, join(target, `${name}.tar.gz`));
      const partial = join(target, `${name}.${newId()}.part`);
      await writeFile(partial, JSON.stringify({ key, version, createdAtMs: atMs }));
      await rename(partial, join(target, `${name}.json`));
    },
    async trim(atMs) {
      await removeOld(artifacts, atMs - ARTIFACT_DAYS * DAY_MS);
      await removeBeyond(caches, LARGEST_CACHES_BYTES);
    },
  };
}

/** Name of a cache's files in the folder of its branch. */
export function nameOfCache(key: string, version: string): string {
  return digestOf(`${version}\n${key}`).slice("sha256:".length, 47);
}

/** The cache that a key, or the beginning of one, names in folders that are asked in turn. */
export async function findCache(
  folders: readonly string[],
  wanted: { readonly key: string; readonly restoreKeys: readonly string[]; readonly version: string },
): Promise<{ readonly key: string; readonly path: string } | undefined> {
  for (const folder of folders) {
    const known = await readEntries(folder, wanted.version);
    const exact = known.find(({ key }) => key === wanted.key);
    if (exact !== undefined) return exact;
    for (const prefix of [wanted.key, ...wanted.restoreKeys]) {
      const [newest] = known
        .filter(({ key }) => key.startsWith(prefix))
        .toSorted((left, right) => right.createdAtMs - left.createdAtMs);
      if (newest !== undefined) return newest;
    }
  }
  return undefined;
}

async function readEntries(
  folder: string,
  version: string,
): Promise<readonly { readonly key: string; readonly path: string; readonly createdAtMs: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const entries = await Promise.all(
    names
      .filter((name) => name.endsWith(".json"))
      .map(async (name) => {
        const text = await readFile(join(folder, name), "utf8").catch(() => "null");
        const parsed = cacheEntrySchema.safeParse(JSON.parse(text));
        if (!parsed.success || parsed.data.version !== version) return [];
        return [{ ...parsed.data, path: join(folder, name.replace(/\.json$/, ".tar.gz")) }];
      }),
  );
  return entries.flat();
}

/** A link that a job left in the place of its archive is not followed. */
async function assertFile(path: string): Promise<void> {
  if (!(await lstat(path)).isFile()) throw new Error(`${path} is no file`);
}

async function putFile(path: string, target: string): Promise<void> {
  await mkdir(join(target, ".."), { recursive: true });
  const partial = `${target}.${newId()}.part`;
  await copyFile(path, partial);
  await rename(partial, target);
  const now = new Date();
  await utimes(target, now, now);
}

async function removeOld(folder: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < beforeMs) await rm(path, { force: true });
  }
}

async function removeBeyond(folder: string, limit: number): Promise<void> {
  const archives: { path: string; size: number; atMs: number }[] = [];
  for (const scope of await readdir(folder).catch(() => []))
    for (const name of await readdir(join(folder, scope)).catch(() => [])) {
      if (!name.endsWith(".tar.gz")) continue;
      const path = join(folder, scope, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined) archives.push({ path, size: found.size, atMs: Math.max(found.atimeMs, found.mtimeMs) });
    }
  let total = 0;
  for (const { path, size } of archives.toSorted((left, right) => right.atMs - left.atMs)) {
    total += size;
    if (total <= limit) continue;
    // Its description first: what is not described is not found.
    await rm(path.replace(/\.tar\.gz$/, ".json"), { force: true });
    await rm(path, { force: true });
  }
}
