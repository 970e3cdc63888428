import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { keyedValue } from "../contract/keyed-hash.ts";
import { OUTLIERS_STAGE, type Treatment } from "../contract/treatment.ts";
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
      const value = quoteName(name);
      const sql = protection.kind === "mask" ? protection.apply(value) : keyedValue(protection, hashes, value);
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
  /** SQL of the value of which outliers are told. */
  measured: string | undefined;

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
      if (stage.name === OUTLIERS_STAGE) this.measured = value;
      const counted = stage.counts?.(value) ?? `(${next}) is distinct from (${value})`;
      this.counts.push([`${this.#name}: ${stage.name}`, counted]);
      value = next;
    }
    return value;
  }
}
