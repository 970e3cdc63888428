import { assertJsonDepth, messageOf } from "#base";
import { eventsInvalid } from "../push-errors.ts";

/** Larger ones are no events, but files. */
const LARGEST_EVENT_BYTES = 2 ** 20;
export const MOST_EVENTS = 100_000;

const LINE_BREAKS = /[\r\n]+/g;

/**
 * The events of a request, each as a JSON object on one line, with the digits that it was sent with. A body is a JSON
 * array of objects, one object, or one object a line.
 *
 * @returns at least one
 * @throws DATA_EVENTS_INVALID with the place of the first mistake: none of the events is taken then
 */
export function readEventLines(body: Buffer): readonly string[] {
  const text = decode(body);
  const first = /\S/.exec(text)?.[0];
  if (first === undefined) throw eventsInvalid({ place: "the body", problem: "it is empty" });
  const lines = first === "[" ? splitArray(text) : splitLines(text);
  if (lines.length > MOST_EVENTS)
    throw eventsInvalid({
      place: "the body",
      problem: `it has ${lines.length} events, and at most ${MOST_EVENTS} go together`,
    });
  if (lines.length === 0) throw eventsInvalid({ place: "the body", problem: "it holds no event" });
  return lines;
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw eventsInvalid({ place: "the body", problem: "it is no UTF-8" });
  }
}

function splitLines(text: string): readonly string[] {
  const lines: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const problem = problemOf(line);
    // One object may be written over several lines.
    if (problem !== undefined && lines.length === 0 && problemOf(text) === undefined)
      return [text.replaceAll(LINE_BREAKS, " ").trim()];
    if (problem !== undefined) throw eventsInvalid({ place: `line ${index + 1}`, problem });
    lines.push(line.trim());
  }
  return lines;
}

function splitArray(text: string): readonly string[] {
  parse(text, "the body");
  return elementsOf(text).map((element, index) => {
    const problem = problemOf(element);
    if (problem !== undefined) throw eventsInvalid({ place: `event ${index + 1}`, problem });
    return element.replaceAll(LINE_BREAKS, " ").trim();
  });
}

function parse(text: string, place: string): unknown {
  try {
    assertJsonDepth(text);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw eventsInvalid({ place, problem: `it is no JSON (${messageOf(error)})` });
  }
}

function problemOf(text: string): string | undefined {
  if (Buffer.byteLength(text) > LARGEST_EVENT_BYTES) return `it is larger than ${LARGEST_EVENT_BYTES} bytes`;
  try {
    assertJsonDepth(text);
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return undefined;
    return "it is no JSON object";
  } catch (error) {
    return `it is no JSON (${messageOf(error)})`;
  }
}

/** The texts between the commas of an array that is known to be well-formed: digits stay as they are written. */
function elementsOf(text: string): readonly string[] {
  const elements: string[] = [];
  const inside = text.slice(text.indexOf("[") + 1, text.lastIndexOf("]"));
  let depth = 0;
  let start = 0;
  for (let at = 0; at < inside.length; at++) {
    const letter = inside[at];
    if (letter === '"') at = endOfString(inside, at);
    else if (letter === "[" || letter === "{") depth++;
    else if (letter === "]" || letter === "}") depth--;
    else if (letter === "," && depth === 0) {
      elements.push(inside.slice(start, at));
      start = at + 1;
    }
  }
  elements.push(inside.slice(start));
  return elements.length === 1 && elements[0]?.trim() === "" ? [] : elements;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}
