/**
 * The statement with each `$n` cast to its type, so that values can be bound as text. Texts, quoted names, comments and
 * dollar-quoted texts stay as they are.
 *
 * @param types of `$1` …
 * @param value stands for each of them
 */
export function castParameters(sql: string, types: readonly string[], value?: "NULL"): string {
  return sql.replaceAll(TOKENS, (token, _tag: string | undefined, number: string | undefined) => {
    const type = number === undefined ? undefined : types[Number(number) - 1];
    return type === undefined ? token : `CAST(${value ?? token} AS ${type})`;
  });
}

const TOKENS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|\$(\d+)\b/g;

/** How many `$n` a statement has: the largest n. */
export function countParameters(sql: string): number {
  return Math.max(0, ...[...sql.matchAll(TOKENS)].map(([, , number]) => Number(number ?? 0)));
}
