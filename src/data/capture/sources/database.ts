/** A database that rows are read from, open, in one snapshot. One file of this folder implements it per kind. */
export interface Database {
  /** Columns of what is read, in order. @throws DATA_SOURCE_TABLE_MISSING, DATA_SOURCE_QUERY_FAILED */
  columns(): Promise<readonly DatabaseColumn[]>;
  /** A moment means the same in whatever form it is written: it is not compared as a text. */
  readonly knowsMoments: boolean;
  /** How a column compares with a value that was read of it as text: SQL of both sides. */
  compare(column: DatabaseColumn, value: string): { readonly column: string; readonly value: string };
  /**
   * Writes rows as CSV without a header: values as text, absent ones empty and not quoted.
   *
   * @param where SQL condition
   * @throws DATA_SOURCE_QUERY_FAILED, DATA_SOURCE_UNREACHABLE
   */
  dump(
    columns: readonly DatabaseColumn[],
    to: { readonly path: string; readonly where: string | undefined },
  ): Promise<Dumped>;
  close(): Promise<void>;
}

export interface DatabaseColumn {
  readonly name: string;
  /** Name as the database's SQL has it. */
  readonly quoted: string;
  /** SQL, in the database's words, of the value as it is dumped. */
  readonly select: string;
  /** DuckDB type of the values. */
  readonly type: string;
  /** SQL, in DuckDB's words, of the value of `type` from the dumped text; fails where it is none. Default: a cast. */
  readonly read?: (text: string) => string;
}

export interface Dumped {
  readonly rows: number;
  /** Values hold no line breaks: each line is a row. */
  readonly isByLine: boolean;
  readonly sizeBytes: number;
  /** Of the bytes written. */
  readonly digest: string;
}
