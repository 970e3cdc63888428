import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { formsOfSecret } from "./secret-forms.ts";

const MASK = "***";
/** At the end of a line fewer characters of a secret are no reason to hold the line back. */
const SHORTEST_START = 4;

/**
 * Reads one output of a process as text: UTF-8 across chunk borders, secrets and what is easily made of them replaced,
 * also when they arrive in pieces or over several lines. Text that could be the beginning of a secret is held back
 * until more comes.
 */
export function readOutput(
  source: Readable,
  options: { readonly secrets: readonly string[]; readonly take: (text: string) => void | Promise<void> },
): void {
  const decoder = new StringDecoder("utf8");
  const forms = [...new Set(options.secrets.flatMap(formsOfSecret))].sort((one, other) => other.length - one.length);
  let held = "";

  const give = (text: string): void => {
    if (text === "") return;
    const taken = options.take(text);
    if (!(taken instanceof Promise)) return;
    // More output than can be stored: the process waits at its full pipe.
    source.pause();
    void taken.finally(() => source.resume());
  };

  source.on("data", (chunk: Buffer) => {
    const text = held + decoder.write(chunk);
    if (forms.length === 0) return give(text);
    const masked = mask(text, forms);
    const keep = possibleStart(masked, forms);
    held = masked.slice(masked.length - keep);
    give(masked.slice(0, masked.length - keep));
  });
  source.on("end", () => give(mask(held + decoder.end(), forms)));
  source.on("error", () => {});
}

/** A text with the secrets in it, and what is easily made of them, replaced. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  const forms = [...new Set(secrets.flatMap(formsOfSecret))].sort((one, other) => other.length - one.length);
  return forms.length === 0 ? text : mask(text, forms);
}

/** A line break inside a secret, as `base64` makes one, does not hide it. */
function mask(text: string, forms: readonly string[]): string {
  const { joined, placeOf } = withoutBreaks(text);
  const ranges: [number, number][] = [];
  for (const form of forms) {
    for (let at = joined.indexOf(form); at >= 0; at = joined.indexOf(form, at + form.length))
      ranges.push([at, at + form.length]);
  }
  if (ranges.length === 0) return text;
  ranges.sort(([one], [other]) => one - other);
  let masked = "";
  let upTo = 0;
  let lastEnd = -1;
  for (const [start, end] of ranges) {
    if (start >= lastEnd) masked += text.slice(upTo, placeOf(start)) + MASK;
    lastEnd = Math.max(lastEnd, end);
    upTo = placeOf(lastEnd - 1) + 1;
  }
  return masked + text.slice(upTo);
}

/** Length of the longest end of the text with which a secret could begin. */
function possibleStart(text: string, forms: readonly string[]): number {
  const longestForm = forms[0]?.length ?? 0;
  const tail = text.slice(-2 * longestForm);
  const { joined, placeOf } = withoutBreaks(tail);
  let longest = 0;
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, joined.length); length > longest; length--) {
      if (joined.endsWith(form.slice(0, length))) longest = length;
    }
  }
  if (longest === 0 || (longest < SHORTEST_START && tail.endsWith("\n"))) return 0;
  return tail.length - placeOf(joined.length - longest);
}

/** The text on one line, and where each of its characters stands in the text. */
function withoutBreaks(text: string): { readonly joined: string; readonly placeOf: (index: number) => number } {
  const lines = text.split(/\r?\n/);
  if (lines.length === 1) return { joined: text, placeOf: (index) => index };
  const starts: { readonly joined: number; readonly place: number }[] = [];
  let joined = 0;
  let place = 0;
  for (const line of lines) {
    if (line.length > 0) starts.push({ joined, place });
    joined += line.length;
    place += line.length + (text.startsWith("\r\n", place + line.length) ? 2 : 1);
  }
  return {
    joined: lines.join(""),
    placeOf(index) {
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((starts[middle]?.joined ?? 0) <= index) low = middle;
        else high = middle - 1;
      }
      const start = starts[low];
      return start === undefined ? index : start.place + index - start.joined;
    },
  };
}
