/** What stands for the bounds of the interval that a query is asked for. */
export const INTERVAL_PARAMETERS = ["interval_start", "interval_end"] as const;

/** A parameter in the text of a query. */
export interface SqlParameter {
  /** Without the `$`; `?` for one without a name. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** What may hold a `$` or a `?` that is none of ours: texts, names, comments, texts between dollars. */
const TOKENS =
  /(?<![A-Za-z0-9_])e'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_][A-Za-z0-9_]*)?\$[\s\S]*?\$\1\$|\$([A-Za-z0-9_]+)|\?/gi;

/** The parameters of a query, in order. */
export function findParameters(sql: string): readonly SqlParameter[] {
  return [...sql.matchAll(TOKENS)].flatMap((match) => {
    const text = match[0];
    const name = match[2] ?? (text === "?" ? "?" : undefined);
    return name === undefined ? [] : [{ name: name.toLowerCase(), start: match.index, end: match.index + text.length }];
  });
}

/**
 * The query with each bound as a literal. The values are numbers of ours, so that nothing a user wrote becomes SQL.
 */
export function bindInterval(sql: string, [start, end]: readonly [number, number]): string {
  const values: Readonly<Record<string, number>> = { interval_start: start, interval_end: end };
  let bound = "";
  let from = 0;
  for (const parameter of findParameters(sql)) {
    const value = values[parameter.name];
    if (value === undefined) continue;
    bound += `${sql.slice(from, parameter.start)}${momentLiteral(value)}`;
    from = parameter.end;
  }
  return bound + sql.slice(from);
}

/** A moment as DuckDB reads it. */
export function momentLiteral(ms: number): string {
  return `TIMESTAMPTZ '${new Date(ms).toISOString().replace("T", " ").replace("Z", "+00")}'`;
}
