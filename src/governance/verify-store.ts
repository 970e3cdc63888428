import type { Blobs, LocalFiles } from "#storage";
import { type Digest, messageOf } from "#base";
import { listTables, tableAt, verifyTable } from "#data";
import {
  type AssetVersion,
  listUses,
  listVersionsInTable,
  listVersionsNaming,
  type MetadataStore,
} from "#metadata-store";

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
  readonly damages: readonly Damage[];
}

/**
 * Reads every object, every log entry and every data file of a store and compares them with their digests. Nothing is
 * changed.
 *
 * @param tableFiles of the Delta tables
 */
export async function verifyStore(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  { tableFiles, signal }: { readonly tableFiles: LocalFiles; readonly signal?: AbortSignal | undefined },
): Promise<StoreVerification> {
  const damages: Damage[] = [];
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
  let objectCount = 0;
  for await (const { digest, path } of objects.list()) {
    signal?.throwIfAborted();
    objectCount++;
    const found = await objects.digestOfStored(digest).catch((error: unknown) => messageOf(error));
    if (found === digest) continue;
    await tell(
      {
        file: path,
        problem: found.startsWith("sha256:")
          ? `it has digest ${found}, expected ${digest}`
          : `it cannot be read: ${found}`,
      },
      await findHolders({ store, objects }, digest),
    );
  }
  let fileCount = 0;
  const tables = await listTables(tableFiles);
  for (const table of tables) {
    signal?.throwIfAborted();
    const verified = await verifyTable(tableAt(tableFiles, table));
    fileCount += verified.files;
    if (verified.damages.length === 0) continue;
    const versions = await store.read((transaction) => listVersionsInTable(transaction, table));
    for (const { file, problem, from, until } of verified.damages)
      await tell(
        { file, problem },
        versions.filter((version) => isHeld(version, from, until)),
      );
  }
  return { objects: objectCount, tables: tables.length, tableFiles: fileCount, damages };
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
  const { deltaVersion } = content as { readonly deltaVersion?: unknown };
  return typeof deltaVersion === "number" && deltaVersion >= from && (until === undefined || deltaVersion < until);
}
