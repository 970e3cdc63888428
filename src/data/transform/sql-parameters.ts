import type { Partition } from "#pipeline";
import { quoteText } from "../analytics/sql-text.ts";

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
  return bind(sql, { interval_start: momentLiteral(start), interval_end: momentLiteral(end) });
}

/** The query with what it asks of its partition as literals: moments, and the key as a quoted text. */
export function bindPartition(sql: string, partition: Partition | undefined): string {
  if (partition === undefined) return sql;
  const { startMs, endMs, key } = partition;
  return bind(sql, {
    ...(startMs === undefined ? {} : { partition_start: momentLiteral(startMs) }),
    ...(endMs === undefined ? {} : { partition_end: momentLiteral(endMs) }),
    ...(key === undefined ? {} : { partition_key: quoteText(key) }),
  });
}

function bind(sql: string, literals: Readonly<Record<string, string>>): string {
  let bound = "";
  let from = 0;
  for (const parameter of findParameters(sql)) {
    const literal = Object.hasOwn(literals, parameter.name) ? literals[parameter.name] : undefined;
    if (literal === undefined) continue;
    bound += `${sql.slice(from, parameter.start)}${literal}`;
    from = parameter.end;
  }
  return bound + sql.slice(from);
}

/** A moment as DuckDB reads it. */
export function momentLiteral(ms: number): string {
  return `TIMESTAMPTZ '${new Date(ms).toISOString().replace("T", " ").replace("Z", "+00")}'`;
}
