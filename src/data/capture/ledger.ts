import { type Digest, digestOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import { type CapturedFile, listCapturedFiles } from "#metadata-store/data";
import type { WriteDisposition } from "../dataset.ts";
import { isKeyed } from "../write-disposition.ts";
import type { IdentifiedFile } from "./capture.ts";

const PAGE = 10_000;

/** What a capture does with a file that it captured before and that has other content now. */
export const CHANGED_FILES = ["supersede", "append"] as const;

/** A dataset's ledger beside the files that are there now. */
export interface CaptureNeeds {
  /** Files to read, in order of their paths. */
  readonly files: readonly IdentifiedFile[];
  readonly newCount: number;
  readonly changedCount: number;
  /** Asked for, held back before, or read again because the dataset is replaced. */
  readonly againCount: number;
  readonly unchangedCount: number;
  /** Captured content that has another name now. */
  readonly moved: readonly { readonly digest: string; readonly path: string }[];
  /** Captured before, and not there any more: their rows stay, unless the dataset is replaced. */
  readonly goneCount: number;
  /** Their rows are not in the version that the dataset was restored to. */
  readonly leftOut: readonly CapturedFile[];
  /** Same bytes as another file, which is captured instead. */
  readonly copies: readonly { readonly path: string; readonly of: string }[];
}

export async function readLedger(
  store: MetadataStore,
  of: { readonly project: string; readonly dataset: string },
): Promise<readonly CapturedFile[]> {
  const entries: CapturedFile[] = [];
  for (let after = ""; ;) {
    const page = await store.read((transaction) => listCapturedFiles(transaction, { ...of, after, limit: PAGE }));
    entries.push(...page);
    after = page.at(-1)?.digest ?? "";
    if (page.length < PAGE) return entries;
  }
}

/**
 * Content decides: what is known by its bytes is captured, wherever it lies now. A path whose content is new brings its
 * earlier content to an end, unless that lies under another path now.
 *
 * @param found files that are there, by path, without what they supersede
 */
export function compareWithLedger(
  ledger: readonly CapturedFile[],
  found: readonly Omit<IdentifiedFile, "supersedes">[],
  options: { readonly isReplaced: boolean; readonly changed: (typeof CHANGED_FILES)[number] },
): CaptureNeeds {
  const places = Map.groupBy(found, ({ digest }) => digest as string);
  const firsts = [...places.values()].flatMap(([first]) => first ?? []);
  const open = openFiles(ledger, firsts, { places, changed: options.changed });
  const gone = goneEntries(ledger, found, { places, open, changed: options.changed });
  const leftOut = ledger.filter(({ state }) => state === "left_out");
  const isDifferent = open.length > 0 || (gone.length > 0 && leftOut.length === 0);
  const readsAll = options.isReplaced && isDifferent;
  const files = readsAll ? firsts.map((file) => ({ ...file, supersedes: [] })) : open.map(({ file }) => file);
  const count = (why: OpenFile["why"]): number => open.filter((one) => one.why === why).length;
  return {
    files: files.sort((left, right) => (left.path < right.path ? -1 : 1)),
    newCount: count("new"),
    changedCount: count("changed"),
    againCount: count("again") + files.length - open.length,
    unchangedCount: firsts.length - files.length,
    moved: ledger.flatMap(({ digest, path }) => {
      const now = places.get(digest);
      return now === undefined || now.some((place) => place.path === path)
        ? []
        : [{ digest, path: now[0]?.path ?? path }];
    }),
    goneCount: gone.length,
    leftOut: leftOut.filter(({ digest }) => places.has(digest)),
    copies: [...places.values()].flatMap(([first, ...others]) =>
      first === undefined ? [] : others.map(({ path }) => ({ path, of: first.path })),
    ),
  };
}

/**
 * The source is as a run captured it. Where rows are merged that must be the last run: a source may go back to what it
 * was, and the dataset with it.
 */
export function isAsCaptured(
  ledger: readonly CapturedFile[],
  { digest }: { readonly digest: string },
  disposition: WriteDisposition,
): boolean {
  const captured = ledger.filter(({ state }) => state === "captured");
  const lastMs = isKeyed(disposition) ? Math.max(...captured.map(({ atMs }) => atMs)) : undefined;
  return captured.some((entry) => entry.digest === digest && (lastMs === undefined || entry.atMs === lastMs));
}

/**
 * Files of which each is all that the source had at its time: one that has the bytes of an earlier one is no copy of
 * it, but tells that everything was so again. The first, or the one that was captured, is known by its bytes alone.
 */
export function tellSnapshotsApart<F extends { readonly path: string; readonly digest: Digest }>(
  files: readonly F[],
  ledger: readonly CapturedFile[],
): readonly F[] {
  const owners = new Map(ledger.map(({ digest, path }) => [digest, path]));
  const paths = new Set(files.map(({ path }) => path));
  return files.map((file) => {
    const captured = owners.get(file.digest);
    const owner =
      captured !== undefined && paths.has(captured)
        ? captured
        : files.find(({ digest }) => digest === file.digest)?.path;
    return owner === file.path ? file : { ...file, digest: digestOf(JSON.stringify([file.path, file.digest])) };
  });
}

interface OpenFile {
  readonly file: IdentifiedFile;
  readonly why: "new" | "changed" | "again";
}

type Places = ReadonlyMap<string, readonly unknown[]>;

function openFiles(
  ledger: readonly CapturedFile[],
  files: readonly Omit<IdentifiedFile, "supersedes">[],
  { places, changed }: { readonly places: Places; readonly changed: (typeof CHANGED_FILES)[number] },
): OpenFile[] {
  const byDigest = new Map(ledger.map((entry) => [entry.digest, entry]));
  const byPath = Map.groupBy(ledger, ({ path }) => path);
  return files.flatMap((file): OpenFile[] => {
    const known = byDigest.get(file.digest);
    if (known?.state === "captured" || known?.state === "left_out") return [];
    const earlier = (byPath.get(file.path) ?? []).filter(({ digest }) => digest !== file.digest && !places.has(digest));
    const isChanged = earlier.length > 0 && changed === "supersede";
    const supersedes = [...(isChanged ? earlier : []), ...(known === undefined ? [] : [known])];
    return [{ file: { ...file, supersedes }, why: known !== undefined ? "again" : isChanged ? "changed" : "new" }];
  });
}

function goneEntries(
  ledger: readonly CapturedFile[],
  found: readonly { readonly path: string }[],
  {
    places,
    open,
    changed,
  }: { readonly places: Places; readonly open: readonly OpenFile[]; readonly changed: (typeof CHANGED_FILES)[number] },
): readonly CapturedFile[] {
  const ended = new Set(open.flatMap(({ file }) => file.supersedes.map(({ digest }) => digest)));
  const paths = new Set(found.map(({ path }) => path));
  return ledger.filter(
    ({ digest, path }) => !places.has(digest) && !ended.has(digest) && !(changed === "append" && paths.has(path)),
  );
}
