import { grpcInvalid } from "../errors.ts";

/** Types of fields that are no messages; 64-bit numbers are numbers where they are exact, else bigints. */
export type Scalar = "string" | "bytes" | "bool" | "int32" | "int64" | "uint32" | "uint64" | "float" | "double";

/** One field of a message. A map is a repeated message of `key` and `value`, as on the wire. */
export interface Field {
  readonly name: string;
  readonly type: Scalar | MessageType;
  readonly repeated?: boolean;
}

/** Fields by their numbers; others are skipped. */
export type MessageType = ReadonlyMap<number, Field>;

/** A message: what was not sent is not there; repeated fields are arrays. */
export type Message = Readonly<Record<string, unknown>>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const WIRE_TYPES: Readonly<Record<Scalar, number>> = {
  string: BYTES,
  bytes: BYTES,
  bool: VARINT,
  int32: VARINT,
  int64: VARINT,
  uint32: VARINT,
  uint64: VARINT,
  float: FIXED32,
  double: FIXED64,
};

const texts = new TextDecoder("utf-8", { fatal: true });

/** Reads what stands in bytes, from their start. */
class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw grpcInvalid({ problem: "a number of it is cut off" });
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw grpcInvalid({ problem: "a number of it has more than 64 bits" });
  }

  take(length: number): Buffer {
    if (!(length <= this.bytes.byteLength - this.at)) throw grpcInvalid({ problem: "a field of it is cut off" });
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.take(8);
    else if (wireType === BYTES) this.take(Number(this.varint()));
    else if (wireType === FIXED32) this.take(4);
    else throw grpcInvalid({ problem: `it has a field of the unknown form ${wireType}` });
  }
}

/**
 * Reads a message of Protocol Buffers. Source: protobuf.dev, encoding.
 *
 * @throws SERVER_GRPC_INVALID
 */
export function decodeMessage(type: MessageType, bytes: Buffer): Message {
  const reader = new Reader(bytes);
  const found: Record<string, unknown> = {};
  while (reader.at < bytes.byteLength) {
    const tag = Number(reader.varint());
    const wireType = tag & 7;
    const field = type.get(Math.floor(tag / 8));
    if (field === undefined) reader.skip(wireType);
    else readField(reader, { field, wireType, found });
  }
  return found;
}

function readField(
  reader: Reader,
  facts: { readonly field: Field; readonly wireType: number; readonly found: Record<string, unknown> },
): void {
  const { field, wireType, found } = facts;
  const { type, name } = field;
  const expected = typeof type === "string" ? WIRE_TYPES[type] : BYTES;
  const values = listOf(found[name]);
  if (typeof type === "string" && field.repeated === true && wireType === BYTES && expected !== BYTES) {
    const packed = new Reader(reader.take(Number(reader.varint())));
    while (packed.at < packed.bytes.byteLength) values.push(readScalar(packed, type));
    found[name] = values;
    return;
  }
  if (wireType !== expected) throw grpcInvalid({ problem: `its field ${name} has another type` });
  const value =
    typeof type === "string" ? readScalar(reader, type) : decodeMessage(type, reader.take(Number(reader.varint())));
  if (field.repeated === true) values.push(value);
  found[name] = field.repeated === true ? values : value;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function readScalar(reader: Reader, type: Scalar): unknown {
  switch (type) {
    case "string":
      return readText(reader.take(Number(reader.varint())));
    case "bytes":
      return reader.take(Number(reader.varint()));
    case "bool":
      return reader.varint() !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint()));
    case "uint32":
      return Number(BigInt.asUintN(32, reader.varint()));
    case "int64":
      return exact(BigInt.asIntN(64, reader.varint()));
    case "uint64":
      return exact(reader.varint());
    case "float":
      return reader.take(4).readFloatLE();
    case "double":
      return reader.take(8).readDoubleLE();
  }
}

function readText(bytes: Buffer): string {
  try {
    return texts.decode(bytes);
  } catch (error) {
    throw grpcInvalid({ problem: "a text of it is not UTF-8" }, error);
  }
}

function exact(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Writes a message: fields that it has, in the order of their numbers. */
export function encodeMessage(type: MessageType, message: Message): Buffer {
  const parts: Buffer[] = [];
  for (const [number, { name, type: fieldType, repeated }] of type) {
    const value = message[name];
    if (value === undefined) continue;
    for (const each of repeated === true ? listOf(value) : [value]) parts.push(encodeField(number, fieldType, each));
  }
  return Buffer.concat(parts);
}

function encodeField(number: number, type: Scalar | MessageType, value: unknown): Buffer {
  if (typeof type !== "string") {
    const body = encodeMessage(type, isMessage(value) ? value : {});
    return Buffer.concat([varint(BigInt(number * 8 + BYTES)), varint(BigInt(body.byteLength)), body]);
  }
  return Buffer.concat([varint(BigInt(number * 8 + WIRE_TYPES[type])), encodeScalar(type, value)]);
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null;
}

function encodeScalar(type: Scalar, value: unknown): Buffer {
  if (type === "string" || type === "bytes") {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value), "utf8");
    return Buffer.concat([varint(BigInt(bytes.byteLength)), bytes]);
  }
  if (type === "float" || type === "double") {
    const bytes = Buffer.alloc(type === "float" ? 4 : 8);
    if (type === "float") bytes.writeFloatLE(Number(value));
    else bytes.writeDoubleLE(Number(value));
    return bytes;
  }
  return varint(BigInt.asUintN(64, typeof value === "bigint" ? value : BigInt(Math.round(Number(value)))));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    bytes.push(left === 0n ? low : low | 0x80);
  } while (left !== 0n);
  return Buffer.from(bytes);
}
