import { postgresProtocol } from "../errors.ts";

/** One message of a client; the first of a connection has no type. */
export interface ClientMessage {
  readonly type: string;
  readonly body: Buffer;
}

/** Where in a connection a message stands. The first has no type byte; who has not signed in sends little. */
export type ClientPart = "start" | "sign-in" | "query";

const LARGEST_BYTES: Readonly<Record<ClientPart, number>> = {
  start: 10_000,
  "sign-in": 10_000,
  query: 16 * 1024 * 1024,
};

/**
 * Cuts what arrives into messages.
 *
 * @throws SERVER_POSTGRES_PROTOCOL when a length is impossible
 */
export function createMessageCutter(): {
  push(chunk: Buffer): void;
  next(part: ClientPart): ClientMessage | undefined;
} {
  let waiting: Buffer[] = [];
  let size = 0;
  /** What waits, whole, in a first piece at least so long. */
  function firstBytes(length: number): Buffer {
    const [first] = waiting;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(waiting);
    waiting = [all];
    return all;
  }
  return {
    push(chunk) {
      waiting.push(chunk);
      size += chunk.length;
    },
    next(part) {
      const head = part === "start" ? 0 : 1;
      if (size < head + 4) return undefined;
      const length = lengthAt(firstBytes(head + 4), { head, largest: LARGEST_BYTES[part] });
      if (size < head + length) return undefined;
      const all = firstBytes(head + length);
      const rest = all.subarray(head + length);
      waiting = [...(rest.length === 0 ? [] : [rest]), ...waiting.slice(1)];
      size -= head + length;
      return {
        type: part === "start" ? "" : String.fromCharCode(all[0] ?? 0),
        body: all.subarray(head + 4, head + length),
      };
    },
  };
}

/** @throws SERVER_POSTGRES_PROTOCOL */
function lengthAt(bytes: Buffer, { head, largest }: { readonly head: number; readonly largest: number }): number {
  const length = bytes.readInt32BE(head);
  if (length < 4 || length > largest)
    throw postgresProtocol({ reason: `a message says it has ${length} bytes; expected 4 to ${largest}` });
  return length;
}

/** Reads the fields of one message in order. @throws SERVER_POSTGRES_PROTOCOL where the message ends too early */
export class FieldReader {
  #at = 0;
  readonly #body: Buffer;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#body.length;
  }

  byte(): string {
    return String.fromCharCode(this.#take(1)[0] ?? 0);
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  text(): string {
    const end = this.#body.indexOf(0, this.#at);
    if (end === -1) throw postgresProtocol({ reason: "a text of a message does not end" });
    const text = this.#body.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /** A value with its length before it; null is -1. */
  value(): Buffer | null {
    const length = this.int32();
    return length === -1 ? null : this.#take(length);
  }

  int16s(): number[] {
    return Array.from({ length: this.#count() }, () => this.int16());
  }

  int32s(): number[] {
    return Array.from({ length: this.#count() }, () => this.int32());
  }

  values(): (Buffer | null)[] {
    return Array.from({ length: this.#count() }, () => this.value());
  }

  #count(): number {
    return this.#take(2).readUInt16BE();
  }

  #take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#body.length)
      throw postgresProtocol({ reason: "a message ends before its fields do" });
    const taken = this.#body.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}

/** A message of the server: its type, then fields. */
export function message(type: string, ...fields: readonly Buffer[]): Buffer {
  const length = fields.reduce((sum, field) => sum + field.length, 4);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, ...fields], length + 1);
}

export function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

export function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value | 0);
  return buffer;
}

export function text(value: string): Buffer {
  return Buffer.from(`${value.replaceAll("\0", "")}\0`);
}

/** What a client is told of an error or a notice: severity, SQLSTATE, sentence, cure. */
export function report(
  type: "E" | "N",
  facts: {
    readonly severity: "ERROR" | "FATAL" | "WARNING" | "NOTICE";
    readonly state: string;
    readonly message: string;
    readonly hint?: string | undefined;
  },
): Buffer {
  const fields = [`S${facts.severity}`, `V${facts.severity}`, `C${facts.state}`, `M${facts.message}`];
  if (facts.hint !== undefined) fields.push(`H${facts.hint}`);
  return message(type, ...fields.map(text), Buffer.from([0]));
}
