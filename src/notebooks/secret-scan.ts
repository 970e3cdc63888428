import { createHmac } from "node:crypto";
import type { Json } from "#base";
import { isObject, joined, type Notebook, type NotebookOutput } from "./notebook.ts";
import { PLACEHOLDER, SECRET_RULES } from "./secret-rules.ts";

/** Cells with this tag are not scanned: their author answers for what only looks like a secret. */
export const NOT_A_SECRET_TAG = "not-a-secret";

/** Where a secret was found; never the secret itself. */
export interface SecretFinding {
  readonly rule: string;
  readonly description: string;
  readonly cellId: string | undefined;
  readonly cellIndex: number | undefined;
  readonly channel: "source" | "output" | "metadata" | "attachment";
  /** In the decoded text, from 1. */
  readonly line: number;
  readonly column: number;
  /** Tells equal secrets apart from different ones within one scan's salt; says nothing about their text. */
  readonly fingerprint: string;
}

/** A secret within one text. */
export interface SecretMatch {
  readonly rule: string;
  readonly description: string;
  readonly start: number;
  readonly end: number;
}

/** The secrets in a text, in order, without overlaps. */
export function findSecrets(text: string): readonly SecretMatch[] {
  const found: SecretMatch[] = [];
  for (const rule of SECRET_RULES) {
    for (const match of text.matchAll(rule.pattern)) {
      const secret = match[1] ?? match[0];
      if (PLACEHOLDER.test(secret) || entropyOf(secret) < (rule.minimumEntropy ?? 0)) continue;
      const start = match.index + match[0].lastIndexOf(secret);
      if (found.some((other) => start < other.end && start + secret.length > other.start)) continue;
      found.push({ rule: rule.name, description: rule.description, start, end: start + secret.length });
    }
  }
  return found.sort((left, right) => left.start - right.start);
}

/** The text with every secret replaced by the name of its rule. */
export function redactSecrets(text: string): string {
  let result = "";
  let from = 0;
  for (const match of findSecrets(text)) {
    result += `${text.slice(from, match.start)}[removed: ${match.rule}]`;
    from = match.end;
  }
  return result + text.slice(from);
}

/**
 * Scans a notebook's decoded content: sources, metadata, attachment names, and every textual output, after terminal
 * colours were taken out.
 *
 * Images and other binaries are passed over by their MIME type.
 *
 * @param salt keys the fingerprints; keep it secret where findings are published
 */
export function scanNotebook(notebook: Notebook, salt: string): readonly SecretFinding[] {
  const findings: SecretFinding[] = [];
  const scan = (text: string, place: Pick<SecretFinding, "cellId" | "cellIndex" | "channel">): void => {
    for (const match of findSecrets(text)) {
      const before = text.slice(0, match.start);
      findings.push({
        rule: match.rule,
        description: match.description,
        ...place,
        line: before.split("\n").length,
        column: match.start - before.lastIndexOf("\n"),
        fingerprint: createHmac("sha256", salt).update(text.slice(match.start, match.end)).digest("hex").slice(0, 16),
      });
    }
  };
  for (const cell of notebook.cells) {
    if (cell.tags.includes(NOT_A_SECRET_TAG)) continue;
    const place = { cellId: cell.id, cellIndex: cell.index };
    scan(cell.source, { ...place, channel: "source" });
    for (const text of stringsOf(cell.metadata)) scan(text, { ...place, channel: "metadata" });
    for (const name of Object.keys(cell.attachments)) scan(name, { ...place, channel: "attachment" });
    for (const output of cell.outputs)
      for (const text of textsOfOutput(output)) scan(text, { ...place, channel: "output" });
  }
  for (const text of stringsOf(notebook.metadata))
    scan(text, { cellId: undefined, cellIndex: undefined, channel: "metadata" });
  return findings;
}

/** An output without its secrets, and whether there were any. */
export function redactOutput(output: NotebookOutput): {
  readonly output: NotebookOutput;
  readonly rules: readonly string[];
} {
  const rules = textsOfOutput(output).flatMap((text) => findSecrets(text).map(({ rule }) => rule));
  if (rules.length === 0) return { output, rules };
  return { output: redactValue(output as unknown as Json) as unknown as NotebookOutput, rules };
}

function redactValue(value: Json): Json {
  const text = joined(value);
  if (text !== undefined && (typeof value === "string" || (value as readonly Json[]).length > 0)) {
    const clean = redactSecrets(withoutAnsi(text));
    return typeof value === "string" ? clean : clean.split(/(?<=\n)/);
  }
  if (Array.isArray(value)) return value.map((item) => redactValue(item as Json));
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, isBinary(key) ? member : redactValue(member)]),
    );
  return value;
}

function textsOfOutput(output: NotebookOutput): readonly string[] {
  const texts = [joined(output["text"]), joined(output["ename"]), joined(output["evalue"])];
  const traceback = output["traceback"];
  if (Array.isArray(traceback)) texts.push(traceback.join("\n"));
  if (isObject(output["data"])) {
    for (const [mime, value] of Object.entries(output["data"]))
      if (!isBinary(mime)) texts.push(joined(value) ?? stringsOf(value).join("\n"));
  }
  return texts.flatMap((text) => (text === undefined || text === "" ? [] : [withoutAnsi(text)]));
}

function stringsOf(value: Json): readonly string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap((item) => stringsOf(item as Json));
  // Key and value together, so that {"password": "…"} reads like an assignment.
  if (isObject(value))
    return Object.entries(value).flatMap(([key, member]) =>
      typeof member === "string" ? [`${key}: "${member}"`] : stringsOf(member),
    );
  return [];
}

function isBinary(mime: string): boolean {
  return /^(image\/(?!svg)|audio\/|video\/|font\/|application\/(pdf|octet-stream|vnd\.apache))/.test(mime);
}

/** Terminal colours split tokens. */
export function withoutAnsi(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
}

/** Shannon entropy in bits per character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
