import { setImmediate as nextTurn } from "node:timers/promises";
import type { DuckDBDataChunk, DuckDBResult } from "@duckdb/node-api";

/** One column of a result, whole. */
export type ColumnValues =
  | {
      /** Numbers, booleans (0/1), dates and timestamps (epoch milliseconds). NULL is NaN and `valid[i] === 0`. */
      readonly kind: "number";
      readonly values: Float64Array;
      /** 1 where there is a value; absent when there is one everywhere. */
      readonly valid?: Uint8Array;
    }
  | {
      /** Everything else as text; NULL is null. */
      readonly kind: "text";
      readonly values: readonly (string | null)[];
    };

/** A result by columns. */
export interface ColumnBatch {
  readonly rowCount: number;
  /** Column names in order, with their DuckDB types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly values: Readonly<Record<string, ColumnValues>>;
}

const NUMERIC =
  /^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|HUGEINT|FLOAT|DOUBLE|DECIMAL|BOOLEAN|DATE|TIMESTAMP)/;
const MILLISECONDS_PER_DAY = 86_400_000;
/** Other work of the process waits for no more values. */
const CELLS_IN_A_TURN = 131_072;

export async function toColumnBatch(result: DuckDBResult): Promise<ColumnBatch> {
  const columns = result
    .deduplicatedColumnNames()
    .map((name, index) => ({ name, type: result.columnType(index).toString() }));
  const chunks = await result.fetchAllChunks();
  const rowCount = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0);
  const values: Record<string, ColumnValues> = {};
  let cells = 0;
  for (const [index, { name, type }] of columns.entries()) {
    values[name] =
      NUMERIC.test(type) && !type.endsWith("]") ? numberColumn(chunks, index, rowCount) : textColumn(chunks, index);
    cells += rowCount;
    if (cells < CELLS_IN_A_TURN) continue;
    await nextTurn();
    cells = 0;
  }
  return { rowCount, columns, values };
}

function numberColumn(chunks: readonly DuckDBDataChunk[], index: number, rowCount: number): ColumnValues {
  const values = new Float64Array(rowCount);
  const valid = new Uint8Array(rowCount);
  let row = 0;
  let nulls = 0;
  for (const chunk of chunks) {
    const vector = chunk.getColumnVector(index);
    // A chunk is asked for its rows by a call into DuckDB.
    const size = chunk.rowCount;
    const doubles: unknown = "items" in vector ? vector.items : undefined;
    if (doubles instanceof Float64Array && isWhole(vector)) {
      values.set(doubles.subarray(0, size), row);
      valid.fill(1, row, row + size);
      row += size;
      continue;
    }
    for (let item = 0; item < size; item++, row++) {
      const value = vector.getItem(item);
      if (value === null || value === undefined) {
        values[row] = Number.NaN;
        nulls++;
      } else {
        values[row] = toNumber(value);
        valid[row] = 1;
      }
    }
  }
  return nulls === 0 ? { kind: "number", values } : { kind: "number", values, valid };
}

/** True where DuckDB says that a vector has no nulls: it keeps no bits of what is there then. */
function isWhole(vector: object): boolean {
  const validity: unknown = "validity" in vector ? vector.validity : undefined;
  return typeof validity === "object" && validity !== null && "data" in validity && validity.data === null;
}

function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "object" && value !== null) {
    if ("micros" in value) return Number(value.micros as bigint) / 1000;
    if ("days" in value) return (value.days as number) * MILLISECONDS_PER_DAY;
    if ("milliseconds" in value) return Number(value.milliseconds as bigint);
    if ("seconds" in value) return Number(value.seconds as bigint) * 1000;
    if ("nanoseconds" in value) return Number(value.nanoseconds as bigint) / 1e6;
    if ("toDouble" in value) return (value as { toDouble(): number }).toDouble();
  }
  return Number(String(value));
}

function textColumn(chunks: readonly DuckDBDataChunk[], index: number): ColumnValues {
  const values: (string | null)[] = [];
  for (const chunk of chunks) {
    const vector = chunk.getColumnVector(index);
    const size = chunk.rowCount;
    for (let item = 0; item < size; item++) {
      const value = vector.getItem(item) as { toString(): string } | null | undefined;
      values.push(value?.toString() ?? null);
    }
  }
  return { kind: "text", values };
}
