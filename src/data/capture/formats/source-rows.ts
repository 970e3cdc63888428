import type { Digest } from "#base";
import type { AnalyticsConnection, Column } from "../../analytics/analytics.ts";
import type { SourceFile, SourceFormat } from "../source-file.ts";

/**
 * Encodings of CSV files, by the names of the WHATWG Encoding Standard; `cp1252` is `windows-1252`. The first three are
 * read as they are, others are rewritten first.
 */
export const CSV_ENCODINGS = [
  "utf-8",
  "utf-16",
  "latin-1",
  "utf-16le",
  "utf-16be",
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "windows-1258",
  "windows-874",
  "cp1250",
  "cp1251",
  "cp1252",
  "cp1253",
  "cp1254",
  "cp1255",
  "cp1256",
  "cp1257",
  "cp1258",
  "iso-8859-2",
  "iso-8859-5",
  "iso-8859-7",
  "iso-8859-15",
  "ibm866",
  "koi8-r",
  "koi8-u",
  "macintosh",
  "shift_jis",
  "euc-jp",
  "euc-kr",
  "gbk",
  "gb18030",
  "big5",
] as const;
export type CsvEncoding = (typeof CSV_ENCODINGS)[number];

/** How CSV is written; what is not said is `,`, `"`, `"`, with a header, in UTF-8. */
export interface CsvOptions {
  /** Default: the one of `, ; tab |` that the first line uses most. */
  readonly delimiter?: string | undefined;
  readonly quote?: string | undefined;
  readonly escape?: string | undefined;
  readonly encoding?: CsvEncoding | undefined;
  /** Texts that stand for a missing value; default: the empty one. */
  readonly nulls?: readonly string[] | undefined;
  /**
   * Line of the header, from 1, or that there is none; default: the first, unless what stands above a table is found
   * there.
   */
  readonly header?: number | "none" | undefined;
  /** Names of the columns of files without a header; default: `column_1`, … */
  readonly columns?: readonly string[] | undefined;
  /** False: numbers and dates that a cast does not read stay text. */
  readonly guess?: boolean | undefined;
}

export interface OpenFile {
  readonly connection: AnalyticsConnection;
  readonly file: SourceFile;
  readonly digest: Digest;
  readonly lineFeeds: number | undefined;
  readonly csv: CsvOptions;
  /** Distinguishes temporary tables of several files. */
  readonly number: number;
}

/** A column as a file has it. */
export interface SourceColumn extends Column {
  /** How nearly all of its values are written, where some are not. */
  readonly nearly?: Partial<Pick<Column, "type" | "format">> | undefined;
}

/** The rows of one file as they were received, before any type or rule. */
export interface SourceRows {
  readonly format: SourceFormat;
  /** Columns of the file. `type` is what its values are: of a text format what they look like. */
  readonly columns: readonly SourceColumn[];
  /** True when values are text that must be read as a type. */
  readonly isText: boolean;
  /** True when every row was looked at for the types of text columns: any value can be read as its column's. */
  readonly isWhollyTyped?: boolean;
  /** SQL, over `relation`, of the number of the row's file in its batch. */
  readonly fileNumber: string;
  /** SQL for the FROM clause; beside the columns it has `__record`, the row's number in the file, from 0. */
  readonly relation: string;
  /**
   * Column → the name it was received under, where that differs: twice the same name, none, or one that a dataset
   * cannot have.
   */
  readonly originals?: ReadonlyMap<string, string>;
  /** SQL of one column's received value. */
  readonly value: (column: string) => string;
  /**
   * SQL that is true where the received value is a text and not a number or truth value of the format itself; default:
   * always.
   */
  readonly isTextValue?: (column: string) => string;
  /** SQL of the row as JSON text, over `relation`. */
  readonly rowJson: string;
  /** SQL of the source line (from 1), over `relation`; NULL where it cannot be known. */
  readonly line: string;
  /** Rows that could be read, plus lines that could not. */
  readonly total: number;
  /** Lines that are no rows: table with `line, byte, row, rule, message`. */
  readonly rejects: { readonly table: string; readonly count: number } | undefined;
  /** Drops what was made for reading. */
  readonly close: () => Promise<void>;
}

/** A file that cannot be read as a whole; it goes to the quarantine with this reason. */
export class UnreadableFile extends Error {
  override readonly name = "UnreadableFile";
}
