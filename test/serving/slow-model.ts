import { writeFile } from "node:fs/promises";

/*
 * Writes an ONNX model whose first input says how long it computes: so many products of two matrices of 256 × 256. It
 * answers 0.5 whatever it is asked. Field numbers: onnx.proto3.
 */

type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

function message(...fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === "number") return Buffer.from([...varint(number * 8), ...varint(value)]);
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
    }),
  );
}

const [FLOAT, INT64, BOOL] = [1, 7, 9];

function value(name: string, type: number, shape: readonly (number | string)[]): Uint8Array {
  const dimensions = shape.map((size): Field => [
    1,
    typeof size === "number" ? message([1, size]) : message([2, size]),
  ]);
  return message([1, name], [2, message([1, message([1, type], [2, message(...dimensions)])])]);
}

function tensor(name: string, type: number, shape: readonly number[], raw: Uint8Array): Uint8Array {
  return message(...shape.map((size): Field => [1, size]), [2, type], [8, name], [9, raw]);
}

function node(
  kind: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...attributes: Uint8Array[]
): Uint8Array {
  return message(
    ...inputs.map((name): Field => [1, name]),
    ...outputs.map((name): Field => [2, name]),
    [4, kind],
    ...attributes.map((attribute): Field => [5, attribute]),
  );
}

/** An attribute of a node: its field in AttributeProto, and the type that goes with it. */
function attribute(name: string, field: number, type: number, content: number | Uint8Array): Uint8Array {
  return message([1, name], [field, content], [20, type]);
}

function floats(...numbers: number[]): Uint8Array {
  return Buffer.from(Float32Array.from(numbers).buffer);
}

const SIZE = 256;

/** @param path where the file is written */
export async function writeSlowModel(path: string): Promise<void> {
  const body = message(
    [1, node("Identity", ["go"], ["go_on"])],
    [1, node("MatMul", ["before", "weights"], ["after"])],
    [2, "body"],
    [11, value("turn", INT64, [])],
    [11, value("go", BOOL, [])],
    [11, value("before", FLOAT, [SIZE, SIZE])],
    [12, value("go_on", BOOL, [])],
    [12, value("after", FLOAT, [SIZE, SIZE])],
  );
  const ones = new Float32Array(SIZE * SIZE).fill(1);
  const graph = message(
    [1, node("ReduceMax", ["rows"], ["most"], attribute("keepdims", 3, 2, 0))],
    [1, node("Cast", ["most"], ["turns"], attribute("to", 3, 2, INT64))],
    [1, node("Loop", ["turns", "", "ones"], ["product"], attribute("body", 6, 5, body))],
    [1, node("ReduceMean", ["product"], ["one"], attribute("keepdims", 3, 2, 0))],
    [1, node("MatMul", ["rows", "nothing"], ["zeros"])],
    [1, node("Mul", ["one", "half"], ["answer"])],
    [1, node("Add", ["zeros", "answer"], ["probability"])],
    [2, "slow"],
    [5, tensor("ones", FLOAT, [SIZE, SIZE], Buffer.from(ones.buffer))],
    [5, tensor("weights", FLOAT, [SIZE, SIZE], Buffer.from(ones.map(() => 1 / SIZE).buffer))],
    [5, tensor("nothing", FLOAT, [2, 1], floats(0, 0))],
    [5, tensor("half", FLOAT, [], floats(0.5))],
    [11, value("rows", FLOAT, ["n", 2])],
    [12, value("probability", FLOAT, ["n", 1])],
  );
  await writeFile(path, message([1, 8], [7, graph], [8, message([1, ""], [2, 17])]));
}
