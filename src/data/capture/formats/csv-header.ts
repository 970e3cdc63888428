import { createReadStream } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { messageOf } from "#base";
import { type CsvEncoding, type CsvOptions, type OpenFile, UnreadableFile } from "./source-rows.ts";

const LONGEST_LINE = 1 << 20;
/** A report has its title, dates and filters above the table. */
const MOST_LINES_ABOVE = 50;
/** Lines below a header that are looked at before it is believed without being declared. */
const LINES_BELOW = 30;
const DELIMITERS = [",", ";", "\t", "|"] as const;

/** What a file says of its columns. */
export interface CsvHeader {
  readonly names: readonly string[];
  /** Name → the one in the file, where that is missing or there twice. */
  readonly originals: ReadonlyMap<string, string>;
  readonly delimiter: string;
  /** Line of the header, from 1; 0 where there is none. The rows begin behind it. */
  readonly line: number;
  /** True where lines above the header were passed over without being told to. */
  readonly isFound: boolean;
}

/** @throws UnreadableFile */
export async function readHeader({ file, csv }: Pick<OpenFile, "file" | "csv">): Promise<CsvHeader> {
  if (file.sizeBytes === 0) throw new UnreadableFile("the file is empty: not even a header line");
  const declared = csv.header;
  const wanted = typeof declared === "number" ? declared : MOST_LINES_ABOVE + LINES_BELOW;
  const lines = await firstLines(file.absolute, csv.encoding ?? "utf-8", declared === "none" ? 1 : wanted);
  const line = declared === "none" ? 0 : (declared ?? findHeader(lines, csv));
  if (line > lines.length)
    throw new UnreadableFile(`csv.header is ${line}, and the file has ${lines.length} lines in all`);
  const text = lines[Math.max(0, line - 1)] ?? "";
  const delimiter = csv.delimiter ?? delimiterOf(text);
  const fields = splitLine(text, delimiter, csv.quote ?? '"').map((name) => name.trim());
  return {
    ...nameColumns(line === 0 ? namesWithoutHeader(fields.length, csv) : fields),
    delimiter,
    line,
    isFound: declared === undefined && line > 1,
  };
}

function namesWithoutHeader(count: number, { columns }: CsvOptions): readonly string[] {
  if (columns === undefined) return Array.from({ length: count }, (_, index) => `column_${index + 1}`);
  if (columns.length !== count)
    throw new UnreadableFile(`csv.columns names ${columns.length} columns, and the first line has ${count}`);
  return columns;
}

function nameColumns(header: readonly string[]): Pick<CsvHeader, "names" | "originals"> {
  const taken = new Set(header.filter((name) => name !== "").map((name) => name.toLowerCase()));
  const used = new Set<string>();
  const originals = new Map<string, string>();
  const names = header.map((name, index) => {
    const plain = name === "" ? `column_${index + 1}` : name;
    let free = plain;
    for (let number = 2; used.has(free.toLowerCase()) || (free !== name && taken.has(free.toLowerCase())); number++)
      free = `${plain}_${number}`;
    used.add(free.toLowerCase());
    if (free !== name) originals.set(free, name);
    return free;
  });
  return { names, originals };
}

function delimiterOf(line: string): string {
  return DELIMITERS.reduce<string>(
    (best, candidate) => (line.split(candidate).length > line.split(best).length ? candidate : best),
    ",",
  );
}

/**
 * The first line, unless it and those that follow have one field where the rows from some line on have several, most of
 * them as many: what stands above a table.
 */
function findHeader(lines: readonly string[], csv: CsvOptions): number {
  const quote = csv.quote ?? '"';
  for (const [index, line] of lines.slice(0, MOST_LINES_ABOVE).entries()) {
    const delimiter = csv.delimiter ?? delimiterOf(line);
    const fields = splitLine(line, delimiter, quote);
    const count = fields.length;
    if (count === 1) continue;
    if (index === 0 || !areNames(fields)) return 1;
    const below = recordsOf(lines.slice(index + 1), quote);
    const agree = below.filter((row) => splitLine(row, delimiter, quote).length === count);
    return agree.length > 0 && agree.length >= below.length / 2 ? index + 1 : 1;
  }
  return 1;
}

const NUMBER_OR_DATE = /^[+-]?\d[\d.,/:\s-]*%?$/;
const YEAR = /^(?:19|20)\d\d$/;

/**
 * Whether these can be names of columns. A blank behind the delimiter is prose's, as in `fine, thanks`, and `1,5` is a
 * number: what is no header loses a row when it is taken for one.
 */
function areNames(fields: readonly string[]): boolean {
  const written = fields.filter((field) => field.trim() !== "");
  const numbers = written.filter((field) => NUMBER_OR_DATE.test(field.trim()) && !YEAR.test(field.trim()));
  return numbers.length <= written.length / 2 && !fields.slice(1).some((field) => /^\s+\S/.test(field));
}

/** Lines, with those that go on within quotes as one. */
function recordsOf(lines: readonly string[], quote: string): readonly string[] {
  const records: string[] = [];
  let open: string | undefined;
  for (const line of lines) {
    const record = open === undefined ? line : `${open}\n${line}`;
    open = record.split(quote).length % 2 === 0 ? record : undefined;
    if (open === undefined) records.push(record);
  }
  return records;
}

/** Other encodings are rewritten as UTF-8 before. */
const DECODERS: Partial<Record<CsvEncoding, string>> = { "utf-16": "utf-16le", "latin-1": "latin1" };

/** @returns at most `count` lines, the last one perhaps cut */
async function firstLines(path: string, encoding: CsvEncoding, count: number): Promise<readonly string[]> {
  const raw = createReadStream(path);
  const stream = path.endsWith(".gz")
    ? raw.pipe(createGunzip())
    : path.endsWith(".zst")
      ? raw.pipe(createZstdDecompress())
      : raw;
  let text = "";
  let ends = 0;
  try {
    const decoder = new TextDecoder(DECODERS[encoding] ?? "utf-8");
    for await (const piece of stream) {
      const more = decoder.decode(piece as Buffer, { stream: true });
      text += more;
      ends += more.split("\n").length - 1;
      if (ends >= count || text.length > LONGEST_LINE) break;
    }
  } catch (error) {
    throw new UnreadableFile(`cannot be unpacked (${messageOf(error)})`);
  } finally {
    raw.destroy();
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines.slice(0, count).map((line) => line.trimEnd());
}

function splitLine(line: string, delimiter: string, quote: string): string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? "";
    if (character === quote && quoted && line[index + 1] === quote) field += line[++index];
    else if (character === quote) quoted = !quoted;
    else if (!quoted && line.startsWith(delimiter, index)) {
      fields.push(field);
      field = "";
      index += delimiter.length - 1;
    } else field += character;
  }
  return [...fields, field];
}
