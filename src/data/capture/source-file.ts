import { glob, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Digest } from "#base";
import type { Column } from "../analytics/analytics.ts";
import { digestFile } from "../delta/data-file.ts";
import { captureFileOutside, captureFolderRefused } from "../errors.ts";

export const SOURCE_FORMATS = ["csv", "ndjson", "json", "parquet", "xlsx"] as const;
export type SourceFormat = (typeof SOURCE_FORMATS)[number];

/** What the platform and git keep is no source. */
const CLOSED: ReadonlySet<string> = new Set([".esteira", ".git"]);

/** A file that a capture reads. */
export interface SourceFile {
  /** Relative to the folder, with `/`: its name in the ledger and the quarantine. */
  readonly path: string;
  readonly absolute: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** What a source wrote is of this format, whatever its name and the step say. */
  readonly format?: SourceFormat;
  /** Columns with their types, of a Parquet file whose values are all texts. */
  readonly texts?: readonly Column[];
  /** NDJSON whose dates were dates where they come from: written as `2026-01-31`, whatever a contract says. */
  readonly hasDates?: true;
}

/**
 * The folder that a capture's patterns start from, with links resolved, so that nobody can lead it elsewhere
 * afterwards.
 *
 * @param asked absolute; default the project's folder
 * @param allowed absolute folders outside the project that captures may read
 * @throws DATA_CAPTURE_FOLDER_REFUSED
 */
export async function findCaptureFolder(
  asked: string | undefined,
  projectFolder: string,
  allowed: readonly string[],
): Promise<string> {
  if (asked === undefined) return projectFolder;
  const found = await resolveLinks(resolve(asked));
  for (const root of [projectFolder, ...allowed]) {
    const real = await resolveLinks(root);
    if (found === real || found.startsWith(real.endsWith(sep) ? real : real + sep)) return found;
  }
  throw captureFolderRefused({ folder: asked, found, allowed });
}

/** What is not there has no links. */
async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    return join(await resolveLinks(dirname(path)), path.slice(dirname(path).length));
  }
}

/**
 * Files below `folder` that match the patterns, sorted by path. Links are followed only as long as they stay inside.
 *
 * @throws DATA_CAPTURE_FILE_OUTSIDE
 */
export async function findSourceFiles(folder: string, patterns: readonly string[]): Promise<readonly SourceFile[]> {
  const root = await realpath(folder).catch(() => resolve(folder));
  const found = new Map<string, SourceFile>();
  for (const pattern of patterns) {
    if (isAbsolute(pattern) || pattern.split(/[\\/]/).includes(".."))
      throw captureFileOutside({ path: pattern, folder });
    for await (const name of glob(pattern, { cwd: root })) {
      const absolute = join(root, name);
      const real = await realpath(absolute).catch(() => undefined);
      if (real === undefined) continue;
      const isClosed = relative(root, real)
        .split(sep)
        .some((part) => CLOSED.has(part));
      if (!real.startsWith(root + sep) || isClosed) {
        // A wide pattern meets the store of the project itself, and passes by it; a link into it is a mistake.
        if (isClosed && real === absolute) continue;
        throw captureFileOutside({ path: name, folder });
      }
      const facts = await stat(real);
      if (!facts.isFile()) continue;
      const path = relative(root, absolute).split(sep).join("/");
      found.set(path, { path, absolute, sizeBytes: facts.size, mtimeMs: Math.floor(facts.mtimeMs) });
    }
  }
  return [...found.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** The format that a file's name says, or undefined. `.gz`, `.zst` and `.zip` are read through. */
export function formatOf(path: string): SourceFormat | undefined {
  const name = path.toLowerCase().replace(/\.(gz|zst|zip)$/, "");
  if (/\.(csv|tsv|txt)$/.test(name)) return "csv";
  if (/\.(ndjson|jsonl)$/.test(name)) return "ndjson";
  if (name.endsWith(".json")) return "json";
  // What Excel wrote before 2007 is told to be so when it is opened.
  if (/\.(xlsx|xlsm|xls)$/.test(name)) return "xlsx";
  return name.endsWith(".parquet") ? "parquet" : undefined;
}

const LINE_FEED = 10;

/** Digest of a file and its number of line feeds, in one pass. */
export async function readIdentity(
  path: string,
  countLines: boolean,
): Promise<{ readonly digest: Digest; readonly lineFeeds: number | undefined }> {
  if (!countLines) return { digest: await digestFile(path), lineFeeds: undefined };
  let lineFeeds = 0;
  const digest = await digestFile(path, (piece) => {
    for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, at + 1)) lineFeeds++;
  });
  return { digest, lineFeeds };
}
