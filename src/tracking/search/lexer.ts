/**
 * The words of MLflow's filter language. MLflow reads filters with a general SQL lexer, whose accidents are behaviour
 * that clients rely on: where a rule looks odd, `test/protocol/mlflow/filters.tsv` has the case.
 */
export const TOKEN_KINDS = [
  "space",
  "comment",
  "name",
  "string",
  "integer",
  "float",
  "comparison",
  "keyword",
  "order",
  "operator",
  "punctuation",
] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const LETTER = "A-Za-zÀ-ÖØ-öø-ü";
const WORD = "\\p{L}\\p{N}_";
const NOT_LETTER = `(?![_${LETTER}])`;

/** In order: the first that matches at a position wins. */
const RULES: readonly (readonly [RegExp, TokenKind])[] = [
  [/(--|# )[^\r\n]*/uy, "comment"],
  [/\/\*[\s\S]*?\*\//uy, "comment"],
  [/\s+/uy, "space"],
  [/\*/uy, "operator"],
  [/`(``|[^`])*`/uy, "name"],
  // These stay SQL words even after a dot, so that `params.from` cannot be read.
  [/(CASE|IN|VALUES|USING|FROM|AS)(?![\p{L}\p{N}_])/iuy, "keyword"],
  [new RegExp(`[@#][${LETTER}][${WORD}]+`, "uy"), "name"],
  [new RegExp(`[${LETTER}][${WORD}]*(?=\\s*\\.(?!\\d))`, "uy"), "name"],
  [new RegExp(`(?<=\\.)[${LETTER}][${WORD}]*`, "uy"), "name"],
  [new RegExp(`[${LETTER}][${WORD}]*(?=\\()`, "uy"), "name"],
  [/-?\d+(\.\d+)?E-?\d+/iuy, "float"],
  [new RegExp(`-?(\\d+\\.\\d*|\\.\\d+)${NOT_LETTER}`, "uy"), "float"],
  [new RegExp(`-?\\d+${NOT_LETTER}`, "uy"), "integer"],
  [/'(''|\\'|[^'])*'/uy, "string"],
  [/"(""|\\"|[^"])*"/uy, "name"],
  [/NOT\s+NULL(?![\p{L}\p{N}_])/iuy, "keyword"],
  [/(ASC|DESC)(?![\p{L}\p{N}_])/iuy, "order"],
  [/(NOT\s+)?(LIKE|ILIKE|RLIKE)(?![\p{L}\p{N}_])/iuy, "comparison"],
  [new RegExp(`[${WORD}][$#${WORD}]*`, "uy"), "name"],
  [/[;:()[\],.]/uy, "punctuation"],
  [/->>?|-/uy, "operator"],
  [/[<>=~!]+/uy, "comparison"],
  [/[+/@#%^&|]+/uy, "operator"],
  [/[\s\S]/uy, "operator"],
];

/** Bare words that are no names. A word after a dot is always one. */
const KEYWORDS = new Set(
  `ALL ALTER AND ANY AS BEGIN BETWEEN BY CASE COLUMN CREATE CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DELETE DISTINCT DROP
  ELSE END EXCEPT EXISTS FALSE FROM FULL GROUP HAVING IF IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN LEFT LIMIT NOT NULL OFFSET ON OR ORDER
  OUTER PRIMARY RIGHT SELECT SET SOURCE TABLE THEN TIMESTAMP TRUE UNION UNIQUE UPDATE USING VALUES VERSION VIEW WHEN WHERE WITH`.split(
    /\s+/,
  ),
);

/** Splits a filter into its words; joined together they are the filter again. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < text.length) {
    const token = tokenAt(text, position);
    tokens.push(token);
    position += token.text.length;
  }
  return tokens;
}

/** What no earlier rule can begin with: known by its first letter, without trying twenty patterns. */
const LONE = new Set(";:()[],");

function tokenAt(text: string, position: number): Token {
  const first = text.charAt(position);
  if (LONE.has(first)) return { kind: "punctuation", text: first };
  for (const [pattern, kind] of RULES) {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0];
    if (found === undefined || found === "") continue;
    const afterDot = position > 0 && text[position - 1] === ".";
    if (kind === "name" && !afterDot && KEYWORDS.has(found.toUpperCase())) return { kind: "keyword", text: found };
    return { kind, text: found };
  }
  return { kind: "operator", text: first };
}
