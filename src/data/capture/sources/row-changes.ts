import { sourceColumnUnfit } from "../../source-errors.ts";
import type { ChangeDump, RowChange } from "./change-dump.ts";
import type { DatabaseColumn } from "./database.ts";
import type { PostgresDeclaration } from "./database-declaration.ts";
import { formatLogPosition } from "./log-position.ts";
import { arrayToJson, moneyToNumber } from "./log-value.ts";
import type { LogMessage, LogRelation, LogRow } from "./pgoutput.ts";
import { type PostgresConnection, typeColumns } from "./postgres.ts";
import type { PublishedTable } from "./publication.ts";
import type { SourceReader } from "./source.ts";
import { chosenColumns } from "./table-source.ts";

/** The type `money`. */
const MONEY_OID = 790;
const PROGRESS_EVERY = 10_000;

interface FollowedTable {
  readonly declaration: PostgresDeclaration;
  readonly owner: { readonly source: string };
  readonly reader: SourceReader;
  readonly sql: PostgresConnection;
  readonly table: PublishedTable;
  readonly keys: readonly string[];
}

/** How the rows of a relation become values of columns. */
interface Shape {
  readonly columns: readonly DatabaseColumn[];
  /** Place of each column in the row, and what its text becomes. */
  readonly places: readonly { readonly index: number; readonly convert: ((text: string) => string) | undefined }[];
  /** Places of the key in the row. */
  readonly keys: readonly number[];
}

/** Messages of the log become changes of one table's rows. */
export class RowChanges {
  readonly #changes: ChangeDump;
  readonly #of: FollowedTable;
  #shape: Shape | undefined;
  #oid: number | undefined;
  #at = "";
  #position = "";

  constructor(changes: ChangeDump, of: FollowedTable) {
    this.#changes = changes;
    this.#of = of;
  }

  /** A promise where the next message must wait; most need not. */
  take(message: LogMessage): Promise<void> | undefined {
    switch (message.kind) {
      case "begin":
        this.#at = isoMicros(message.committedMicros);
        this.#position = formatLogPosition(message.at);
        return undefined;
      case "relation":
        return this.#takeRelation(message.relation);
      case "insert":
        return this.#add("insert", message, message.row, message.row);
      case "update":
        return this.#takeUpdate(message);
      case "delete":
        return this.#add("delete", message, message.before, message.before);
      case "truncate":
        if (this.#oid === undefined || !message.oids.includes(this.#oid) || this.#shape === undefined) return undefined;
        return this.#write({ kind: "truncate", key: [], values: this.#shape.columns.map(() => null) });
      case "commit":
      case "other":
        return undefined;
    }
  }

  async #takeRelation(relation: LogRelation): Promise<void> {
    const { table } = this.#of;
    // A table that was renamed has another name before; one that was made again has another number.
    const isSame = relation.oid === table.oid || (relation.schema === table.schema && relation.name === table.name);
    if (!isSame) return;
    this.#oid = relation.oid;
    this.#shape = await this.#shapeOf(relation);
    await this.#changes.begin(this.#shape.columns);
  }

  async #shapeOf(relation: LogRelation): Promise<Shape> {
    const { declaration, owner, sql, keys } = this.#of;
    const fields = relation.columns.map(({ name, type, modifier }) => ({
      name,
      dataTypeID: type,
      dataTypeModifier: modifier,
    }));
    const all = await typeColumns(fields, sql.ask);
    const names = relation.columns.map(({ name }) => name);
    const types = Object.entries(declaration.types ?? {}).filter(([name]) => names.includes(name));
    const columns = chosenColumns(
      { columns: declaration.columns?.filter((name) => names.includes(name)), types: Object.fromEntries(types) },
      owner.source,
      all,
    );
    const overridden = new Set(types.map(([name]) => name));
    const indexOf = (column: string): number => {
      const index = names.indexOf(column);
      if (index >= 0) return index;
      throw sourceColumnUnfit({
        source: owner.source,
        column,
        problem: "is part of the key and was not there when rows changed that are to be read",
        columns: names,
      });
    };
    return {
      columns,
      keys: keys.map(indexOf),
      places: columns.map(({ name, type }) => {
        const index = indexOf(name);
        return { index, convert: overridden.has(name) ? undefined : converterOf(type, relation.columns[index]?.type) };
      }),
    };
  }

  #takeUpdate(message: Extract<LogMessage, { kind: "update" }>): Promise<void> | undefined {
    const { before, isWhole } = message;
    const row =
      before !== undefined && isWhole
        ? message.row.map((value, index) => (value === undefined ? before[index] : value))
        : message.row;
    const keys = this.#shape?.keys ?? [];
    const isMoved =
      before !== undefined && keys.some((index) => before[index] !== row[index] && row[index] !== undefined);
    const written = isMoved ? this.#add("delete", message, before, before) : undefined;
    return written === undefined
      ? this.#add("update", message, row, before)
      : written.then(() => this.#add("update", message, row, before));
  }

  /** @param before tells the key where it is a large value that did not change */
  #add(
    kind: RowChange["kind"],
    of: { readonly oid: number },
    row: LogRow,
    before: LogRow | undefined,
  ): Promise<void> | undefined {
    const shape = this.#shape;
    if (of.oid !== this.#oid || shape === undefined) return undefined;
    return this.#write({
      kind,
      key: shape.keys.map((index) => row[index] ?? before?.[index] ?? null),
      values: shape.places.map(({ index, convert }) => {
        const value = row[index];
        return value === null || value === undefined || convert === undefined ? value : convert(value);
      }),
    });
  }

  #write(change: Pick<RowChange, "kind" | "key" | "values">): Promise<void> | undefined {
    const goesOn = this.#changes.add({ ...change, at: this.#at, position: this.#position });
    const { count } = this.#changes;
    if (count % PROGRESS_EVERY === 0) this.#of.reader.progress(count, undefined, "changes");
    return goesOn ? undefined : this.#changes.drain();
  }
}

function converterOf(type: string, oid: number | undefined): ((text: string) => string) | undefined {
  if (type.endsWith("[]")) return arrayToJson;
  return oid === MONEY_OID ? moneyToNumber : undefined;
}

const MILLIS_DIGITS = 3;

/** ISO 8601 in UTC, with microseconds. */
function isoMicros(micros: bigint): string {
  const iso = new Date(Number(micros / 1000n)).toISOString();
  return `${iso.slice(0, -1)}${String(micros % 1000n).padStart(MILLIS_DIGITS, "0")}Z`;
}
