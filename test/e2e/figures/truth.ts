import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Analytics } from "#data";
import type { ShownDate, ShownNumber } from "./shown-numbers.ts";

interface Fact {
  readonly source: string;
  readonly least: number;
  readonly most: number;
}

/** What the figures of one page may be, each computed here from the store by a query of its own. */
export class Truth {
  readonly #facts: Fact[] = [];
  readonly #named = new Map<string, readonly number[]>();
  readonly #moments = new Set<number>();
  readonly #momentRanges: (readonly [number, number])[] = [];

  add(source: string, ...values: readonly (number | bigint | null | undefined)[]): this {
    for (const value of values)
      if (value !== null && value !== undefined)
        this.#facts.push({ source, least: Number(value), most: Number(value) });
    return this;
  }

  /** An estimate that may lie between two values. */
  addRange(source: string, least: number, most: number): this {
    this.#facts.push({ source, least, most });
    return this;
  }

  /** What a figure that the page names is: no other number will do for it. */
  name(figure: string, ...values: readonly number[]): this {
    this.#named.set(figure, values);
    return this;
  }

  /** A moment that a text of the page may name. */
  addMoments(...moments: readonly number[]): this {
    for (const moment of moments) this.#moments.add(moment);
    return this;
  }

  /** A moment that the page only estimates. */
  addMomentRange(leastMs: number, mostMs: number): this {
    this.#momentRanges.push([leastMs, mostMs]);
    return this;
  }

  /** True when the date names a moment of the page, or one of `others`. */
  hasMoment({ fromMs, toMs, estimated }: ShownDate, others: ReadonlySet<number>): boolean {
    if (estimated) return this.#momentRanges.some(([least, most]) => fromMs <= most && toMs > least);
    const isIn = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
    return this.#moments.values().some(isIn) || others.values().some(isIn);
  }

  /** Where the number comes from; undefined when no query gives it. */
  explain(shown: ShownNumber): string | undefined {
    const named = shown.figure === undefined ? undefined : this.#named.get(shown.figure);
    if (named !== undefined)
      return named.some((value) => Math.abs(value - shown.value) <= shown.precision) ? shown.figure : undefined;
    const margin = shown.precision * 1.000001 + (shown.estimated ? Math.abs(shown.value) * 0.03 : 0) + 1e-12;
    return this.#facts.find(({ least, most }) => shown.value >= least - margin && shown.value <= most + margin)?.source;
  }

  get size(): number {
    return this.#facts.length;
  }
}

/** The metadata of a store, read by plain SQL. */
export class Metadata {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { readOnly: true });
  }

  rows(sql: string, ...values: readonly (string | number)[]): readonly Readonly<Record<string, unknown>>[] {
    return this.#database.prepare(sql).all(...values);
  }

  /** Every number of the answer. */
  numbers(sql: string, ...values: readonly (string | number)[]): readonly number[] {
    return this.rows(sql, ...values).flatMap((row) => Object.values(row).filter((value) => typeof value === "number"));
  }

  text(sql: string, ...values: readonly (string | number)[]): string {
    const value = Object.values(this.rows(sql, ...values)[0] ?? {})[0];
    return typeof value === "string" ? value : "";
  }

  /** Every moment that the store knows, but those of some tables: whatever a page calls a time must be one of them. */
  moments(...except: readonly string[]): ReadonlySet<number> {
    const found = new Set<number>();
    for (const { name } of this.rows("select name from sqlite_master where type = 'table'")) {
      if (except.includes(String(name))) continue;
      const columns = this.rows(`pragma table_info("${String(name)}")`)
        .map((column) => String(column["name"]))
        .filter((column) => /(_ms|_time|_at)$/.test(column));
      for (const column of columns)
        for (const row of this.rows(
          `select distinct "${column}" as at from "${String(name)}" where "${column}" is not null`,
        ))
          if (typeof row["at"] === "number") found.add(row["at"]);
    }
    return found;
  }

  /** The JSON of the answer's only column, row by row. */
  json(sql: string, ...values: readonly (string | number)[]): readonly unknown[] {
    return this.rows(sql, ...values).flatMap((row) =>
      Object.values(row).flatMap((value) => (typeof value === "string" ? [JSON.parse(value) as unknown] : [])),
    );
  }

  close(): void {
    this.#database.close();
  }
}

/** The Parquet files of a table's newest version, from its Delta log. */
export async function filesOf(table: string): Promise<readonly string[]> {
  const log = join(table, "_delta_log");
  const live = new Set<string>();
  const entries = (await readdir(log)).filter((name) => /^\d{20}\.json$/.test(name)).sort();
  for (const entry of entries) {
    for (const line of (await readFile(join(log, entry), "utf8")).split("\n").filter((text) => text !== "")) {
      const action = JSON.parse(line) as {
        readonly add?: { readonly path: string };
        readonly remove?: { readonly path: string };
      };
      if (action.add !== undefined) live.add(decodeURIComponent(action.add.path));
      if (action.remove !== undefined) live.delete(decodeURIComponent(action.remove.path));
    }
  }
  return [...live].map((path) => join(table, path));
}

/** Rows, bytes and files of a table, counted in its files. */
export async function measureTable(
  analytics: Analytics,
  table: string,
): Promise<{ readonly relation: string; readonly rows: number; readonly bytes: number; readonly files: number }> {
  const files = await filesOf(table);
  const relation = `read_parquet([${files.map((file) => `'${file.replaceAll("'", "''")}'`).join(", ")}])`;
  const connection = await analytics.connect();
  try {
    const [row] = await connection.rows(`select count(*)::double as n from ${relation}`);
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    return {
      relation,
      rows: Number(row?.["n"]),
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      files: files.length,
    };
  } finally {
    connection.close();
  }
}
