import { open } from "node:fs/promises";
import { nearestName } from "#base";
import { UnreadableFile } from "./source-rows.ts";
import { type CellKind, openWorkbook, plainText, type Sheet, type Workbook } from "./workbook.ts";
import { attributeOf, type XmlSink } from "./xml-reader.ts";

/** Which cells of a workbook are the rows. */
export interface ExcelOptions {
  /** Name of the sheet, or its place from 1. Default: the first one that is not hidden. */
  readonly sheet?: string | number | undefined;
  /** Row of the names of the columns, from 1, as Excel counts them. Default: the first row that looks like it. */
  readonly header?: number | undefined;
  /** `B3:F100`, `B:F`: cells outside are not read. */
  readonly range?: string | undefined;
}

/** What is worth telling of the sheet that was read. */
export interface ReadSheet {
  readonly rows: number;
  readonly sizeBytes: number;
  readonly lineFeeds: number;
  readonly notes: readonly string[];
}

type Value = string | number | boolean | null;
interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A header is looked for so far down. */
const ROWS_LOOKED_AT = 20;
const MOST_MERGED = 200_000;
/** What a sheet has at most (Excel's limits): a file of a few bytes may name any cell. */
const MOST_ROWS = 1_048_576;
const MOST_COLUMNS = 16_384;
/** Steps that are spent on merged cells; each is one cell in one row. */
const MOST_FILLED = 20_000_000;
const LONGEST_CELL = 4 << 20;
const FLUSHED_AT = 1 << 20;

/**
 * Writes a sheet's rows as NDJSON, each on the line of its row in Excel: numbers and truth values as such, dates as
 * `2026-01-31`, all else as text. Streams: the memory holds the texts of the workbook and no rows.
 *
 * @param to absolute path that is written
 * @throws UnreadableFile
 */
export async function writeSheet(path: string, to: string, options: ExcelOptions): Promise<ReadSheet> {
  const book = await openWorkbook(path);
  const sheet = sheetOf(book, options.sheet);
  const area = areaOf(options.range);
  const merged = await mergedOf(book, sheet);
  const rows = new SheetRows(book, { area, header: options.header, merged });
  const file = await open(to, "w");
  let [sizeBytes, lineFeeds] = [0, 0];
  let pending = "";
  rows.onLine = (line) => {
    pending += `${line}\n`;
    lineFeeds++;
  };
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(pending);
    pending = "";
    sizeBytes += bytes.length;
    await file.writeFile(bytes);
  };
  try {
    await book.read(sheet.part, {
      ...rows.reader(),
      drain: async () => (pending.length > FLUSHED_AT ? flush() : undefined),
    });
    rows.end();
    await flush();
  } finally {
    await file.close();
  }
  return { rows: rows.count, sizeBytes, lineFeeds, notes: [...sheetNotes(book, sheet, options), ...rows.notes()] };
}

function sheetOf({ sheets }: Workbook, asked: ExcelOptions["sheet"]): Sheet {
  const names = sheets.map(({ name }) => name);
  const found =
    asked === undefined
      ? (sheets.find(({ isHidden }) => !isHidden) ?? sheets[0])
      : typeof asked === "number"
        ? sheets[asked - 1]
        : sheets.find(({ name }) => name.toLowerCase() === asked.toLowerCase());
  if (found !== undefined) return found;
  const near = typeof asked === "string" ? nearestName(asked, names) : undefined;
  throw new UnreadableFile(
    asked === undefined
      ? "the workbook has no sheet with cells"
      : `the workbook has no sheet ${JSON.stringify(asked)}; it has ${names.join(", ")}${near === undefined ? "" : `. Did you mean "${near}"?`}`,
  );
}

function* sheetNotes({ sheets }: Workbook, { name }: Sheet, { sheet }: ExcelOptions): Generator<string> {
  if (sheet === undefined && sheets.length > 1)
    yield `the sheet "${name}" is read, of ${sheets.map((one) => one.name).join(", ")}; if it is another: excel: { sheet: … }`;
}

const RANGE = /^\$?([A-Z]{1,3})\$?(\d{1,7})?:\$?([A-Z]{1,3})\$?(\d{1,7})?$/i;

/** Whether a text names cells: `B3:F100`, `B:F`. */
export function isRange(text: string): boolean {
  return RANGE.test(text);
}

function areaOf(range: string | undefined): Area {
  const found = RANGE.exec(range ?? "");
  if (found === null) return { left: 1, top: 1, right: Infinity, bottom: Infinity };
  const [, left = "", top, right = "", bottom] = found;
  return {
    left: columnOf(left),
    top: Number(top ?? 1),
    right: columnOf(right),
    bottom: bottom === undefined ? Infinity : Number(bottom),
  };
}

/** `A` is 1. */
function columnOf(letters: string): number {
  let column = 0;
  for (const letter of letters.toUpperCase()) column = column * 26 + letter.charCodeAt(0) - 64;
  return column;
}

/** Cells that are one stand behind the cells of the sheet: they are looked for first. */
async function mergedOf(book: Workbook, { part }: Sheet): Promise<readonly Area[]> {
  const merged: Area[] = [];
  await book.read(part, {
    open(name, tag) {
      if (name !== "mergeCell" || merged.length >= MOST_MERGED) return;
      const ref = attributeOf(tag, "ref") ?? "";
      if (RANGE.test(ref)) merged.push(areaOf(ref));
    },
    close: () => {},
    text: () => {},
  });
  return merged;
}

/** The cells of a sheet as rows. States: looking for the header → reading. */
class SheetRows {
  readonly #book: Workbook;
  readonly #area: Area;
  readonly #merged: ReadonlyMap<number, readonly Area[]>;
  readonly #asked: number | undefined;
  readonly #first: { readonly number: number; readonly cells: Map<number, Value> }[] = [];
  #headerRow: number | undefined;
  #names = new Map<number, string>();
  #taken = new Set<string>();
  #line = 0;
  /** Column → what a merged cell above holds, and until which row. */
  readonly #held = new Map<number, { readonly value: Value; readonly until: number }>();
  #mergedCount = 0;
  #filling = 0;
  #formulasWithoutValue = 0;
  #hiddenTimes = 0;
  count = 0;
  onLine: (line: string) => void = () => {};

  constructor(
    book: Workbook,
    of: { readonly area: Area; readonly header: number | undefined; readonly merged: readonly Area[] },
  ) {
    this.#book = book;
    this.#area = of.area;
    this.#asked = of.header;
    this.#merged = Map.groupBy(of.merged, ({ top }) => top);
  }

  /** Takes the sheet's XML. */
  reader(): XmlSink {
    let row = 0;
    let column = 0;
    let cells = new Map<number, Value>();
    let [type, style, text, element] = ["n", 0, "", ""];
    let [isFormula, hasValue] = [false, false];
    let phonetic = 0;
    return {
      open: (name, tag) => {
        element = name;
        if (name === "row") {
          row = rowNumber(attributeOf(tag, "r") ?? String(row + 1));
          column = 0;
          cells = new Map();
        } else if (name === "c") {
          const place = /^[A-Z]+/i.exec(attributeOf(tag, "r") ?? "")?.[0];
          column = columnNumber(place === undefined ? column + 1 : columnOf(place));
          type = attributeOf(tag, "t") ?? "n";
          style = Number(attributeOf(tag, "s") ?? 0);
          [text, isFormula, hasValue] = ["", false, false];
        } else if (name === "f") isFormula = true;
        else if (name === "rPh") phonetic++;
        else if (name === "v" || name === "t") hasValue = true;
      },
      text: (piece) => {
        if ((element !== "v" && element !== "t") || phonetic > 0) return;
        text += piece;
        if (text.length > LONGEST_CELL) throw new UnreadableFile(`a cell of row ${row} has a text without an end`);
      },
      close: (name) => {
        element = "";
        if (name === "rPh") phonetic--;
        else if (name === "row") this.#row(row, cells);
        else if (name === "c" && column >= this.#area.left && column <= this.#area.right) {
          if (isFormula && text === "" && type !== "str") this.#formulasWithoutValue++;
          const value = hasValue ? this.#valueOf(type, style, text) : null;
          if (value !== null) cells.set(column, value);
        }
      },
    };
  }

  /** The sheet is read to its end. */
  end(): void {
    if (this.#headerRow === undefined) this.#findHeader();
  }

  *notes(): Generator<string> {
    if (this.#headerRow !== undefined && this.#asked === undefined && this.#headerRow !== this.#area.top)
      yield `row ${this.#headerRow} is taken for the names of the columns; if it is another: excel: { header: … }`;
    if (this.#mergedCount > 0) yield `${this.#mergedCount} cells that are part of a merged one have its value`;
    if (this.#formulasWithoutValue > 0)
      yield `${this.#formulasWithoutValue} formulas have no value in the file, and are taken for empty: open and save it in Excel, which computes them`;
    if (this.#hiddenTimes > 0)
      yield `${this.#hiddenTimes} dates have a time of day that their format does not show; it is left out`;
  }

  #row(number: number, cells: Map<number, Value>): void {
    if (number < this.#area.top || number > this.#area.bottom) return;
    if (this.#headerRow !== undefined) {
      this.#emit(number, cells);
      return;
    }
    if (this.#asked !== undefined && number < this.#asked) return;
    if (cells.size > 0 || this.#asked === number) this.#first.push({ number, cells });
    if (this.#asked !== undefined || this.#first.length >= ROWS_LOOKED_AT) this.#findHeader();
  }

  /** A title or two may stand above: a header has a name for at least half of the columns. */
  #findHeader(): void {
    const most = Math.max(0, ...this.#first.map(({ cells }) => cells.size));
    const header = this.#asked === undefined ? this.#first.find(({ cells }) => cells.size * 2 >= most) : this.#first[0];
    if (header === undefined) return;
    this.#headerRow = header.number;
    for (const [column, value] of [...header.cells].sort(([left], [right]) => left - right))
      this.#names.set(column, this.#nameFor(String(value ?? "").trim(), column));
    for (const { number, cells } of this.#first.splice(0)) if (number > header.number) this.#emit(number, cells);
  }

  #nameFor(written: string, column: number): string {
    const base = written === "" ? `column_${column - this.#area.left + 1}` : written;
    let name = base;
    for (let number = 2; this.#taken.has(name); number++) name = `${base}_${number}`;
    this.#taken.add(name);
    return name;
  }

  #emit(number: number, cells: Map<number, Value>): void {
    this.#fillMerged(number, cells);
    if (cells.size === 0) return;
    // Each row stands on the line that has its number in Excel.
    while (this.#line + 1 < number) {
      this.onLine(" ");
      this.#line++;
    }
    for (const column of cells.keys()) if (!this.#names.has(column)) this.#names.set(column, this.#nameFor("", column));
    // The first line says which columns there are, in their order; what is not in the others is empty.
    const named = this.count === 0 ? [...this.#names.keys()] : [...cells.keys()];
    const members = named.map(
      (column) => `${JSON.stringify(this.#names.get(column))}:${JSON.stringify(cells.get(column) ?? null)}`,
    );
    this.onLine(`{${members.join(",")}}`);
    this.#line = number;
    this.count++;
  }

  #fillMerged(number: number, cells: Map<number, Value>): void {
    for (const { left, right, bottom } of this.#merged.get(number) ?? []) {
      const value = cells.get(left);
      if (value === undefined) continue;
      this.#spend(Math.min(right, MOST_COLUMNS) - left + 1);
      for (let column = left; column <= Math.min(right, MOST_COLUMNS); column++)
        this.#held.set(column, { value, until: bottom });
    }
    this.#spend(this.#held.size);
    for (const [column, { value, until }] of this.#held) {
      if (until < number) this.#held.delete(column);
      else if (!cells.has(column) && column >= this.#area.left && column <= this.#area.right) {
        cells.set(column, value);
        this.#mergedCount++;
      }
    }
  }

  /** @throws UnreadableFile */
  #spend(cells: number): void {
    this.#filling += Math.max(0, cells);
    if (this.#filling > MOST_FILLED)
      throw new UnreadableFile(
        "its merged cells are more than can be filled; take them apart, or leave them out by range",
      );
  }

  #valueOf(type: string, style: number, text: string): Value {
    switch (type) {
      case "s":
        return this.#book.texts[Number(text)] || null;
      case "b":
        return text.trim() === "1";
      case "str":
      case "inlineStr":
        return plainText(text) || null;
      case "e":
      case "d":
        return text;
      default:
        return this.#numberOf(text, this.#book.kinds[style] ?? "number");
    }
  }

  #numberOf(text: string, kind: CellKind): Value {
    const number = Number(text);
    if (text.trim() === "" || !Number.isFinite(number)) return text.trim() === "" ? null : text;
    if (kind === "number") return number;
    const seconds = Math.round(number * 86_400_000) / 1000;
    if (kind === "duration") return clock(seconds);
    // 1900 has a 29 February in Excel, which moves the days before it.
    const days = this.#book.isFrom1904 ? number + 1462 : number < 60 ? number + 1 : number;
    const time = new Date(Math.round((days - 25_569) * 86_400_000));
    if (kind === "time") return clock(seconds % 86_400);
    if (Number.isNaN(time.getTime()) || number < 0) return number;
    const written = time.toISOString();
    if (kind === "timestamp")
      return written
        .slice(0, 23)
        .replace("T", " ")
        .replace(/\.000$/, "");
    if (number % 1 !== 0) this.#hiddenTimes++;
    return written.slice(0, 10);
  }
}

/** @throws UnreadableFile */
function rowNumber(text: string): number {
  const number = Number(text);
  if (!(/^\d+$/.test(text) && number >= 1 && number <= MOST_ROWS))
    throw new UnreadableFile(`${JSON.stringify(text.slice(0, 40))} is no row of a sheet: those are 1 to ${MOST_ROWS}`);
  return number;
}

/** @throws UnreadableFile */
function columnNumber(number: number): number {
  if (number > MOST_COLUMNS)
    throw new UnreadableFile(`a cell is in column ${number}, which is no column of a sheet: it has ${MOST_COLUMNS}`);
  return number;
}

function clock(seconds: number): string {
  const whole = Math.floor(Math.abs(seconds));
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${seconds < 0 ? "-" : ""}${pad(Math.floor(whole / 3600))}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
}
