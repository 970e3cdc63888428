/** Levels of arrays and objects that a JSON document of a request may have. */
export const LARGEST_JSON_DEPTH = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Refuses JSON that is nested deeper than any request needs, before it is parsed: parsing millions of levels takes
 * seconds, and every function that walks the result by recursion fails. One look at each character; what lies in
 * strings is passed over.
 *
 * @throws SyntaxError, as `JSON.parse` does
 */
export function assertJsonDepth(text: string, largest: number = LARGEST_JSON_DEPTH): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > largest)
        throw new SyntaxError(`arrays and objects nested more than ${largest} deep at position ${at}`);
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--;
    else if (code === QUOTE) at = endOfString(text, at);
  }
}

/** Position of the quote that ends the string which begins at `start`; the text's end when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
