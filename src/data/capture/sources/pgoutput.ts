/**
 * Messages of `pgoutput`, version 1: PostgreSQL documentation, "Logical Replication Message Formats". Only whole,
 * committed transactions are sent, in the order of their commits.
 */
export type LogMessage =
  | { readonly kind: "begin"; /** Where its commit is. */ readonly at: bigint; readonly committedMicros: bigint }
  | { readonly kind: "commit" }
  | { readonly kind: "relation"; readonly relation: LogRelation }
  | { readonly kind: "insert"; readonly oid: number; readonly row: LogRow }
  | {
      readonly kind: "update";
      readonly oid: number;
      readonly row: LogRow;
      /** The row before: where its key changed, or by REPLICA IDENTITY FULL. */
      readonly before: LogRow | undefined;
      /** Of the row before all columns are known, and not only the key. */
      readonly isWhole: boolean;
    }
  | { readonly kind: "delete"; readonly oid: number; readonly before: LogRow; readonly isWhole: boolean }
  | { readonly kind: "truncate"; readonly oids: readonly number[] }
  | { readonly kind: "other" };

/** A table as it was when the rows behind were written. */
export interface LogRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: number; readonly modifier: number }[];
}

/** Values as text, in the order of the relation's columns; undefined: a large value that did not change. */
export type LogRow = readonly (string | null | undefined)[];

/** Microseconds from 1970 to 2000, from where PostgreSQL counts. */
const EPOCH_MICROS = 946_684_800_000_000n;
const NOT_KEYS = "O".charCodeAt(0);
const KEYS = "K".charCodeAt(0);

class MessageReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  peek(): number {
    return this.#bytes.readUInt8(this.#at);
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  short(): number {
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  int(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  oid(): number {
    return this.int() >>> 0;
  }

  long(): bigint {
    this.#at += 8;
    return this.#bytes.readBigUInt64BE(this.#at - 8);
  }

  string(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }

  text(length: number): string {
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }

  row(): LogRow {
    const count = this.short();
    const row: (string | null | undefined)[] = [];
    for (let index = 0; index < count; index++) {
      const kind = String.fromCharCode(this.byte());
      if (kind === "n") row.push(null);
      else if (kind === "u") row.push(undefined);
      else row.push(this.text(this.int()));
    }
    return row;
  }
}

/** @throws RangeError when the message ends before it should */
export function readLogMessage(bytes: Buffer): LogMessage {
  const reader = new MessageReader(bytes);
  switch (String.fromCharCode(reader.byte())) {
    case "B":
      return { kind: "begin", at: reader.long(), committedMicros: BigInt.asIntN(64, reader.long()) + EPOCH_MICROS };
    case "C":
      return { kind: "commit" };
    case "R":
      return { kind: "relation", relation: readRelation(reader) };
    case "I": {
      const oid = reader.oid();
      reader.byte();
      return { kind: "insert", oid, row: reader.row() };
    }
    case "U": {
      const oid = reader.oid();
      const isWhole = reader.peek() === NOT_KEYS;
      const hasBefore = isWhole || reader.peek() === KEYS;
      if (hasBefore) reader.byte();
      const before = hasBefore ? reader.row() : undefined;
      reader.byte();
      return { kind: "update", oid, before, isWhole, row: reader.row() };
    }
    case "D": {
      const oid = reader.oid();
      const isWhole = reader.byte() === NOT_KEYS;
      return { kind: "delete", oid, before: reader.row(), isWhole };
    }
    case "T": {
      const count = reader.int();
      reader.byte();
      return { kind: "truncate", oids: Array.from({ length: count }, () => reader.oid()) };
    }
    default:
      return { kind: "other" };
  }
}

function readRelation(reader: MessageReader): LogRelation {
  const oid = reader.oid();
  const schema = reader.string();
  const name = reader.string();
  reader.byte();
  const columns = Array.from({ length: reader.short() }, () => {
    reader.byte();
    return { name: reader.string(), type: reader.oid(), modifier: reader.int() };
  });
  return { oid, schema: schema === "" ? "pg_catalog" : schema, name, columns };
}
