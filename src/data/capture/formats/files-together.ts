import type { OpenFile, SourceColumn, SourceRows } from "./source-rows.ts";

/** Beyond, a file has enough rows of its own for what each statement costs. */
export const LARGEST_TOGETHER_BYTES = 8 << 20;
/** So many are read again, half by half, when one of them cannot be read. */
export const MOST_TOGETHER = 1000;

/** Files that can be staged in one table: what a statement costs is paid once for all of them. */
export interface Together {
  /** How many, from the first one on. */
  readonly count: number;
  /** @throws UnreadableFile when one of them cannot be read */
  open(sources: readonly OpenFile[]): Promise<FilesTogether>;
}

/** Files that are staged in one table. */
export interface FilesTogether {
  /** Rows of one file, as if it had been opened alone; the types of its columns are not its own. */
  rowsOf(number: number): SourceRows;
  /** Rows of several files, in order. */
  rowsOfAll(numbers: readonly number[]): SourceRows;
  /** What the columns of these rows look like. */
  inferTypes(rows: SourceRows): Promise<readonly SourceColumn[]>;
  close(): Promise<void>;
}
