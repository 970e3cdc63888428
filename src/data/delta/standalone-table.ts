import { stat } from "node:fs/promises";
import type { Analytics } from "../analytics/analytics.ts";
import { type Digest, isDigest } from "#base";
import { type AddFile, formatActions } from "./actions.ts";
import { DIGEST_TAG } from "./data-file.ts";
import { readSnapshot } from "./snapshot.ts";

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
 * @param table absolute folder
 * @throws what reading the table throws: DATA_TABLE_MISSING, DATA_VERSION_MISSING, DATA_TABLE_CORRUPT,
 *   DATA_TABLE_UNSUPPORTED
 */
export async function describeStandaloneTable(
  analytics: Analytics,
  table: string,
  version: number,
): Promise<StandaloneTable> {
  const snapshot = await readSnapshot(analytics, table, { version });
  const files = await Promise.all(
    [...snapshot.files.entries()].map(async ([path, add]) => {
      const absolutePath = path.startsWith("/") ? path : `${table}/${path}`;
      const name = absolutePath.slice(absolutePath.lastIndexOf("/") + 1);
      return { add, path: name, absolutePath, sizeBytes: (await stat(absolutePath)).size };
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
    files: files.map(({ path, absolutePath, sizeBytes, add }) => ({
      path,
      absolutePath,
      sizeBytes,
      ...recordedDigest(add),
    })),
  };
}

function recordedDigest({ tags }: AddFile): { readonly digest?: Digest } {
  const digest = tags?.[DIGEST_TAG];
  return digest !== undefined && isDigest(digest) ? { digest } : {};
}
