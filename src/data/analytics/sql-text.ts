/** A name as DuckDB reads it exactly. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text constant. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A list of text constants. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(", ")}]`;
}

/** A file path as a constant in which `* ? [ ]` mean themselves. */
export function quotePath(path: string): string {
  return quoteText(literalPattern(path));
}

/** A pattern that matches this path alone. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[[\]*?]/g, (character) => `[${character}]`);
}
