import { requestInvalid } from "../errors.ts";
import { describe } from "../row-source.ts";

export const DATATYPES = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
] as const;
export type Datatype = (typeof DATATYPES)[number];

/** A tensor of the Open Inference Protocol, read: values flat and row-major, numbers exact. */
export interface InputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly values: readonly unknown[];
}

const LARGEST_ELEMENTS = 50_000_000;
const LARGEST_DEPTH = 100;
const RANGES: Readonly<Partial<Record<Datatype, readonly [bigint, bigint]>>> = {
  UINT8: [0n, 255n],
  UINT16: [0n, 65_535n],
  UINT32: [0n, 4_294_967_295n],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-128n, 127n],
  INT16: [-32_768n, 32_767n],
  INT32: [-2_147_483_648n, 2_147_483_647n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Number of elements of a shape. @throws SERVING_REQUEST_INVALID for what is no shape, or one too large to allocate */
export function elementsOf(shape: unknown, where: string): number {
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)) {
    throw requestInvalid({
      where: `${where}.shape`,
      found: describe(shape),
      expected: "an array of whole numbers ≥ 0",
    });
  }
  const elements = (shape as number[]).reduce((product, size) => product * size, 1);
  if (elements > LARGEST_ELEMENTS)
    throw requestInvalid({
      where: `${where}.shape`,
      found: `${elements} elements`,
      expected: `at most ${LARGEST_ELEMENTS}`,
    });
  return elements;
}

/** @throws SERVING_REQUEST_INVALID */
export function readDatatype(value: unknown, where: string): Datatype {
  const found = DATATYPES.find((datatype) => datatype === value);
  if (found === undefined)
    throw requestInvalid({
      where: `${where}.datatype`,
      found: describe(value),
      expected: `one of ${DATATYPES.join(", ")}`,
    });
  return found;
}

/** Flattens JSON data and checks each element against the datatype. @throws SERVING_REQUEST_INVALID */
export function readJsonData(data: unknown, datatype: Datatype, elements: number, where: string): unknown[] {
  if (!Array.isArray(data))
    throw requestInvalid({ where: `${where}.data`, found: describe(data), expected: "an array" });
  const flat = flatten(data, `${where}.data`);
  if (flat.length !== elements)
    throw requestInvalid({
      where: `${where}.data`,
      found: `${flat.length} elements`,
      expected: `${elements}, the product of its shape`,
    });
  for (const [index, value] of flat.entries()) {
    const expected = mismatch(value, datatype);
    if (expected !== undefined)
      throw requestInvalid({ where: `${where}.data, element ${index}`, found: describe(value), expected });
  }
  return flat;
}

function flatten(data: readonly unknown[], where: string): unknown[] {
  let flat: unknown[] = [...data];
  for (let depth = 0; flat.some(Array.isArray); depth++) {
    if (depth >= LARGEST_DEPTH)
      throw requestInvalid({ where, found: `more than ${LARGEST_DEPTH} levels`, expected: "fewer nested arrays" });
    flat = flat.flat();
  }
  return flat;
}

function mismatch(value: unknown, datatype: Datatype): string | undefined {
  if (datatype === "BYTES") return typeof value === "string" ? undefined : "a string";
  if (datatype === "BOOL") return typeof value === "boolean" ? undefined : "true or false";
  const range = RANGES[datatype];
  if (range === undefined) return isNumberOrNull(value) ? undefined : "a number or null";
  return isWithin(value, range) ? undefined : `a whole number from ${range[0]} to ${range[1]}`;
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value));
}

/** A whole number is a bigint where a number would not be exact. */
function isWithin(value: unknown, [least, largest]: readonly [bigint, bigint]): boolean {
  if (typeof value === "bigint") return value >= least && value <= largest;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= largest;
}

const READERS: Readonly<
  Partial<Record<Datatype, { readonly size: number; readonly read: (view: DataView, offset: number) => unknown }>>
> = {
  BOOL: { size: 1, read: (view, offset) => view.getUint8(offset) !== 0 },
  UINT8: { size: 1, read: (view, offset) => view.getUint8(offset) },
  UINT16: { size: 2, read: (view, offset) => view.getUint16(offset, true) },
  UINT32: { size: 4, read: (view, offset) => view.getUint32(offset, true) },
  UINT64: { size: 8, read: (view, offset) => toPlain(view.getBigUint64(offset, true)) },
  INT8: { size: 1, read: (view, offset) => view.getInt8(offset) },
  INT16: { size: 2, read: (view, offset) => view.getInt16(offset, true) },
  INT32: { size: 4, read: (view, offset) => view.getInt32(offset, true) },
  INT64: { size: 8, read: (view, offset) => toPlain(view.getBigInt64(offset, true)) },
  FP16: { size: 2, read: (view, offset) => readHalf(view.getUint16(offset, true)) },
  // The upper half of a float of 32 bits.
  BF16: { size: 2, read: (view, offset) => readUpperHalf(view.getUint16(offset, true)) },
  FP32: { size: 4, read: (view, offset) => view.getFloat32(offset, true) },
  FP64: { size: 8, read: (view, offset) => view.getFloat64(offset, true) },
};

/** Reads little-endian, row-major elements. @throws SERVING_REQUEST_INVALID when the size does not fit */
export function readBinaryData(bytes: Uint8Array, datatype: Datatype, elements: number, where: string): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = READERS[datatype];
  if (reader === undefined) return readTexts(bytes, view, elements, where);
  if (bytes.byteLength !== elements * reader.size)
    throw requestInvalid({
      where,
      found: `${bytes.byteLength} bytes`,
      expected: `${elements * reader.size} for ${elements} × ${datatype}`,
    });
  return Array.from({ length: elements }, (_, index) => reader.read(view, index * reader.size));
}

/** Each text: its length as a 32-bit number, then its bytes. */
function readTexts(bytes: Uint8Array, view: DataView, elements: number, where: string): string[] {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const texts: string[] = [];
  let offset = 0;
  for (let index = 0; index < elements; index++) {
    const length = offset + 4 <= bytes.byteLength ? view.getUint32(offset, true) : Infinity;
    if (offset + 4 + length > bytes.byteLength)
      throw requestInvalid({
        where,
        found: `${bytes.byteLength} bytes, too few for element ${index}`,
        expected: `${elements} texts, each with its length before it`,
      });
    try {
      texts.push(decoder.decode(bytes.subarray(offset + 4, offset + 4 + length)));
    } catch (error) {
      throw requestInvalid(
        { where: `${where}, element ${index}`, found: "bytes that are not UTF-8", expected: "UTF-8 text" },
        error,
      );
    }
    offset += 4 + length;
  }
  if (offset !== bytes.byteLength)
    throw requestInvalid({ where, found: `${bytes.byteLength} bytes`, expected: `${offset} for ${elements} texts` });
  return texts;
}

/** A number where it is exact. */
function toPlain(value: bigint): number | bigint {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}

const single = new DataView(new ArrayBuffer(4));

function readUpperHalf(bits: number): number {
  single.setUint32(0, bits << 16);
  return single.getFloat32(0);
}

function readHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
