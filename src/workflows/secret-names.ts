import { Lexer } from "@actions/expressions";
import type { Json } from "#base";
import { evaluate } from "./expression.ts";
import { asText } from "./json.ts";

/** Which secrets texts read. */
export interface NamedSecrets {
  /** In capitals: secrets are the same whatever their case. */
  readonly names: ReadonlySet<string>;
  /** All of them: `toJSON(secrets)`, `secrets.*`. */
  readonly isAll: boolean;
  /** Indexes that are known only when the job runs: nothing is given for them. */
  readonly unknown: readonly string[];
}

/**
 * The secrets that expressions name.
 *
 * @param sources insides of `${{ … }}`
 * @param matrices what `matrix` may be, where that is known: an index may ask for it
 */
export function findSecretNames(
  sources: readonly string[],
  matrices: readonly Readonly<Record<string, Json>>[],
): NamedSecrets {
  const names = new Set<string>();
  const unknown: string[] = [];
  let isAll = false;
  for (const source of sources)
    for (const access of accessesIn(source)) {
      if (access.type === "all") isAll = true;
      else if (access.type === "name") names.add(access.name.toUpperCase());
      else {
        const found = valuesOf(access.tokens, matrices);
        if (found === undefined) unknown.push(source.trim());
        for (const name of found ?? []) names.add(name.toUpperCase());
      }
    }
  return { names, isAll, unknown };
}

type Access =
  | { readonly type: "all" }
  | { readonly type: "name"; readonly name: string }
  /** What stands between the brackets. */
  | { readonly type: "index"; readonly tokens: readonly string[] };

function accessesIn(source: string): readonly Access[] {
  const tokens = tokensOf(source);
  const found: Access[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.toLowerCase() === "secrets" && tokens[at - 1] !== ".") found.push(accessAt(tokens, at));
    // `github.token`, which is one of them.
    if (token.toLowerCase() === "github" && tokens[at - 1] !== "." && isToken(tokens.slice(at + 1, at + 4)))
      found.push({ type: "name", name: "GITHUB_TOKEN" });
  }
  return found;
}

function isToken(behind: readonly string[]): boolean {
  const text = behind.join("").toLowerCase();
  return text === ".token" || text.startsWith(".token") || text === "['token']";
}

function accessAt(tokens: readonly string[], at: number): Access {
  const [sign, name = ""] = [tokens[at + 1], tokens[at + 2]];
  if (sign === ".") return name === "*" ? { type: "all" } : { type: "name", name };
  if (sign !== "[") return { type: "all" };
  let depth = 0;
  const end = tokens.findIndex((token, index) => {
    if (index <= at) return false;
    depth += token === "[" ? 1 : token === "]" ? -1 : 0;
    return depth === 0;
  });
  const inside = tokens.slice(at + 2, end === -1 ? undefined : end);
  return inside.length === 1 && inside[0] === "*" ? { type: "all" } : { type: "index", tokens: inside };
}

function tokensOf(source: string): readonly string[] {
  try {
    return new Lexer(source).lex().tokens.flatMap(({ lexeme }) => (lexeme === "" ? [] : [lexeme]));
  } catch {
    // What GitHub's parser refuses is told where the file is read.
    return [];
  }
}

/** What an index may be; undefined where it asks for what is not known before the job runs. */
function valuesOf(
  tokens: readonly string[],
  matrices: readonly Readonly<Record<string, Json>>[],
): readonly string[] | undefined {
  const asked = tokens.filter(
    (token, at) =>
      /^[A-Za-z_]/.test(token) &&
      !/^(true|false|null|NaN|Infinity)$/.test(token) &&
      tokens[at - 1] !== "." &&
      tokens[at + 1] !== "(",
  );
  if (asked.some((name) => name.toLowerCase() !== "matrix") || (asked.length > 0 && matrices.length === 0))
    return undefined;
  try {
    const source = tokens.join(" ");
    const scopes = matrices.length === 0 ? [{}] : matrices;
    return scopes.map((matrix) => asText(evaluate(source, { contexts: { matrix } })));
  } catch {
    return undefined;
  }
}
