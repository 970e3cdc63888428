/** Offset of the first character at which a text stops being JSON: the parser's own message does not always tell. */
export function findJsonError(text: string): number {
  const at = { offset: 0 };
  readSpace(text, at);
  if (!readValue(text, at)) return at.offset;
  readSpace(text, at);
  return at.offset;
}

const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- JSON strings hold no control characters
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

function readValue(text: string, at: { offset: number }): boolean {
  const first = text[at.offset];
  if (first === '"') return readPattern(text, at, STRING);
  if (first !== "{" && first !== "[") return readPattern(text, at, LITERAL);
  const close = first === "{" ? "}" : "]";
  at.offset++;
  readSpace(text, at);
  if (text[at.offset] === close) return readCharacter(text, at, close);
  for (;;) {
    if (first === "{" && !readKey(text, at)) return false;
    if (!readValue(text, at)) return false;
    readSpace(text, at);
    if (text[at.offset] === close) return readCharacter(text, at, close);
    if (!readCharacter(text, at, ",")) return false;
    readSpace(text, at);
  }
}

function readKey(text: string, at: { offset: number }): boolean {
  if (!readPattern(text, at, STRING)) return false;
  readSpace(text, at);
  if (!readCharacter(text, at, ":")) return false;
  readSpace(text, at);
  return true;
}

function readPattern(text: string, at: { offset: number }, pattern: RegExp): boolean {
  pattern.lastIndex = at.offset;
  const match = pattern.exec(text);
  if (match === null) return false;
  at.offset += match[0].length;
  return true;
}

function readCharacter(text: string, at: { offset: number }, character: string): boolean {
  if (text[at.offset] !== character) return false;
  at.offset++;
  return true;
}

function readSpace(text: string, at: { offset: number }): void {
  while (/[ \t\r\n]/.test(text[at.offset] ?? "")) at.offset++;
}
