import { isAbsolute } from "node:path";
import { type Digest, isDigest, messageOf } from "#base";
import { type ExpectedVersion, listTables, tableAt, verifyTable } from "#data";
import {
  type AssetVersion,
  getAssetVersion,
  listUses,
  listVersionsInTable,
  listVersionsNaming,
  type MetadataStore,
} from "#metadata-store";
import {
  countLogsIn,
  listHeldObjects,
  listLogBlobs,
  listLogGaps,
  listModelSources,
  listVersionsAfter,
} from "#metadata-store/upkeep";
import { type Blobs, digestOfNewFile, type Files, type LocalFiles } from "#storage";
import type { ArtifactFolder } from "#tracking";

/** A file whose bytes are not what was recorded, and what is affected. */
export interface Damage {
  /** Absolute. */
  readonly file: string;
  readonly problem: string;
  /** `delay 3`: asset and number; models among them. */
  readonly versions: readonly string[];
  readonly releases: readonly string[];
  readonly endpoints: readonly string[];
}

export interface StoreVerification {
  readonly objects: number;
  readonly tables: number;
  readonly tableFiles: number;
  /** Files of registered model versions among the artifacts; 0 unless it was deep. */
  readonly artifacts: number;
  readonly bytes: number;
  readonly damages: readonly Damage[];
}

/** How far it is. */
export interface VerifyProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface VerifyOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  /** Of the Delta tables. */
  readonly tableFiles: LocalFiles;
  readonly artifacts: ArtifactFolder;
  /**
   * `quick`: what is named is there, with its size. `bytes`: every byte is compared with its digest. `deep`: also rows
   * of data files, artifacts of registered models, and logs.
   */
  readonly depth: "quick" | "bytes" | "deep";
  /** sha256 of a file of this machine; default: read here. */
  readonly digestFile?: ((path: string) => Promise<Digest>) | undefined;
  readonly countRows?: ((path: string) => Promise<number>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

const VERSIONS_A_PAGE = 500;
/** A recipe or a file may be in every version there is: so many are named. */
const MOST_HOLDERS = 1000;

/** Compares what a store keeps with what its metadata say of it. Nothing is changed. */
export async function verifyStore(options: VerifyOptions): Promise<StoreVerification> {
  const { store, objects, tableFiles, depth, signal } = options;
  const digestFile = options.digestFile ?? digestOfNewFile;
  const damages: Damage[] = [];
  const done = { files: 0, bytes: 0 };
  const count = (sizeBytes: number): void => {
    done.files++;
    done.bytes += sizeBytes;
    options.onProgress?.(done);
  };
  const tell = async (
    found: { readonly file: string; readonly problem: string },
    versions: readonly AssetVersion[],
  ): Promise<void> => {
    const uses = await store.read((transaction) =>
      listUses(
        transaction,
        versions.map(({ id }) => id),
      ),
    );
    damages.push({ ...found, versions: versions.map(({ asset, version }) => `${asset} ${version}`), ...uses });
  };
  const named = await listNamed(store);
  let objectCount = 0;
  for await (const { digest, path } of objects.list()) {
    signal?.throwIfAborted();
    objectCount++;
    const problem = await problemOfObject(options, { digest, path, digestFile, named, count });
    named.objects.delete(digest);
    if (problem !== undefined)
      await tell(
        { file: path, problem: await withLogs(options, digest, problem) },
        await findHolders({ store, objects }, digest),
      );
  }
  for (const [digest, { holders }] of named.objects) {
    // One that was written while the others were looked at.
    if ((await objects.stat(digest)) !== undefined) continue;
    const versions = await store.read(async (transaction) =>
      (await Promise.all(holders.map((id) => getAssetVersion(transaction, { id })))).filter(
        (version) => version !== undefined,
      ),
    );
    await tell({ file: digest, problem: await withLogs(options, digest, "it is missing") }, versions);
  }
  let fileCount = 0;
  const tables = new Set([...(await listTables(tableFiles)), ...named.tables.keys()]);
  for (const table of tables) {
    signal?.throwIfAborted();
    const verified = await verifyTable(tableAt(tableFiles, table), {
      versions: named.tables.get(table) ?? [],
      readsBytes: depth !== "quick",
      digestFile,
      countRows: depth === "deep" ? options.countRows : undefined,
      signal,
      onFile: count,
    });
    fileCount += verified.files;
    if (verified.damages.length === 0) continue;
    const versions = await store.read((transaction) => listVersionsInTable(transaction, table));
    for (const { file, problem, from, until } of verified.damages)
      await tell(
        { file, problem },
        versions.filter((version) => isHeld(version, from, until)),
      );
  }
  const artifacts = depth === "deep" ? await verifyArtifacts(options, { damages, count }) : 0;
  if (depth === "deep") damages.push(...(await listLogDamages(store)));
  return { objects: objectCount, tables: tables.size, tableFiles: fileCount, artifacts, bytes: done.bytes, damages };
}

/** Says whose logs are gone with an object. */
async function withLogs({ store }: VerifyOptions, digest: Digest, problem: string): Promise<string> {
  const logs = await store.read((transaction) => countLogsIn(transaction, digest));
  return logs === 0 ? problem : `${problem}; it holds the log of ${logs} step run${logs === 1 ? "" : "s"}`;
}

async function listLogDamages(store: MetadataStore): Promise<readonly Damage[]> {
  const gaps = await store.readLong((transaction) => listLogGaps(transaction));
  return gaps.map(({ stepRunId, attempt, missing }) => ({
    file: `log of step run ${stepRunId}, attempt ${attempt}`,
    problem: `${missing} pieces are missing`,
    versions: [],
    releases: [],
    endpoints: [],
  }));
}

async function problemOfObject(
  { objects, depth }: VerifyOptions,
  of: {
    readonly digest: Digest;
    readonly path: string;
    readonly digestFile: (path: string) => Promise<Digest>;
    readonly named: Named;
    readonly count: (sizeBytes: number) => void;
  },
): Promise<string | undefined> {
  const { digest, path } = of;
  try {
    const sizeBytes = (await objects.stat(digest))?.sizeBytes ?? 0;
    of.count(sizeBytes);
    const expected = of.named.objects.get(digest)?.sizeBytes;
    if (expected !== undefined && expected !== sizeBytes) return `it has ${sizeBytes} bytes, ${expected} were recorded`;
    if (depth === "quick") return undefined;
    const found = isAbsolute(path) ? await of.digestFile(path) : await objects.digestOfStored(digest);
    return found === digest ? undefined : `it has digest ${found}, expected ${digest}`;
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}`;
  }
}

/** What the metadata say is kept. */
interface Named {
  readonly objects: Map<Digest, { readonly sizeBytes: number | undefined; readonly holders: string[] }>;
  /** Versions of datasets by their table. */
  readonly tables: Map<string, ExpectedVersion[]>;
}

async function listNamed(store: MetadataStore): Promise<Named> {
  const named: Named = { objects: new Map(), tables: new Map() };
  const note = (digest: unknown, sizeBytes: unknown, holder?: string): void => {
    if (typeof digest !== "string" || !isDigest(digest)) return;
    const { sizeBytes: known, holders } = named.objects.get(digest) ?? { sizeBytes: undefined, holders: [] };
    if (holder !== undefined && holders.length < MOST_HOLDERS) holders.push(holder);
    named.objects.set(digest, { sizeBytes: typeof sizeBytes === "number" ? sizeBytes : known, holders });
  };
  for (let after = ""; ;) {
    const page = await store.read((transaction) => listVersionsAfter(transaction, { after, limit: VERSIONS_A_PAGE }));
    for (const version of page) noteVersion(named, note, version);
    after = page.at(-1)?.id ?? after;
    if (page.length < VERSIONS_A_PAGE) break;
  }
  for (const { digest } of await store.read((transaction) => listHeldObjects(transaction))) note(digest, undefined);
  for (const { digest, sizeBytes } of await store.read((transaction) => listLogBlobs(transaction)))
    note(digest, sizeBytes);
  return named;
}

/** Fields that `data`, `models` and `pipeline` write: a tree of objects, a recipe, a profile, a table. */
function noteVersion(
  { tables }: Named,
  note: (digest: unknown, sizeBytes: unknown, holder?: string) => void,
  { id, content, expiredAtMs }: AssetVersion,
): void {
  const { files, tree, recipe, profile, table, deltaVersion, logDigest } = fieldsOf(content);
  const listed = [files, fieldsOf(tree)["files"]].find((each) => Array.isArray(each));
  for (const each of Array.isArray(listed) ? listed : []) {
    const { digest, sizeBytes } = fieldsOf(each);
    note(digest, sizeBytes, id);
  }
  note(recipe, undefined, id);
  note(profile, undefined, id);
  if (typeof table !== "string" || typeof deltaVersion !== "number" || expiredAtMs !== undefined) return;
  const versions = tables.get(table) ?? [];
  versions.push({ deltaVersion, logDigest: typeof logDigest === "string" ? logDigest : undefined });
  tables.set(table, versions);
}

/** @returns the size of a file that could be read to its end */
async function readThrough(files: Files, path: string): Promise<number> {
  const opened = await files.open(path);
  try {
    for await (const piece of opened.read()) void piece;
    return opened.sizeBytes;
  } finally {
    await opened.close();
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** Files of registered model versions that this server keeps: they are there, and can be read. */
async function verifyArtifacts(
  { store, artifacts, signal }: VerifyOptions,
  { damages, count }: { readonly damages: Damage[]; readonly count: (sizeBytes: number) => void },
): Promise<number> {
  let files = 0;
  for (const { name, version, location } of await store.read((transaction) => listModelSources(transaction))) {
    signal?.throwIfAborted();
    const affected = { versions: [`${name} ${version}`], releases: [], endpoints: [] };
    let place;
    try {
      place = artifacts.at(location);
    } catch {
      // Kept elsewhere: clients alone read it.
      continue;
    }
    try {
      let found = 0;
      for await (const { path } of place.folder.files.list(place.path)) {
        count(await readThrough(place.folder.files, path));
        found++;
      }
      files += found;
      if (found === 0) damages.push({ file: location, problem: "it is missing", ...affected });
    } catch (error) {
      damages.push({ file: location, problem: `it cannot be read: ${messageOf(error)}`, ...affected });
    }
  }
  return files;
}

/** A file of a recipe is named by the step's recipe, that one by the recipe of what the step made. */
const LONGEST_CHAIN = 3;
/** Recipes and records are smaller. */
const LARGEST_RECORD_BYTES = 4_000_000;

/** Versions that name an object, or name an object that names it. */
async function findHolders(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  digest: Digest,
): Promise<readonly AssetVersion[]> {
  const holders = new Map<string, AssetVersion>();
  const seen = new Set<Digest>([digest]);
  for (let wanted = [digest], step = 0; wanted.length > 0 && step < LONGEST_CHAIN; step++) {
    for (const each of wanted)
      for (const version of await store.read((transaction) => listVersionsNaming(transaction, each)))
        holders.set(version.id, version);
    wanted = (await findNaming(objects, wanted)).filter((each) => !seen.has(each));
    for (const each of wanted) seen.add(each);
  }
  return [...holders.values()];
}

/** Objects of JSON that name one of these. */
async function findNaming(objects: Blobs, wanted: readonly Digest[]): Promise<readonly Digest[]> {
  const naming: Digest[] = [];
  for await (const { digest } of objects.list()) {
    if (((await objects.stat(digest))?.sizeBytes ?? Infinity) > LARGEST_RECORD_BYTES) continue;
    // Of a damaged one nothing can be read.
    const text = (await objects.get(digest).catch(() => Buffer.alloc(0))).toString("latin1");
    if (text.startsWith("{") && wanted.some((each) => text.includes(each))) naming.push(digest);
  }
  return naming;
}

function isHeld({ content }: AssetVersion, from: number, until: number | undefined): boolean {
  const { deltaVersion } = fieldsOf(content);
  return typeof deltaVersion === "number" && deltaVersion >= from && (until === undefined || deltaVersion < until);
}
