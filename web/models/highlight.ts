export interface CodeSpan {
  readonly kind: "plain" | "keyword" | "string" | "comment" | "number";
  readonly text: string;
}

const KEYWORDS =
  "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case";
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>[rbfuRBFU]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))`,
    String.raw`(?<number>\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)`,
    String.raw`(?<keyword>\b(?:${KEYWORDS.split(" ").join("|")})\b)`,
  ].join("|"),
  "g",
);

/** Python source in coloured pieces; joined, they are the source again. */
export function highlightPython(source: string): readonly CodeSpan[] {
  const spans: CodeSpan[] = [];
  let from = 0;
  for (const match of source.matchAll(TOKEN)) {
    if (match.index > from) spans.push({ kind: "plain", text: source.slice(from, match.index) });
    const kind =
      (["comment", "string", "number", "keyword"] as const).find((name) => match.groups?.[name] !== undefined) ??
      "plain";
    spans.push({ kind, text: match[0] });
    from = match.index + match[0].length;
  }
  if (from < source.length) spans.push({ kind: "plain", text: source.slice(from) });
  return spans;
}
