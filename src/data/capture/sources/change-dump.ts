import { join } from "node:path";
import { isEsteiraError } from "#base";
import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { quoteName, quotePath, quoteText } from "../../analytics/sql-text.ts";
import type { DatabaseColumn, Dumped } from "./database.ts";
import { DumpWriter } from "./dump-writer.ts";
import { type Dump, dumpRelation, textValue, typedValue } from "./read-dump.ts";

type ChangeKind = "insert" | "update" | "delete" | "truncate";

/** What a change is, before the values of its row. */
const FACTS: readonly DatabaseColumn[] = [
  { name: "__esteira_place", type: "BIGINT" },
  { name: "__esteira_change", type: "VARCHAR" },
  /** Values of the key, as a JSON list of texts. */
  { name: "__esteira_key", type: "VARCHAR" },
  /** Columns whose values did not change and are not known, as a JSON list; null: all are. */
  { name: "__esteira_unchanged", type: "VARCHAR" },
  { name: "__esteira_at", type: "TIMESTAMP WITH TIME ZONE" },
  { name: "__esteira_position", type: "VARCHAR" },
].map((column) => ({ ...column, quoted: column.name, select: column.name }));

const [PLACE, KIND, KEY, UNCHANGED, AT, POSITION] = FACTS.map(({ name }) => `"${name}"`);

/** A change of one row. */
export interface RowChange {
  readonly kind: ChangeKind;
  /** Values of the key, as the server writes them. */
  readonly key: readonly (string | null)[];
  /** In the order of the columns; undefined: it did not change. */
  readonly values: readonly (string | null | undefined)[];
  /** When and where in the log its transaction was committed: ISO 8601 in UTC, and `16/B374D848`. */
  readonly at: string;
  readonly position: string;
}

/** Columns of the changes that follow, until there are others. */
interface Part {
  readonly path: string;
  readonly columns: readonly DatabaseColumn[];
  readonly writer: DumpWriter;
  dumped: Dumped | undefined;
}

/** Changes on their way to a file, in the order of the log: `begin` before the first, `end` behind the last. */
export class ChangeDump {
  readonly #folder: string;
  readonly #parts: Part[] = [];
  #columns: readonly DatabaseColumn[] = [];
  #place = 0;
  #truncatedAt = 0;
  readonly #partial = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All changes so far. */
  get count(): number {
    return this.#place;
  }

  /** Nothing of before the first of the changes that count is there any more. */
  get isTruncated(): boolean {
    return this.#truncatedAt > 0;
  }

  /** Columns that some change has, in the order in which they came; those of the last change, where they are there. */
  get columns(): readonly DatabaseColumn[] {
    return this.#columns;
  }

  get hasPartial(): boolean {
    return this.#partial.size > 0;
  }

  /** The changes that follow have these columns. */
  async begin(columns: readonly DatabaseColumn[]): Promise<void> {
    if (signature(this.#parts.at(-1)?.columns.slice(FACTS.length) ?? []) === signature(columns)) return;
    await this.#endPart();
    const path = join(this.#folder, `changes-${this.#parts.length}.csv`);
    this.#parts.push({ path, columns: [...FACTS, ...columns], writer: new DumpWriter(path), dumped: undefined });
    const names = new Set(columns.map(({ name }) => name));
    this.#columns = [...columns, ...this.#columns.filter(({ name }) => !names.has(name))];
  }

  /** False: wait for `drain` before the next change. */
  add({ kind, key, values, at, position }: RowChange): boolean {
    const part = this.#parts.at(-1);
    if (part === undefined) return true;
    this.#place++;
    if (kind === "truncate") this.#truncatedAt = this.#place;
    const unchanged = values.flatMap((value, index) =>
      value === undefined ? [part.columns[index + FACTS.length]?.name ?? ""] : [],
    );
    for (const name of unchanged) this.#partial.add(name);
    return part.writer.add([
      String(this.#place),
      kind,
      JSON.stringify(key),
      unchanged.length === 0 ? null : JSON.stringify(unchanged),
      at,
      position,
      ...values.map((value) => value ?? null),
    ]);
  }

  async drain(): Promise<void> {
    await this.#parts.at(-1)?.writer.drain();
  }

  async #endPart(): Promise<void> {
    const part = this.#parts.at(-1);
    if (part !== undefined) part.dumped ??= await part.writer.end();
  }

  destroy(): void {
    for (const { writer, dumped } of this.#parts) if (dumped === undefined) writer.destroy();
  }

  /**
   * What the changes come to: the last row of each key, in one Parquet file.
   *
   * @returns `isText`: some value is not of its column's type, so that all are texts
   */
  async reduce(connection: AnalyticsConnection, source: string): Promise<NetChanges> {
    await this.#endPart();
    const isText = !(await this.#write(connection, { source, isText: false }));
    if (isText) await this.#write(connection, { source, isText });
    const path = join(this.#folder, "net.parquet");
    const filled = this.#columns.map(({ name }) => {
      const column = quoteName(name);
      if (!this.#partial.has(name)) return column;
      const isKnown = `not list_contains(coalesce(from_json(${UNCHANGED}, '["VARCHAR"]'), []), ${quoteText(name)})`;
      const known = `last_value(case when ${KIND} <> 'delete' and ${isKnown} then {'v': ${column}} end ignore nulls) over (partition by ${KEY} order by ${PLACE} rows unbounded preceding)`;
      return `case when ${isKnown} then {'v': ${column}} else ${known} end as ${column}`;
    });
    const partial = [...this.#partial].map(quoteName);
    const isUnknown =
      partial.length === 0
        ? "false"
        : `${KIND} <> 'delete' and (${partial.map((column) => `${column} is null`).join(" or ")})`;
    const list = this.#columns.map(({ name }) =>
      this.#partial.has(name) ? `${quoteName(name)}.v as ${quoteName(name)}` : quoteName(name),
    );
    await connection.run(
      `copy (select ${[PLACE, KIND, KEY, ...list].join(", ")}, ${isUnknown} as "__esteira_unknown" from (
         select ${[PLACE, KIND, KEY, ...filled].join(", ")}, row_number() over (partition by ${KEY} order by ${PLACE} desc) as "__esteira_newness"
         from read_parquet(${quotePath(this.#all)}) where ${PLACE} > ${this.#truncatedAt}
       ) where "__esteira_newness" = 1 order by ${PLACE}) to ${quoteText(path)} (format parquet)`,
    );
    return { path, isText };
  }

  /** All changes as rows, in their order. */
  async list(connection: AnalyticsConnection, source: string): Promise<NetChanges> {
    await this.#endPart();
    const isText = !(await this.#write(connection, { source, isText: false }));
    if (isText) await this.#write(connection, { source, isText });
    return { path: this.#all, isText };
  }

  get #all(): string {
    return join(this.#folder, "changes.parquet");
  }

  async #write(
    connection: AnalyticsConnection,
    { source, isText }: { readonly source: string; readonly isText: boolean },
  ): Promise<boolean> {
    const selects = this.#parts.map(({ path, columns, dumped }) => {
      if (dumped === undefined) return "";
      const dump: Dump = { path, dumped, columns, target: "", source };
      const values = columns.map((column, index) => {
        const value =
          isText && index >= FACTS.length ? textValue(column, `c${index}`) : typedValue(column, `c${index}`);
        return `${value} as ${quoteName(column.name)}`;
      });
      return `select ${values.join(", ")} from ${dumpRelation(dump)}`;
    });
    try {
      await connection.run(
        `copy (select * from (${selects.join(" union all by name ")}) order by ${PLACE}) to ${quoteText(this.#all)} (format parquet)`,
      );
      return true;
    } catch (error) {
      if (isText || !isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
      return false;
    }
  }
}

/** A Parquet file of changes. */
export interface NetChanges {
  readonly path: string;
  readonly isText: boolean;
}

function signature(columns: readonly DatabaseColumn[]): string {
  return JSON.stringify(columns.map(({ name, type }) => [name, type]));
}

/** SQL over {@link ChangeDump.reduce}: rows that are there afterwards, and keys that are not. */
export const NET = {
  isThere: `${KIND} <> 'delete' and not "__esteira_unknown"`,
  isGone: `${KIND} = 'delete'`,
  isUnknown: '"__esteira_unknown"',
  key: KEY,
  place: PLACE,
} as const;

/** Columns of a dataset that has each change as a row of its own. */
export const CHANGE_COLUMNS = {
  kind: "_change",
  at: "_changed_at",
  position: "_position",
  place: "_place",
  unchanged: "_unchanged",
} as const;

/** SQL of them, over {@link ChangeDump.list}. */
export const CHANGE_VALUES: readonly string[] = [
  `${KIND} as "${CHANGE_COLUMNS.kind}"`,
  `${AT} as "${CHANGE_COLUMNS.at}"`,
  `${POSITION} as "${CHANGE_COLUMNS.position}"`,
  `${PLACE} as "${CHANGE_COLUMNS.place}"`,
  `${UNCHANGED} as "${CHANGE_COLUMNS.unchanged}"`,
];
