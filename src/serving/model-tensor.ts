import { z } from "zod";
import { rawJson } from "#base";
import { outputsDiffer } from "./errors.ts";

/** What an output of any shape may hold; narrower numbers are widened to these, exactly. */
export const OUTPUT_DATATYPES = ["BOOL", "INT64", "FP32", "FP64", "BYTES"] as const;
export type OutputDatatype = (typeof OUTPUT_DATATYPES)[number];

/** Values of an output: truth values as 0 and 1. */
export type TensorValues = Uint8Array | BigInt64Array | Float32Array | Float64Array | readonly string[];

/** An output without its values. */
export interface TensorForm {
  readonly name: string;
  readonly datatype: OutputDatatype;
  /** Of one row; empty: one value. */
  readonly shape: readonly number[];
}

/** One named output of a model for some rows; row-major. */
export interface ModelTensor extends TensorForm {
  readonly values: TensorValues;
}

/** What is known of an output before its values are read. */
export const tensorFormSchema: z.ZodType<TensorForm> = z.object({
  name: z.string().min(1),
  datatype: z.enum(OUTPUT_DATATYPES),
  shape: z.array(z.int().nonnegative()),
});

/** Values of one row. */
export function sizeOf({ shape }: Pick<TensorForm, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}

const VALUE_BYTES = { BOOL: 1, INT64: 8, FP32: 4, FP64: 8 } as const;

/** Bytes of some rows of an output of numbers. */
export function bytesOf(form: TensorForm & { readonly datatype: keyof typeof VALUE_BYTES }, rowCount: number): number {
  return VALUE_BYTES[form.datatype] * sizeOf(form) * rowCount;
}

/** Values from their bytes, lowest first, which are copied. */
export function readValues(datatype: keyof typeof VALUE_BYTES, bytes: Uint8Array): TensorValues {
  const { buffer } = Uint8Array.from(bytes);
  if (datatype === "BOOL") return new Uint8Array(buffer);
  if (datatype === "INT64") return new BigInt64Array(buffer);
  return datatype === "FP32" ? new Float32Array(buffer) : new Float64Array(buffer);
}

/** Some rows of each output. */
export function sliceTensors(tensors: readonly ModelTensor[], start: number, end: number): readonly ModelTensor[] {
  return tensors.map((tensor) => {
    const size = sizeOf(tensor);
    return { ...tensor, values: tensor.values.slice(start * size, end * size) };
  });
}

/** Rows of several answers are one answer only where their forms are one. @throws SERVING_OUTPUTS_DIFFER */
export function assertSameForm(parts: readonly { readonly tensors: readonly TensorForm[] }[]): void {
  const forms = new Set(parts.map(({ tensors }) => describeForms(tensors)));
  if (forms.size > 1) throw outputsDiffer({ forms: [...forms] });
}

/** `score FP64 [N], embedding FP32 [N, 384]` */
export function describeForms(forms: readonly TensorForm[]): string {
  return forms.map(({ name, datatype, shape }) => `${name} ${datatype} [${["N", ...shape].join(", ")}]`).join(", ");
}

/**
 * Rows of several answers of the same form, each at its place.
 *
 * @param parts with the position of each of its rows
 */
export function placeTensors(
  parts: readonly { readonly tensors: readonly ModelTensor[]; readonly rows: readonly number[] }[],
  rowCount: number,
): readonly ModelTensor[] {
  const [first] = parts;
  return (first?.tensors ?? []).map((form, position) => {
    const size = sizeOf(form);
    const own = parts.map(({ tensors, rows }) => ({ values: tensors[position]?.values ?? [], rows }));
    return { ...form, values: placeValues(form.datatype, own, { size, rowCount }) };
  });
}

interface Placed {
  readonly values: TensorValues;
  readonly rows: readonly number[];
}

const MAKERS = {
  BOOL: (length: number): Uint8Array => new Uint8Array(length),
  INT64: (length: number): BigInt64Array => new BigInt64Array(length),
  FP32: (length: number): Float32Array => new Float32Array(length),
  FP64: (length: number): Float64Array => new Float64Array(length),
} as const;

function placeValues(
  datatype: OutputDatatype,
  parts: readonly Placed[],
  { size, rowCount }: { readonly size: number; readonly rowCount: number },
): TensorValues {
  const length = size * rowCount;
  if (datatype === "BYTES") {
    const texts = Array.from({ length }, () => "");
    for (const { values, rows } of parts)
      for (const [index, row] of rows.entries())
        for (let at = 0; at < size; at++) texts[row * size + at] = String(values[index * size + at] ?? "");
    return texts;
  }
  const placed = MAKERS[datatype](length);
  for (const { values, rows } of parts)
    for (const [index, row] of rows.entries()) {
      const own = values.slice(index * size, (index + 1) * size);
      if (placed instanceof BigInt64Array && own instanceof BigInt64Array) placed.set(own, row * size);
      else if (!(placed instanceof BigInt64Array)) placed.set(Array.from<unknown, number>(own, Number), row * size);
    }
  return placed;
}

/** One value as JSON has it: a missing number is null; a whole number beyond 2^53 is an object, written whole. */
export type TensorCell = number | string | boolean | null | object;
/** One row of an output: a value, or lists of lists. */
export type NestedCells = TensorCell | readonly NestedCells[];

/** Value at a place. */
export function cellOf({ datatype, values }: Pick<ModelTensor, "datatype" | "values">, at: number): TensorCell {
  const value = values[at];
  if (value === undefined) return null;
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : rawJson(String(value));
  if (datatype === "BOOL") return value !== 0;
  return Number.isFinite(value) ? value : null;
}

/** One row of an output, nested as its shape is. */
export function rowOf(tensor: ModelTensor, row: number): NestedCells {
  const nest = (depth: number, start: number): NestedCells => {
    const width = tensor.shape[depth];
    if (width === undefined) return cellOf(tensor, start);
    const step = sizeOf({ shape: tensor.shape.slice(depth + 1) });
    return Array.from({ length: width }, (_, index) => nest(depth + 1, start + index * step));
  };
  return nest(0, row * sizeOf(tensor));
}

/** One row of an answer: of a model with one output what it holds, of one with several each by its name. */
export function answerOf(tensors: readonly ModelTensor[], row: number): NestedCells {
  const [only] = tensors;
  return only !== undefined && tensors.length === 1 ? rowOf(only, row) : namedAnswerOf(tensors, row);
}

/** One row of an answer, each output by its name. */
export function namedAnswerOf(tensors: readonly ModelTensor[], row: number): Readonly<Record<string, NestedCells>> {
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, rowOf(tensor, row)]));
}

/** What several answers of a model have in common: a size that differs is -1. */
export function generalize(
  known: readonly TensorForm[] | undefined,
  seen: readonly TensorForm[],
): readonly TensorForm[] {
  return seen.map(({ name, datatype, shape }, position) => {
    const before = known?.[position]?.shape ?? shape;
    if (before.length !== shape.length) return { name, datatype, shape };
    return { name, datatype, shape: shape.map((size, depth) => (before[depth] === size ? size : -1)) };
  });
}
