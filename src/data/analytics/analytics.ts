import { availableParallelism, totalmem } from "node:os";
import { mkdir } from "node:fs/promises";
import type { DuckDBConnection, DuckDBInstance, DuckDBResultReader, DuckDBValue } from "@duckdb/node-api";
import { messageOf } from "#base";
import { outOfMemory, queryCancelled, queryFailed } from "../errors.ts";
import { type ColumnBatch, toColumnBatch } from "./columns.ts";
import { openPrepared, type PreparedSelect } from "./prepared-select.ts";
import { type Row, toRows, textOf } from "./rows.ts";
import { literalPattern, quoteList, quoteName } from "./sql-text.ts";

/** A column of a table or result; `type` is DuckDB's name of it. */
export interface Column {
  readonly name: string;
  readonly type: string;
  /** The name that its source has for it, where a dataset cannot have that one. */
  readonly original?: string | undefined;
  /** How its source writes the values, where that was guessed: `#.##0,00`, `dd/MM/yyyy`. */
  readonly format?: string | undefined;
}

/** What user SQL may touch: these files and folders, nothing else. */
export interface SandboxAccess {
  readonly files: readonly string[];
  readonly folders?: readonly string[];
  /** Beyond it intermediate results go to disk. Default, and at most, that of the analytics. */
  readonly memoryBytes?: number | undefined;
}

/**
 * SQL over files, by DuckDB, in memory. Nothing is downloaded, time zone is UTC, insertion order is kept.
 *
 * States: open → closed. Connections of a closed one fail.
 */
export interface Analytics {
  /** A connection for our own SQL. Connections share memory and threads; temporary tables and views belong to one. */
  connect(): Promise<AnalyticsConnection>;
  /**
   * A connection for SQL that a user wrote: `prepare` runs first, then the configuration is locked and only `access`
   * can be read or written.
   */
  sandbox(
    access: SandboxAccess,
    prepare?: (connection: AnalyticsConnection) => Promise<void>,
  ): Promise<AnalyticsConnection>;
  close(): void;
}

export interface AnalyticsConnection {
  /** Runs statements for their effect. */
  run(sql: string, parameters?: readonly DuckDBValue[]): Promise<void>;
  /**
   * Rows as objects, JSON-safe. For small results: large ones go through {@link columns}. @throws DATA_QUERY_FAILED,
   * DATA_QUERY_CANCELLED
   */
  rows(sql: string, parameters?: readonly DuckDBValue[]): Promise<readonly Row[]>;
  /** The result by columns, in typed arrays. @throws DATA_QUERY_FAILED, DATA_QUERY_CANCELLED */
  columns(sql: string, parameters?: readonly DuckDBValue[]): Promise<ColumnBatch>;
  /** One statement with `$1` …, to be asked for its types and read as it is computed. @throws DATA_QUERY_FAILED */
  prepare(sql: string): Promise<PreparedSelect>;
  /** Column names and types of a SELECT, without running it. */
  describe(select: string): Promise<readonly Column[]>;
  /**
   * Makes a temporary table of two columns: `row`, counted from 1, and `value`, a number or a text. What is NaN or
   * missing is null.
   */
  load(table: string, values: Float64Array | readonly (string | undefined)[]): Promise<void>;
  /**
   * Appends rows to a temporary table of this connection, by its columns, in their order: numbers to double, texts to
   * varchar, typed values to their type or a list of it. What is NaN or missing is null, and in typed values what is
   * infinite, too.
   */
  append(table: string, columns: readonly AppendedColumn[]): Promise<void>;
  /**
   * Makes `name(a, b)` known to SQL on this connection: it is what `seen` says of the two whole numbers of each row
   * that it is asked about. In a filter it notes the rows that are left out, without a second look at them.
   */
  registerWitness(name: string, seen: (first: number, second: number) => boolean): Promise<void>;
  /** Makes `name(text)` known to SQL on this connection: a text of a text; of none there is none. */
  registerText(name: string, compute: (text: string) => string): Promise<void>;
  /** Stops what runs on this connection, within milliseconds. */
  interrupt(): void;
  /** Interrupts when the signal aborts; returns a function that ends the watch. */
  interruptOn(signal: AbortSignal | undefined): () => void;
  close(): void;
}

export interface AnalyticsOptions {
  /** Folder for spilled intermediate results; made when needed. */
  readonly folder: string;
  /**
   * Beyond it intermediate results go to disk, for the shared connections together and for each sandbox. Default: 60
   * percent of the memory that the process may have.
   */
  readonly memoryBytes?: number | undefined;
  /** Default: one per processor. */
  readonly threads?: number;
}

/** Opens nothing yet: DuckDB is loaded at the first connection. */
export function createAnalytics(options: AnalyticsOptions): Analytics {
  let shared: Promise<DuckDBInstance> | undefined;
  const sandboxes = new Set<DuckDBInstance>();
  return {
    async connect() {
      shared ??= openInstance(options);
      return openConnection(await (await shared).connect());
    },
    async sandbox(access, prepare) {
      const memoryBytes = Math.min(access.memoryBytes ?? Infinity, memoryOf(options));
      const instance = await openInstance({ ...options, memoryBytes });
      sandboxes.add(instance);
      const connection = openConnection(await instance.connect(), () => {
        sandboxes.delete(instance);
        instance.closeSync();
      });
      try {
        // A name with characters of a pattern is opened by the pattern that matches it alone.
        const paths = new Set(access.files.flatMap((path) => [path, literalPattern(path)]));
        await connection.run(
          `set allowed_paths = ${quoteList([...paths])}; set allowed_directories = ${quoteList(access.folders ?? [])}; set enable_external_access = false`,
        );
        await prepare?.(connection);
        await connection.run("set lock_configuration = true");
      } catch (error) {
        connection.close();
        throw error;
      }
      return connection;
    },
    close() {
      void shared?.then((instance) => instance.closeSync());
      for (const instance of sandboxes) instance.closeSync();
    },
  };
}

const SHARE_OF_MEMORY = 0.6;

function memoryOf({ memoryBytes }: AnalyticsOptions): number {
  // Zero, or more than there is, where nothing constrains the process.
  const constrained = process.constrainedMemory();
  return memoryBytes ?? SHARE_OF_MEMORY * Math.min(totalmem(), constrained > 0 ? constrained : Infinity);
}

async function openInstance(options: AnalyticsOptions): Promise<DuckDBInstance> {
  const { folder, threads } = options;
  const { DuckDBInstance } = await import("@duckdb/node-api");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    threads: String(threads ?? availableParallelism()),
    memory_limit: `${Math.floor(memoryOf(options) / 1_048_576)}MiB`,
    temp_directory: folder,
    preserve_insertion_order: "true",
    // Files are local: the operating system keeps what is read again, and gives it back when memory is short.
    enable_external_file_cache: "false",
  });
  const connection = await instance.connect();
  await connection.run("set global TimeZone = 'UTC'; set global Calendar = 'gregorian'");
  connection.closeSync();
  return instance;
}

const ROWS_PER_CHUNK = 2048;

async function loadValues(
  connection: DuckDBConnection,
  table: string,
  values: Float64Array | readonly (string | undefined)[],
): Promise<void> {
  const rows = Float64Array.from({ length: values.length }, (_, row) => row + 1);
  const name = quoteName(table);
  await connection.run(
    `create or replace temp table ${name} ("row" bigint, "value" ${values instanceof Float64Array ? "double" : "varchar"})`,
  );
  await appendColumns(connection, { table, whole: [0] }, [rows, values]);
}

/** Values of a type; with a width, lists of so many. */
export interface TypedValues {
  readonly type: "boolean" | "bigint" | "float" | "double";
  readonly width: number | undefined;
  /** Row-major; truth values as 0 and 1. */
  readonly values: Uint8Array | BigInt64Array | Float32Array | Float64Array;
}

/** What a column of rows is appended from. */
export type AppendedColumn = Float64Array | readonly (string | undefined)[] | TypedValues;

function isTyped(column: AppendedColumn): column is TypedValues {
  return "width" in column;
}

function rowCountOf(column: AppendedColumn | undefined): number {
  if (column === undefined) return 0;
  if (!isTyped(column)) return column.length;
  return column.values.length / (column.width ?? 1);
}

/** @param whole positions of columns that are bigint in the table */
async function appendColumns(
  connection: DuckDBConnection,
  { table, whole = [] }: { readonly table: string; readonly whole?: readonly number[] },
  columns: readonly AppendedColumn[],
): Promise<void> {
  const { BIGINT, BOOLEAN, DOUBLE, DuckDBDataChunk, FLOAT, LIST, listValue, VARCHAR } =
    await import("@duckdb/node-api");
  const plain = { boolean: BOOLEAN, bigint: BIGINT, float: FLOAT, double: DOUBLE };
  const types = columns.map((column, position) => {
    if (isTyped(column)) return column.width === undefined ? plain[column.type] : LIST(plain[column.type]);
    return whole.includes(position) ? BIGINT : column instanceof Float64Array ? DOUBLE : VARCHAR;
  });
  const partOf = (column: AppendedColumn, position: number, start: number, end: number): DuckDBValue[] => {
    const part: DuckDBValue[] = [];
    if (isTyped(column)) {
      const { width } = column;
      if (width === undefined) return typedItems(column, start, end);
      for (let row = start; row < end; row++) part.push(listValue(typedItems(column, row * width, (row + 1) * width)));
      return part;
    }
    for (let row = start; row < end; row++) {
      const value = column[row];
      if (value === undefined || Number.isNaN(value)) part.push(null);
      else part.push(whole.includes(position) ? BigInt(value) : value);
    }
    return part;
  };
  const rowCount = rowCountOf(columns[0]);
  const appender = await connection.createAppender(table);
  for (let start = 0; start < rowCount; start += ROWS_PER_CHUNK) {
    const end = Math.min(rowCount, start + ROWS_PER_CHUNK);
    const chunk = DuckDBDataChunk.create(types, end - start);
    chunk.setColumns(columns.map((column, position) => partOf(column, position, start, end)));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function typedItems({ type, values }: TypedValues, start: number, end: number): DuckDBValue[] {
  const items: DuckDBValue[] = [];
  for (let at = start; at < end; at++) {
    const value = values[at];
    if (typeof value === "bigint") items.push(value);
    else if (value === undefined || !Number.isFinite(value)) items.push(null);
    else items.push(type === "boolean" ? value !== 0 : value);
  }
  return items;
}

function openConnection(connection: DuckDBConnection, onClose?: () => void): AnalyticsConnection {
  let cancelled = false;
  let closed = false;
  async function batch(sql: string, parameters?: readonly DuckDBValue[]): Promise<ColumnBatch> {
    try {
      return await toColumnBatch(await connection.run(sql, parameters === undefined ? undefined : [...parameters]));
    } catch (error) {
      throw toDataError(error, cancelled, sql);
    }
  }
  async function read(sql: string, parameters?: readonly DuckDBValue[]): Promise<DuckDBResultReader> {
    try {
      return await connection.runAndReadAll(sql, parameters === undefined ? undefined : [...parameters]);
    } catch (error) {
      throw toDataError(error, cancelled, sql);
    }
  }
  const interrupt = (): void => {
    cancelled = true;
    if (!closed) connection.interrupt();
  };
  return {
    async run(sql, parameters) {
      await read(sql, parameters);
    },
    rows: async (sql, parameters) => toRows(await read(sql, parameters)),
    columns: batch,
    async prepare(sql) {
      // An earlier statement that was stopped says nothing about this one.
      cancelled = false;
      try {
        return openPrepared(await connection.prepare(sql), (error) => toDataError(error, cancelled, sql));
      } catch (error) {
        throw toDataError(error, cancelled, sql);
      }
    },
    async describe(select) {
      const reader = await read(`describe ${select}`);
      return toRows(reader).map((row) => ({ name: textOf(row["column_name"]), type: textOf(row["column_type"]) }));
    },
    load: (table, values) => loadValues(connection, table, values),
    append: (table, columns) => appendColumns(connection, { table }, columns),
    async registerWitness(name, seen) {
      const { BIGINT, BOOLEAN, DuckDBScalarFunction } = await import("@duckdb/node-api");
      const witness = DuckDBScalarFunction.create({
        name,
        returnType: BOOLEAN,
        parameterTypes: [BIGINT, BIGINT],
        volatile: true,
        mainFunction: (_, input, output) => {
          const [first, second] = [input.getColumnVector(0), input.getColumnVector(1)];
          for (let row = 0; row < input.rowCount; row++) {
            output.setItem(row, seen(Number(first.getItem(row)), Number(second.getItem(row))));
          }
          output.flush();
        },
      });
      connection.registerScalarFunction(witness);
    },
    async registerText(name, compute) {
      const { DuckDBScalarFunction, VARCHAR } = await import("@duckdb/node-api");
      const computed = DuckDBScalarFunction.create({
        name,
        returnType: VARCHAR,
        parameterTypes: [VARCHAR],
        mainFunction: (_, input, output) => {
          const texts = input.getColumnVector(0);
          for (let row = 0; row < input.rowCount; row++) {
            const text = texts.getItem(row);
            output.setItem(row, typeof text === "string" ? compute(text) : null);
          }
          output.flush();
        },
      });
      connection.registerScalarFunction(computed);
    },
    interrupt,
    interruptOn(signal) {
      if (signal === undefined) return () => {};
      if (signal.aborted) interrupt();
      signal.addEventListener("abort", interrupt, { once: true });
      return () => signal.removeEventListener("abort", interrupt);
    },
    close() {
      if (closed) return;
      closed = true;
      connection.closeSync();
      onClose?.();
    },
  };
}

function toDataError(error: unknown, cancelled: boolean, sql: string): Error {
  const reason = messageOf(error);
  if (cancelled || /INTERRUPT/i.test(reason.slice(0, 30))) return queryCancelled({}, error);
  if (reason.startsWith("Out of Memory Error")) return outOfMemory({ reason: firstLine(reason) }, error);
  return queryFailed({ reason, sql: sql.length > 2000 ? `${sql.slice(0, 2000)}…` : sql }, error);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
