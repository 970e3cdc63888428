import { readFileSync } from "node:fs";

/** One line of `http.tsv`: what MLflow 3.11 answered, in order, on one store. */
export interface RecordedExchange {
  readonly line: number;
  readonly method: string;
  /** Not percent-encoded. */
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly response: string;
}

export function readRecordedExchanges(): readonly RecordedExchange[] {
  const text = readFileSync(new URL("./http.tsv", import.meta.url), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line, index) => {
      const [method = "", path = "", body = "", status = "", response = ""] = line.split("\t");
      return { line: index + 2, method, path, body, status: Number(status), response };
    });
}

/**
 * `<x x 501>` is 501 times `x`; `"<... 1001 items>"` continues a list to that length; `<run>` and the like come from
 * `values`.
 */
export function expandBody(body: string, values: ReadonlyMap<string, string>): string {
  const repeated = body.replace(/<(\S) x (\d+)>/g, (_, letter: string, count: string) => letter.repeat(Number(count)));
  const listed = repeated.replace(/\[(\{[^[\]]*?\}),"<\.\.\. (\d+) items>"\]/g, (_, first: string, count: string) => {
    const items = Array.from({ length: Number(count) }, (__, index) =>
      first.replace(/"key":"([a-z])0"/, `"key":"$1${index}"`),
    );
    return `[${items.join(",")}]`;
  });
  return fill(listed, values);
}

export function fill(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /<(run(?: [a-d])?|model2?|webhook|token|id|model-id)>/g,
    (whole, name: string) => values.get(name) ?? whole,
  );
}

const VARYING: readonly (readonly [RegExp, string])[] = [
  [/<ms>/g, "\\d+"],
  [/<id>/g, "[0-9a-f]{32}"],
  [/<model-id>/g, "m-[0-9a-f]{32}"],
  [/<generated>/g, "[a-z]+-[a-z]+-\\d+"],
  [/<token[^>]*>/g, '[^"]+'],
  [/<SQL error text>/g, ".*"],
  [/<artifact dir>/g, ".*"],
];

/**
 * Matches what was recorded: varying values by their form, whole doubles with or without `.0`, cut answers by their
 * start.
 */
export function toPattern(response: string, values: ReadonlyMap<string, string>): RegExp {
  const cut = response.endsWith("...");
  let text = fill(
    cut ? response.slice(0, -3) : response,
    new Map([...values].filter(([name]) => name !== "id" && name !== "model-id" && name !== "token")),
  );
  text = text.replace(/("value":-?\d+)\.0\b/g, "$1");
  text = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  for (const [placeholder, pattern] of VARYING) text = text.replace(placeholder, pattern);
  // A cut can fall inside a placeholder or a number.
  if (cut) text = text.replace(/<[^>]*$/, "");
  return new RegExp(`^${text}${cut ? "" : "$"}`, "s");
}
