/** Where something stands in the `.ipynb` file itself; line and column count from 1. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/**
 * The place in the file's text of a line of a cell's source.
 *
 * Sources saved as lists of lines are found to the line; a source saved as one string is found as a whole.
 *
 * @param cell index of the cell, from 0
 * @param line line within the cell's source, from 1
 */
export function positionInFile(text: string, cell: number, line: number, column: number = 1): SourcePosition {
  const offsets = new Map<string, number>();
  scan(text, { offset: 0 }, "", offsets);
  const exact = offsets.get(`/cells/${cell}/source/${line - 1}`);
  const offset = exact ?? offsets.get(`/cells/${cell}/source`) ?? offsets.get(`/cells/${cell}`) ?? 0;
  const before = text.slice(0, offset);
  const start = { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
  return exact === undefined ? start : { line: start.line, column: start.column + column };
}

const KEPT = /^\/cells\/\d+(\/source(\/\d+)?)?$/;

/** Records where the cells of a valid JSON text stand, down to the lines of their sources. */
function scan(text: string, at: { offset: number }, path: string, offsets: Map<string, number>): void {
  skipSpace(text, at);
  if (KEPT.test(path)) offsets.set(path, at.offset);
  const first = text[at.offset];
  if (first === "{" || first === "[") {
    const close = first === "{" ? "}" : "]";
    at.offset++;
    for (let index = 0; ; index++) {
      skipSpace(text, at);
      if (text[at.offset] === close || at.offset >= text.length) break;
      if (text[at.offset] === ",") at.offset++;
      skipSpace(text, at);
      let key = String(index);
      if (first === "{") {
        key = readString(text, at);
        skipSpace(text, at);
        at.offset++;
      }
      scan(text, at, `${path}/${key}`, offsets);
    }
    at.offset++;
  } else if (first === '"') {
    readString(text, at);
  } else {
    while (at.offset < text.length && !/[,\]}\s]/.test(text[at.offset] ?? "")) at.offset++;
  }
}

function readString(text: string, at: { offset: number }): string {
  const start = at.offset;
  at.offset++;
  while (at.offset < text.length && text[at.offset] !== '"') at.offset += text[at.offset] === "\\" ? 2 : 1;
  at.offset++;
  return text.slice(start + 1, at.offset - 1);
}

function skipSpace(text: string, at: { offset: number }): void {
  while (/\s/.test(text[at.offset] ?? "")) at.offset++;
}
