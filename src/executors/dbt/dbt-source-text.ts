/** What a model's own text says of it, as far as it can be told without running its Jinja. */
export interface DbtText {
  readonly refs: readonly DbtReference[];
  /** `SOURCE.TABLE` of each `source()`. */
  readonly sources: readonly string[];
  /** Literal settings of `config()`; null where one is computed. */
  readonly config: DbtConfig;
  /** It refers to something by a name that is computed. */
  readonly isComputed: boolean;
}

export interface DbtReference {
  readonly package?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
}

/** Settings of a node that decide what it makes. Null: computed, and so not known before dbt runs. */
export interface DbtConfig {
  readonly materialized?: string | null | undefined;
  readonly enabled?: boolean | null | undefined;
  readonly alias?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
}

const QUOTED = String.raw`(?:'([^']*)'|"([^"]*)")`;
const CALL = /\b(ref|source)\s*\(/g;
const REF = new RegExp(
  String.raw`\bref\s*\(\s*${QUOTED}\s*(?:,\s*${QUOTED}\s*)?(?:,\s*(?:v|version)\s*=\s*["']?([\w.]+)["']?\s*)?\)`,
  "g",
);
const SOURCE = new RegExp(String.raw`\bsource\s*\(\s*${QUOTED}\s*,\s*${QUOTED}\s*\)`, "g");

/** @param text SQL with Jinja, or a Python model; Pure. */
export function readDbtText(text: string, language: "sql" | "python"): DbtText {
  const code = language === "python" ? text.replaceAll(/^\s*#.*$/gm, "") : jinjaOf(text);
  const refs = [...code.matchAll(REF)].map(([, one, other, second, secondToo, version]): DbtReference => {
    const first = one ?? other ?? "";
    const named = second ?? secondToo;
    return named === undefined ? { name: first, version } : { package: first, name: named, version };
  });
  const sources = [...code.matchAll(SOURCE)].map(([, a, b, c, d]) => `${a ?? b ?? ""}.${c ?? d ?? ""}`);
  const calls = [...code.matchAll(CALL)].length;
  return { refs, sources, config: configOf(code), isComputed: calls > refs.length + sources.length };
}

/** The blocks of a text that Jinja computes, without its comments. */
function jinjaOf(text: string): string {
  const said = text.replaceAll(/\{#[\s\S]*?#\}/g, "");
  return [...said.matchAll(/\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g)].map(([block]) => block).join("\n");
}

function configOf(code: string): DbtConfig {
  const given = [...code.matchAll(/\bconfig\s*\(/g)].map((match) => argumentsAt(code, match.index + match[0].length));
  const text = given.join(",");
  const enabled = settingOf(text, "enabled", /^(true|false)$/i);
  const tags = /\btags\s*=\s*(\[[^\]]*\]|'[^']*'|"[^"]*")/.exec(text)?.[1];
  return {
    materialized: settingOf(text, "materialized", /^['"]([^'"]*)['"]$/),
    alias: settingOf(text, "alias", /^['"]([^'"]*)['"]$/),
    enabled: enabled === undefined || enabled === null ? enabled : enabled.toLowerCase() === "true",
    ...(tags === undefined ? {} : { tags: [...tags.matchAll(/['"]([^'"]+)['"]/g)].map(([, tag]) => tag ?? "") }),
  };
}

function settingOf(text: string, name: string, literal: RegExp): string | null | undefined {
  // A text in quotes is the whole value only where the next setting, or nothing, comes behind it.
  const value = new RegExp(String.raw`\b${name}\s*=\s*(?:('[^']*'|"[^"]*")(?=\s*(?:,|$))|([^,]+))`).exec(text);
  const said = (value?.[1] ?? value?.[2])?.trim();
  return said === undefined ? undefined : (literal.exec(said)?.[1] ?? null);
}

function argumentsAt(code: string, start: number): string {
  let depth = 1;
  let end = start;
  for (; end < code.length && depth > 0; end++) {
    if (code[end] === "(") depth++;
    else if (code[end] === ")") depth--;
  }
  return code.slice(start, end - 1);
}
