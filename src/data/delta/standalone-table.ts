import { stat } from "node:fs/promises";
import type { Analytics } from "../analytics/analytics.ts";
import { type Digest, isDigest } from "#base";
import { type AddFile, formatActions } from "./actions.ts";
import { readSnapshot } from "./snapshot.ts";
import { absolutePath, DIGEST_TAG, fetchFiles, type Table } from "./table.ts";

/** One version of a table as a table of its own. */
export interface StandaloneTable {
  /** Text of `_delta_log/00000000000000000000.json`: protocol, metadata and the files of exactly this version. */
  readonly log: string;
  readonly tableId: string;
  /** `path` is the file's name in the standalone table. */
  readonly files: readonly {
    readonly path: string;
    readonly absolutePath: string;
    readonly sizeBytes: number;
    readonly digest?: Digest;
  }[];
}

/**
 * Describes one version of a Delta table so that its files, beside the log returned, are readable anywhere. Nothing is
 * copied; the same version always gives the same text.
 *
 * @throws what reading the table throws: DATA_TABLE_MISSING, DATA_VERSION_MISSING, DATA_TABLE_CORRUPT,
 *   DATA_TABLE_UNSUPPORTED
 */
export async function describeStandaloneTable(
  analytics: Analytics,
  table: Table,
  version: number,
): Promise<StandaloneTable> {
  const snapshot = await readSnapshot(analytics, table, { version });
  await fetchFiles(table, snapshot.files.values());
  const files = await Promise.all(
    [...snapshot.files.values()].map(async (add) => {
      const absolute = absolutePath(table, add.path);
      const name = absolute.slice(absolute.lastIndexOf("/") + 1);
      return { add, path: name, absolutePath: absolute, sizeBytes: (await stat(absolute)).size };
    }),
  );
  files.sort((left, right) => (left.path < right.path ? -1 : 1));
  const log = formatActions([
    { protocol: snapshot.protocol },
    { metaData: snapshot.metadata },
    ...files.map(({ add, path, sizeBytes }) => ({
      add: { ...add, path: encodeURI(path), size: sizeBytes, dataChange: true },
    })),
  ]);
  return {
    log,
    tableId: snapshot.metadata.id,
    files: files.map(({ path, absolutePath: absolute, sizeBytes, add }) => ({
      path,
      absolutePath: absolute,
      sizeBytes,
      ...recordedDigest(add),
    })),
  };
}

function recordedDigest({ tags }: AddFile): { readonly digest?: Digest } {
  const digest = tags?.[DIGEST_TAG];
  return digest !== undefined && isDigest(digest) ? { digest } : {};
}
