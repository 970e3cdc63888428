import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { listZip, type ZipEntry } from "../zip-entry.ts";
import { UnreadableFile } from "./source-rows.ts";
import { attributeOf, XmlReader, type XmlSink } from "./xml-reader.ts";

/** What a number in a cell means by its format. */
export type CellKind = "number" | "date" | "timestamp" | "time" | "duration";

export interface Sheet {
  readonly name: string;
  readonly isHidden: boolean;
  readonly part: string;
}

/** A workbook (ECMA-376, SpreadsheetML) without the cells of its sheets. */
export interface Workbook {
  readonly sheets: readonly Sheet[];
  /** Texts that cells refer to. */
  readonly texts: readonly string[];
  /** Style of a cell → what its numbers mean. */
  readonly kinds: readonly CellKind[];
  /** Dates are counted from 1904, as old Macs did. */
  readonly isFrom1904: boolean;
  /** Reads a part in pieces. @throws UnreadableFile */
  read(part: string, sink: XmlSink): Promise<void>;
}

/** What all of a workbook but its cells may unpack to: a packed file of a few kilobytes must not fill the memory. */
const LARGEST_PARTS_BYTES = 1 << 29;
const OLE = Buffer.from([0xd0, 0xcf, 0x11, 0xe0]);

/** @throws UnreadableFile */
export async function openWorkbook(path: string): Promise<Workbook> {
  await assertNotOle(path);
  const entries = await listZip(path);
  if (typeof entries === "string") throw new UnreadableFile(`not an Excel workbook (.xlsx): ${entries}`);
  const byName = new Map(entries.map((entry) => [entry.name.toLowerCase(), entry]));
  const total = entries
    .filter(({ name }) => !/worksheets\//i.test(name))
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (total > LARGEST_PARTS_BYTES)
    throw new UnreadableFile(`its texts unpack to ${total} bytes, more than ${LARGEST_PARTS_BYTES}`);
  const read = async (part: string, sink: XmlSink): Promise<void> => {
    const entry = byName.get(part.toLowerCase());
    if (entry === undefined) throw new UnreadableFile(`not an Excel workbook (.xlsx): it has no ${part}`);
    await readPart(path, entry, sink);
  };
  const main = "xl/workbook.xml";
  const targets = await readTargets(read);
  const { sheets, isFrom1904 } = await readSheets(read, main, targets);
  const partOf = (name: string): string | undefined => targets.find(({ type }) => type.endsWith(`/${name}`))?.part;
  const [texts, styles] = [partOf("sharedStrings"), partOf("styles")];
  return {
    sheets,
    isFrom1904,
    read,
    texts: texts === undefined ? [] : await readTexts(read, texts),
    kinds: styles === undefined ? [] : await readKinds(read, styles),
  };
}

type ReadPart = Workbook["read"];

/** What is encrypted, and what Excel wrote before 2007, is in another container. */
async function assertNotOle(path: string): Promise<void> {
  for await (const piece of createReadStream(path, { end: 3 }))
    if (Buffer.compare(piece as Buffer, OLE) === 0)
      throw new UnreadableFile(
        "an Excel file with a password, or of the old kind (.xls): save it as .xlsx without a password",
      );
}

async function readPart(path: string, entry: ZipEntry, sink: XmlSink): Promise<void> {
  if (entry.packedBytes === 0) return;
  const xml = new XmlReader(sink);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const raw = createReadStream(path, { start: entry.offset, end: entry.offset + entry.packedBytes - 1 });
  let unpackedBytes = 0;
  const consume = async (pieces: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pieces) {
      unpackedBytes += piece.length;
      if (unpackedBytes > entry.sizeBytes) throw new UnreadableFile("its zip says less than it holds");
      xml.write(decoder.decode(piece, { stream: true }));
      await sink.drain?.();
    }
    xml.write(decoder.decode());
    xml.end();
  };
  try {
    await (entry.isPacked ? pipeline(raw, createInflateRaw(), consume) : pipeline(raw, consume));
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    throw new UnreadableFile(`not an Excel workbook (.xlsx): ${entry.name} cannot be read`);
  }
}

interface Target {
  readonly id: string;
  readonly type: string;
  readonly part: string;
}

async function readTargets(read: ReadPart): Promise<readonly Target[]> {
  const targets: Target[] = [];
  await read("xl/_rels/workbook.xml.rels", {
    ...SILENT,
    open(name, tag) {
      if (name !== "Relationship") return;
      const target = attributeOf(tag, "Target") ?? "";
      targets.push({
        id: attributeOf(tag, "Id") ?? "",
        type: attributeOf(tag, "Type") ?? "",
        part: target.startsWith("/") ? target.slice(1) : posix.join("xl", target),
      });
    },
  });
  return targets;
}

const SILENT: XmlSink = { open: () => {}, close: () => {}, text: () => {} };

async function readSheets(
  read: ReadPart,
  main: string,
  targets: readonly Target[],
): Promise<Pick<Workbook, "sheets" | "isFrom1904">> {
  const sheets: Sheet[] = [];
  let isFrom1904 = false;
  await read(main, {
    ...SILENT,
    open(name, tag) {
      if (name === "workbookPr") isFrom1904 = /^(1|true)$/.test(attributeOf(tag, "date1904") ?? "");
      if (name !== "sheet") return;
      const target = targets.find(({ id }) => id === attributeOf(tag, "id"));
      // Charts have sheets of their own, without cells.
      if (target?.type.endsWith("/worksheet") !== true) return;
      const state = attributeOf(tag, "state") ?? "visible";
      sheets.push({ name: attributeOf(tag, "name") ?? "", isHidden: state !== "visible", part: target.part });
    },
  });
  return { sheets, isFrom1904 };
}

async function readTexts(read: ReadPart, part: string): Promise<readonly string[]> {
  const texts: string[] = [];
  const collected = collectText((text) => void texts.push(text), "si");
  await read(part, collected);
  return texts;
}

/** The text of each element of a name: all its runs, without how a reader should pronounce them. */
function collectText(found: (text: string) => void, element: string): XmlSink {
  let text = "";
  let isText = false;
  let phonetic = 0;
  return {
    open(name) {
      if (name === element) text = "";
      else if (name === "rPh") phonetic++;
      else if (name === "t") isText = phonetic === 0;
    },
    close(name) {
      if (name === element) found(plainText(text));
      else if (name === "rPh") phonetic--;
      else if (name === "t") isText = false;
    },
    text(piece) {
      if (isText) text += piece;
    },
  };
}

/** Characters that XML does not have are written `_x000D_` (ECMA-376, ST_Xstring). */
export function plainText(text: string): string {
  return text.includes("_x")
    ? text.replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : text;
}

async function readKinds(read: ReadPart, part: string): Promise<readonly CellKind[]> {
  const formats = new Map<number, string>();
  const kinds: CellKind[] = [];
  let isOfCells = false;
  await read(part, {
    ...SILENT,
    open(name, tag) {
      if (name === "numFmt") formats.set(Number(attributeOf(tag, "numFmtId")), attributeOf(tag, "formatCode") ?? "");
      else if (name === "cellXfs") isOfCells = true;
      else if (name === "xf" && isOfCells) {
        const id = Number(attributeOf(tag, "numFmtId") ?? 0);
        kinds.push(kindOfFormat(formats.get(id) ?? builtInFormat(id)));
      }
    },
    close(name) {
      if (name === "cellXfs") isOfCells = false;
    },
  });
  return kinds;
}

/** Formats that files name by number alone (ECMA-376, numFmts), first and last; those of East Asia are dates. */
const BUILT_IN: readonly (readonly [first: number, last: number, format: string])[] = [
  [14, 17, "yyyy-mm-dd"],
  [18, 21, "h:mm:ss"],
  [22, 22, "m/d/yy h:mm"],
  [27, 31, "yyyy-mm-dd"],
  [32, 35, "h:mm:ss"],
  [36, 36, "yyyy-mm-dd"],
  [45, 45, "mm:ss"],
  [46, 46, "[h]:mm:ss"],
  [47, 47, "mm:ss"],
  [50, 58, "yyyy-mm-dd"],
];

function builtInFormat(id: number): string {
  return BUILT_IN.find(([first, last]) => id >= first && id <= last)?.[2] ?? "General";
}

/** What the first section of a number format shows: texts, colours and conditions in it say nothing. */
export function kindOfFormat(format: string): CellKind {
  const [section = ""] = format.replace(/"[^"]*"|\\.|_.|\*./g, "").split(";");
  if (/\[(h+|m+|s+)\]/i.test(section)) return "duration";
  const letters = section.replace(/\[[^\]]*\]/g, "").toLowerCase();
  if (/^general$/.test(letters.trim())) return "number";
  const hasTime = /[hs]/.test(letters);
  if (/[yd]/.test(letters)) return hasTime ? "timestamp" : "date";
  if (hasTime) return "time";
  return /m/.test(letters) ? "date" : "number";
}
