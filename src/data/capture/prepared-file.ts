import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Transform, type TransformCallback, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createInflateRaw, createZstdDecompress } from "node:zlib";
import { messageOf } from "#base";
import type { IdentifiedFile } from "./capture.ts";
import { readHeader } from "./formats/csv-header.ts";
import { type CsvOptions, UnreadableFile } from "./formats/source-rows.ts";
import { type ExcelOptions, writeSheet } from "./formats/xlsx.ts";
import { formatOf, type SourceFormat } from "./source-file.ts";
import { findZipEntry, type ZipEntry } from "./zip-entry.ts";

/** Encodings that DuckDB reads by itself. */
const NATIVE = new Set(["utf-8", "utf-16", "latin-1"]);
const SAMPLE_BYTES = 1 << 20;

export interface Preparation {
  readonly format: SourceFormat | undefined;
  readonly csv: CsvOptions;
  readonly excel: ExcelOptions;
  readonly workFolder: string;
  log(text: string): void;
}

/**
 * Files as they can be read: out of their zip, and in UTF-8. Those that are so stay where they are. A CSV file whose
 * encoding is not declared is looked at, and the log says what it was taken for.
 */
export async function prepareFiles(
  files: readonly IdentifiedFile[],
  how: Preparation,
): Promise<readonly IdentifiedFile[]> {
  const prepared: IdentifiedFile[] = [];
  for (const [number, file] of files.entries()) {
    if (file.format === undefined) prepared.push(await prepareFile(file, how, number));
    else prepared.push(file);
  }
  await tellForm(prepared, how);
  return prepared;
}

/** How the batch's CSV files are written once they are prepared. */
export function preparedCsv(csv: CsvOptions): CsvOptions {
  return csv.encoding === undefined || NATIVE.has(csv.encoding) ? csv : { ...csv, encoding: "utf-8" };
}

async function prepareFile(file: IdentifiedFile, how: Preparation, number: number): Promise<IdentifiedFile> {
  try {
    const entry = /\.zip$/i.test(file.path) ? await findZipEntry(file.absolute) : undefined;
    if (typeof entry === "string") return { ...file, unreadable: entry };
    const format = how.format ?? formatOf(entry?.name ?? file.path);
    if (format === "xlsx") return await prepareSheet(file, how, number);
    const named = entry === undefined || format === undefined ? file : { ...file, format };
    const encoding = format === "csv" ? await encodingOf(file, how, entry) : "utf-8";
    if (entry === undefined && NATIVE.has(encoding)) return file;
    const absolute = join(how.workFolder, `prepared-${number}`);
    const counted = await rewrite(file, { absolute, entry, encoding: NATIVE.has(encoding) ? undefined : encoding });
    return { ...named, ...counted, absolute, givenBytes: file.sizeBytes };
  } catch (error) {
    return { ...file, unreadable: messageOf(error) };
  }
}

/** A sheet of a workbook, as NDJSON. */
async function prepareSheet(file: IdentifiedFile, how: Preparation, number: number): Promise<IdentifiedFile> {
  if (/\.(gz|zst|zip)$/i.test(file.path))
    return { ...file, unreadable: "a workbook is packed already: keep it as .xlsx" };
  const absolute = join(how.workFolder, `prepared-${number}`);
  const { sizeBytes, lineFeeds, notes } = await writeSheet(file.absolute, absolute, how.excel);
  for (const note of notes) how.log(`${file.path}: ${note}`);
  return { ...file, format: "ndjson", hasDates: true, absolute, sizeBytes, lineFeeds, givenBytes: file.sizeBytes };
}

async function encodingOf(file: IdentifiedFile, how: Preparation, entry: ZipEntry | undefined): Promise<string> {
  if (file.sizeBytes === 0) return "utf-8";
  if (how.csv.encoding !== undefined) return how.csv.encoding.replace(/^cp/, "windows-");
  const guess = guessEncoding(await readSample(file, entry));
  if (guess !== "utf-8")
    how.log(`${file.path}: taken for ${guess}, since it is no UTF-8; if it is something else: csv: { encoding: … }`);
  return guess;
}

/**
 * What marks itself as UTF-16 is so. What holds more bytes that UTF-8 cannot have than letters of it is taken for what
 * Windows writes in the West; else a damaged line is damage.
 */
function guessEncoding(sample: Buffer): string {
  if (sample[0] === 0xff && sample[1] === 0xfe) return "utf-16le";
  if (sample[0] === 0xfe && sample[1] === 0xff) return "utf-16be";
  if (!sample.some((byte) => byte > 0x7f)) return "utf-8";
  const text = new TextDecoder("utf-8").decode(sample, { stream: true });
  const broken = text.split("\uFFFD").length - 1;
  const letters = [...text].filter((letter) => letter > "\u007F" && letter !== "\uFFFD").length;
  return broken > letters ? "windows-1252" : "utf-8";
}

function unpacked(file: IdentifiedFile, entry: ZipEntry | undefined): readonly (NodeJS.ReadableStream | Transform)[] {
  if (entry !== undefined) {
    const { offset, packedBytes, isPacked } = entry;
    if (packedBytes === 0) return [createReadStream(file.absolute, { end: -1 })];
    const raw = createReadStream(file.absolute, { start: offset, end: offset + packedBytes - 1 });
    return isPacked ? [raw, createInflateRaw()] : [raw];
  }
  const raw = createReadStream(file.absolute);
  if (/\.gz$/i.test(file.path)) return [raw, createGunzip()];
  return /\.zst$/i.test(file.path) ? [raw, createZstdDecompress()] : [raw];
}

async function readSample(file: IdentifiedFile, entry: ZipEntry | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  const enough = new Error("enough");
  const sample = new Writable({
    write(piece: Buffer, _, done) {
      pieces.push(piece);
      sizeBytes += piece.length;
      done(sizeBytes >= SAMPLE_BYTES ? enough : null);
    },
  });
  await pipeline([...unpacked(file, entry), sample]).catch((error: unknown) => {
    if (error !== enough) throw error;
  });
  return Buffer.concat(pieces).subarray(0, SAMPLE_BYTES);
}

/** Writes UTF-8, and counts. */
class Rewriting extends Transform {
  readonly #decoder: InstanceType<typeof TextDecoder> | undefined;
  sizeBytes = 0;
  lineFeeds = 0;

  constructor(encoding: string | undefined) {
    super();
    // A letter that the encoding does not have is an error, not a replacement in silence.
    this.#decoder = encoding === undefined ? undefined : new TextDecoder(encoding, { fatal: true });
  }

  override _transform(piece: Buffer, _: BufferEncoding, done: TransformCallback): void {
    try {
      this.#pass(this.#decoder === undefined ? piece : Buffer.from(this.#decoder.decode(piece, { stream: true })));
      done();
    } catch {
      done(new UnreadableFile(`not readable as ${this.#decoder?.encoding}`));
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      if (this.#decoder !== undefined) this.#pass(Buffer.from(this.#decoder.decode()));
      done();
    } catch {
      done(new UnreadableFile(`not readable as ${this.#decoder?.encoding}: it ends within a letter`));
    }
  }

  #pass(bytes: Buffer): void {
    this.sizeBytes += bytes.length;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.lineFeeds++;
    this.push(bytes);
  }
}

async function rewrite(
  file: IdentifiedFile,
  to: { readonly absolute: string; readonly entry: ZipEntry | undefined; readonly encoding: string | undefined },
): Promise<Pick<IdentifiedFile, "sizeBytes" | "lineFeeds">> {
  const rewriting = new Rewriting(to.encoding);
  await pipeline([...unpacked(file, to.entry), rewriting, createWriteStream(to.absolute)]);
  const { sizeBytes, lineFeeds } = rewriting;
  if (to.entry !== undefined && to.encoding === undefined && sizeBytes !== to.entry.sizeBytes)
    throw new UnreadableFile(`its zip says ${to.entry.sizeBytes} bytes and holds ${sizeBytes}`);
  return { sizeBytes, lineFeeds };
}

/** What is a guess about the form and not the usual one is said, of the first file that has a header. */
async function tellForm(files: readonly IdentifiedFile[], how: Preparation): Promise<void> {
  if (how.csv.delimiter !== undefined && how.csv.header !== undefined) return;
  const file = files.find(
    ({ path, format, sizeBytes, unreadable }) =>
      unreadable === undefined && sizeBytes > 0 && (format ?? how.format ?? formatOf(path)) === "csv",
  );
  if (file === undefined) return;
  try {
    const { delimiter, line, isFound } = await readHeader({ file, csv: preparedCsv(how.csv) });
    if (isFound)
      how.log(
        `${file.path}: line ${line} is taken for the header, since those above are no rows of its columns; if it is another one: csv: { header: LINE }`,
      );
    if (how.csv.delimiter === undefined && delimiter !== ",")
      how.log(
        `${file.path}: columns are taken to be separated by ${JSON.stringify(delimiter)}; if it is something else: csv: { delimiter: … }`,
      );
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
  }
}
