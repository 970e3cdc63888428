import { createHash, randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isEsteiraError, messageOf } from "#base";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName, quoteText } from "../analytics/sql-text.ts";
import { storageFailed } from "../errors.ts";
import type { AddFile } from "./actions.ts";
import { storedExpression, storedType } from "./schema.ts";
import { parseWrittenStatistics, toStats } from "./statistics.ts";
import { DIGEST_TAG, type Table } from "./table.ts";

/** Columns of a SELECT as a table stores them, and the SELECT that makes them. @throws DATA_QUERY_FAILED */
export async function toStoredSelect(
  connection: AnalyticsConnection,
  select: string,
): Promise<{ readonly columns: readonly Column[]; readonly select: string }> {
  const described = await connection.describe(select);
  const columns = described.map(({ name, type }) => ({ name, type: storedType(type) }));
  if (described.every(({ type }) => storedType(type) === type)) return { columns, select };
  const list = described.map(({ name, type }) => `${storedExpression(quoteName(name), type)} AS ${quoteName(name)}`);
  return { columns, select: `SELECT ${list.join(", ")} FROM (${select})` };
}

/** How a data file is laid out. */
export interface FileForm {
  /** Default `snappy`, which every reader reads fast. */
  readonly compression?: "snappy" | "zstd";
  /** Rows that are read together; default: what fits into memory. */
  readonly rowGroupRows?: number;
}

/**
 * Writes a SELECT as one Parquet file of a table, durable when this returns; not yet part of the table.
 *
 * @returns undefined when the SELECT has no rows
 * @throws DATA_QUERY_FAILED, DATA_STORAGE_FAILED
 */
export async function writeDataFile(
  connection: AnalyticsConnection,
  table: Table,
  { form = {}, ...source }: { readonly select: string; readonly columns: readonly Column[]; readonly form?: FileForm },
  atMs: number,
): Promise<{ readonly add: AddFile; readonly rowCount: number } | undefined> {
  await table.files.prepare(table.path);
  const name = `part-${randomUUID()}.parquet`;
  const path = join(table.folder, name);
  try {
    const [written] = await connection.rows(
      `copy (${source.select}) to ${quoteText(path)} (format parquet, compression ${form.compression ?? "snappy"}, row_group_size ${form.rowGroupRows ?? rowGroupSize(source.columns.length)}, return_stats true)`,
    );
    const rowCount = Number(written?.["count"] ?? 0);
    if (rowCount === 0) {
      await unlink(path).catch(() => {});
      return undefined;
    }
    const { digest, sizeBytes } = await table.files.publish(`${table.path}/${name}`);
    const stats = toStats(rowCount, source.columns, parseWrittenStatistics(written?.["column_statistics"]));
    return {
      add: {
        path: name,
        partitionValues: {},
        size: sizeBytes,
        modificationTime: atMs,
        dataChange: true,
        stats,
        tags: { [DIGEST_TAG]: digest },
      },
      rowCount,
    };
  } catch (error) {
    await unlink(path).catch(() => {});
    if (
      isEsteiraError(error, "DATA_QUERY_FAILED") &&
      /^(IO Error|FATAL)|No space left/.test(String(error.context["reason"]))
    ) {
      throw storageFailed({ operation: "write", path, reason: String(error.context["reason"]) }, error);
    }
    if (isEsteiraError(error, "STORAGE_FAILED"))
      throw storageFailed({ operation: "write", path, reason: String(error.context["reason"]) }, error);
    if (isEsteiraError(error)) throw error;
    throw storageFailed({ operation: "write", path, reason: messageOf(error) }, error);
  }
}

const ROW_GROUP_ROWS = 122_880;
const ROW_GROUP_CELLS = 8_000_000;
const VECTOR_ROWS = 2048;

/** A row group is in memory as a whole until it is written: a wide one has fewer rows. */
function rowGroupSize(columns: number): number {
  return Math.min(
    ROW_GROUP_ROWS,
    Math.max(VECTOR_ROWS, Math.floor(ROW_GROUP_CELLS / Math.max(1, columns) / VECTOR_ROWS) * VECTOR_ROWS),
  );
}

const PIECE_BYTES = 4 << 20;

/** sha256 of a file, read in pieces into one buffer; `seen` is shown each piece and must not keep it. */
export async function digestFile(path: string, seen?: (piece: Buffer) => void): Promise<Digest> {
  const hash = createHash("sha256");
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(size, PIECE_BYTES)));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      seen?.(piece);
    }
    return `sha256:${hash.digest("hex")}`;
  } finally {
    await file.close();
  }
}
