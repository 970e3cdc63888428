import { isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { isDigest } from "#base";
import type { LocalFiles } from "#storage";
import type { AddFile } from "./actions.ts";

/** Tag of an `add` action: sha256 of the data file. */
export const DIGEST_TAG = "esteira.sha256";

/** A Delta table: one folder of stored files. */
export interface Table {
  readonly files: LocalFiles;
  /** Of the table's folder in `files`. */
  readonly path: string;
  /** Absolute folder in which DuckDB reads and writes its data files. */
  readonly folder: string;
  /** As messages name it: the folder, or `s3://…`. */
  readonly place: string;
}

export function tableAt(files: LocalFiles, path: string): Table {
  return { files, path, folder: join(files.folder, path), place: `${files.place}/${path}` };
}

/** Absolute path of a data file as an action names it: relative ones are below the table. */
export function absolutePath({ folder }: Pick<Table, "folder">, path: string): string {
  if (path.startsWith("file:")) return fileURLToPath(path);
  const decoded = decodePath(path);
  return isAbsolute(decoded) ? decoded : join(folder, decoded);
}

/** Path of a data file as it is on disk. */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Path of a data file among the stored files; undefined where another program's table names one elsewhere. */
export function storedPath(table: Table, path: string): string | undefined {
  const below = relative(table.files.folder, absolutePath(table, path));
  return below.startsWith("..") || isAbsolute(below) ? undefined : below.split(sep).join("/");
}

/** Makes data files readable at their {@link absolutePath}. @throws STORAGE_FILE_MISSING, STORAGE_FILE_DAMAGED */
export async function fetchFiles(table: Table, files: Iterable<AddFile>): Promise<void> {
  const wanted = [...files].flatMap(({ path, size, tags }) => {
    const stored = storedPath(table, path);
    const digest = tags?.[DIGEST_TAG];
    return stored === undefined
      ? []
      : [{ path: stored, sizeBytes: size, ...(digest !== undefined && isDigest(digest) ? { digest } : {}) }];
  });
  await table.files.fetch(wanted);
}

/** Removes data files that no log entry names: harmless, but they take room. */
export async function discardFiles(table: Table, files: readonly AddFile[]): Promise<void> {
  for (const { path } of files) {
    const stored = storedPath(table, path);
    if (stored !== undefined) await table.files.remove(stored).catch(() => undefined);
  }
}
