/**
 * A literal of an array (`{1,NULL,"a b"}`, also with bounds before it and arrays within) as JSON, its elements as
 * texts: what `to_json(VALUE::text[])` writes.
 */
export function arrayToJson(literal: string): string {
  const start = literal.indexOf("{");
  // int2vector and oidvector are written without braces.
  if (start < 0) return JSON.stringify(literal.split(" ").filter((part) => part !== ""));
  return JSON.stringify(readArray(literal, start).elements);
}

type Elements = readonly (string | null | Elements)[];

function readArray(text: string, start: number): { readonly elements: Elements; readonly end: number } {
  const elements: (string | null | Elements)[] = [];
  let at = start + 1;
  while (at < text.length) {
    const mark = text.charAt(at);
    if (mark === "}") return { elements, end: at + 1 };
    if (mark === ",") at++;
    else if (mark === "{") {
      const inner = readArray(text, at);
      elements.push(inner.elements);
      at = inner.end;
    } else if (mark === '"') {
      const end = quoteEnd(text, at);
      elements.push(text.slice(at + 1, end).replaceAll(/\\([\s\S])/g, "$1"));
      at = end + 1;
    } else {
      const end = text.slice(at).search(/[,}]/);
      const plain = text.slice(at, end < 0 ? text.length : at + end);
      elements.push(plain === "NULL" ? null : plain.replaceAll(/\\([\s\S])/g, "$1"));
      at += plain.length;
    }
  }
  return { elements, end: at };
}

function quoteEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === "\\" ? 2 : 1;
  return at;
}

/** `-$1,234.50`, as the locale C writes it, as a number. */
export function moneyToNumber(text: string): string {
  return text.replaceAll(/[$,]/g, "");
}
