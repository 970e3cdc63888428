import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { Treatment } from "../contract/treatment.ts";
import type { SourceRows } from "./formats/source-rows.ts";
import type { TargetSchema } from "./typed-rows.ts";

/** Column → SQL of the value that is stored, where that is not the value itself. */
export type Protections = ReadonlyMap<string, string>;

/** Columns whose values are stored masked or hashed. */
export function protectionsOf(columns: readonly Column[], { contract, hashes }: TargetSchema): Protections {
  return new Map(
    columns.flatMap(({ name }) => {
      const protection = contract?.treatments.get(name.toLowerCase())?.protection;
      if (protection === undefined) return [];
      const sql =
        protection.kind === "mask"
          ? protection.apply(quoteName(name))
          : `${hashes.get(protection.secret)}(${quoteName(name)})`;
      return [[name, `${sql} as ${quoteName(name)}`] as const];
    }),
  );
}

/** A column on its way from a source, as its contract treats it. Counts what each treatment changes. */
export class TreatedColumn {
  /** The source with the column's texts treated. */
  readonly source: SourceRows;
  readonly #treatment: Treatment | undefined;
  readonly #name: string;
  readonly counts: (readonly [name: string, sql: string])[] = [];

  constructor(
    source: SourceRows,
    {
      column,
      from,
      target,
    }: { readonly column: Column; readonly from: Column | undefined; readonly target: TargetSchema },
  ) {
    this.#treatment = target.contract?.treatments.get(column.name.toLowerCase());
    this.#name = column.name;
    if (
      from === undefined ||
      this.#treatment === undefined ||
      !(source.isText || from.type === "VARCHAR") ||
      this.#treatment.text.length === 0
    ) {
      this.source = source;
      return;
    }
    const text = this.#run(this.#treatment.text, source.value(from.name));
    this.source = { ...source, value: (name) => (name === from.name ? text : source.value(name)) };
  }

  /** SQL of the treated value. @param read what was read as the column's type */
  value(read: string): string {
    if (this.#treatment === undefined) return read;
    const value = this.#run(this.#treatment.typed, read);
    const { protection } = this.#treatment;
    if (protection !== undefined) this.counts.push([`${this.#name}: ${protection.kind}`, `(${value}) is not null`]);
    return value;
  }

  #run(stages: Treatment["text"], from: string): string {
    let value = from;
    for (const stage of stages) {
      const next = stage.apply(value);
      this.counts.push([`${this.#name}: ${stage.name}`, `(${next}) is distinct from (${value})`]);
      value = next;
    }
    return value;
  }
}
