import { UnreadableFile } from "./source-rows.ts";

/** Told what stands in a document, in its order. Names have no prefix. */
export interface XmlSink {
  /** @param tag text between `<` and `>`, for {@link attributeOf} */
  open(name: string, tag: string): void;
  close(name: string): void;
  /** Text between tags, perhaps in several pieces. */
  text(text: string): void;
  /** Awaited between pieces of the document. */
  drain?(): Promise<void>;
}

/** What one tag or text may have: beyond, it is no document of a spreadsheet. */
const LONGEST_PIECE = 4 << 20;

/**
 * Reads XML piece by piece, as spreadsheets have it: without document types, so that no entity is anything but a
 * character.
 */
export class XmlReader {
  readonly #sink: XmlSink;
  #rest = "";

  constructor(sink: XmlSink) {
    this.#sink = sink;
  }

  /** @throws UnreadableFile */
  write(piece: string): void {
    const text = this.#rest + piece;
    let at = 0;
    for (;;) {
      const start = text.indexOf("<", at);
      if (start < 0) break;
      const end = endOfMarkup(text, start);
      if (end < 0) break;
      if (start > at) this.#sink.text(unescaped(text.slice(at, start)));
      this.#markup(text.slice(start, end));
      at = end;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > LONGEST_PIECE) throw new UnreadableFile("its XML has a piece without an end");
  }

  /** @throws UnreadableFile when the document ends within something */
  end(): void {
    if (this.#rest.trim() !== "") throw new UnreadableFile("its XML is cut off");
  }

  #markup(markup: string): void {
    const second = markup[1];
    if (second === "?") return;
    if (second === "!") {
      if (markup.startsWith("<![CDATA[")) this.#sink.text(markup.slice(9, -3));
      else if (!markup.startsWith("<!--")) throw new UnreadableFile("its XML has a document type");
      return;
    }
    if (second === "/") {
      this.#sink.close(localName(markup.slice(2, -1).trim()));
      return;
    }
    const isEmpty = markup.endsWith("/>");
    const tag = markup.slice(1, isEmpty ? -2 : -1);
    const space = tag.search(/\s/);
    const name = localName(space < 0 ? tag : tag.slice(0, space));
    this.#sink.open(name, tag);
    if (isEmpty) this.#sink.close(name);
  }
}

/** Place behind a tag, comment or section; -1 where it is not all there. */
function endOfMarkup(text: string, start: number): number {
  for (const [opens, closes] of [
    ["<!--", "-->"],
    ["<![CDATA[", "]]>"],
    ["<?", "?>"],
  ] as const)
    if (text.startsWith(opens, start)) {
      const end = text.indexOf(closes, start + opens.length);
      return end < 0 ? -1 : end + closes.length;
    }
  // "<!" alone could still become a comment or a section.
  if (text[start + 1] === "!" && text.length < start + 9) return -1;
  const first = text.indexOf(">", start);
  if (first < 0) return -1;
  if (!/["']/.test(text.slice(start, first))) return first + 1;
  let quote = "";
  for (let at = start + 1; at < text.length; at++) {
    const letter = text.charAt(at);
    if (quote !== "") {
      const closing = text.indexOf(quote, at);
      if (closing < 0) return -1;
      [quote, at] = ["", closing];
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === ">") return at + 1;
  }
  return -1;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** Value of an attribute, by its name without prefix. */
export function attributeOf(tag: string, name: string): string | undefined {
  const plain = tag.indexOf(` ${name}="`);
  if (plain >= 0) {
    const start = plain + name.length + 3;
    return unescaped(tag.slice(start, tag.indexOf('"', start)));
  }
  const found = new RegExp(`[\\s:]${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(tag);
  return found === null ? undefined : unescaped(found[1] ?? found[2] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|\w+);/g, (whole, entity: string) => {
    if (!entity.startsWith("#")) return ENTITIES[entity] ?? whole;
    const code = entity.startsWith("#x") ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
