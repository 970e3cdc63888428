import { parentPort } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelOutput } from "../../model-runtime.ts";
import type { ModelTensor, OutputDatatype, TensorValues } from "../../model-tensor.ts";
import type { InputColumn as Column } from "../../row-source.ts";
import type { WorkerAnswer, WorkerRequest } from "./onnx-messages.ts";

/*
 * Runs ONNX models on a thread of its own: `session.run` blocks the thread that calls it.
 */

type Load = Extract<WorkerRequest, { kind: "load" }>;
type Run = Extract<WorkerRequest, { kind: "run" }>;

interface Loaded {
  readonly session: InferenceSession;
  readonly load: Load;
  /** One tensor per column, or all columns in one matrix. */
  readonly layout: "columns" | "matrix";
}

class Unusable extends Error {
  readonly advice: string | undefined;
  constructor(problem: string, advice?: string) {
    super(problem);
    this.advice = advice;
  }
}

/** A value that the graph's input cannot hold. */
class Refused extends Error {}

const models = new Map<string, Loaded>();

parentPort?.on("message", (request: WorkerRequest) => {
  void answer(request).then((message) => parentPort?.postMessage(message));
});

async function answer(request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    switch (request.kind) {
      case "load":
        models.set(request.key, await load(request));
        return { call: request.call, ok: true, exact: exactInputs(models.get(request.key)) };
      case "run":
        return { call: request.call, ok: true, output: await run(request) };
      case "unload":
        await models.get(request.key)?.session.release();
        models.delete(request.key);
        return { call: request.call, ok: true };
    }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const advice = error instanceof Unusable ? error.advice : undefined;
    return {
      call: request.call,
      ok: false,
      problem,
      ...(advice === undefined ? {} : { advice }),
      ...(error instanceof Refused ? { refused: true } : {}),
    };
  }
}

async function load(request: Load): Promise<Loaded> {
  const session = await InferenceSession.create(request.path, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const names = request.inputs.map((input) => input.name);
  const byName =
    session.inputMetadata.length === names.length &&
    names.every((name) => session.inputMetadata.some((input) => input.name === name));
  checkInputs(session, request, byName);
  const areTensors = session.outputMetadata.map(({ isTensor }) => isTensor);
  if (request.task === "outputs" ? areTensors.includes(false) : !areTensors.includes(true)) throw mapOutput();
  return { session, load: request, layout: byName ? "columns" : "matrix" };
}

/** Inputs that have no form for a missing value. */
function exactInputs(model: Loaded | undefined): readonly string[] {
  if (model === undefined) return [];
  const exact = model.session.inputMetadata.filter((input) => input.isTensor && /^(u?int\d+|bool)$/.test(input.type));
  if (model.layout === "matrix") return exact.length === 0 ? [] : model.load.inputs.map(({ name }) => name);
  return exact.map(({ name }) => name);
}

function checkInputs(session: InferenceSession, { inputs }: Load, byName: boolean): void {
  const graph = session.inputMetadata;
  if (!byName && graph.length !== 1) {
    throw new Unusable(
      `its ONNX inputs (${graph.map((input) => input.name).join(", ")}) are neither one matrix nor the inputs of model.json (${inputs.map((input) => input.name).join(", ")})`,
      "Give the ONNX graph one input per column, with the column's name, or one float matrix.",
    );
  }
  for (const input of graph) {
    if (!input.isTensor) throw new Unusable(`its ONNX input "${input.name}" is not a tensor`);
    const fed = byName ? inputs.filter((candidate) => candidate.name === input.name) : inputs;
    const wrong = fed.find((candidate) => (candidate.type === "string") !== (input.type === "string"));
    if (wrong !== undefined)
      throw new Unusable(
        `model.json says that "${wrong.name}" is ${wrong.type}, the ONNX input "${input.name}" is ${input.type}`,
      );
    const width = input.shape[1];
    if (!byName && typeof width === "number" && width > 0 && width !== inputs.length) {
      throw new Unusable(`its ONNX matrix has ${width} columns, model.json names ${inputs.length}`);
    }
  }
}

function mapOutput(): Unusable {
  return new Unusable(
    "its ONNX output is a list of maps, not a tensor",
    "Convert scikit-learn models with options={id(model): {'zipmap': False}}.",
  );
}

async function run(request: Run): Promise<ModelOutput> {
  const model = models.get(request.key);
  if (model === undefined) throw new Error(`model ${request.key} is not loaded`);
  const { session } = model;
  const feeds: Record<string, Tensor> = {};
  for (const input of session.inputMetadata) {
    if (!input.isTensor) continue;
    const position = model.load.inputs.findIndex((column) => column.name === input.name);
    const columns = model.layout === "columns" ? [request.columns[position] ?? []] : request.columns;
    feeds[input.name] = toTensor(input.type, columns, request.rowCount);
  }
  const wanted = session.outputMetadata.filter((output) => output.isTensor).map((output) => output.name);
  const results = await session.run(feeds, wanted);
  const tensors = wanted.flatMap((name) => (results[name] === undefined ? [] : [{ name, tensor: results[name] }]));
  return toOutput(model.load.task, tensors, request.rowCount);
}

function toTensor(type: Tensor.Type, columns: readonly Column[], rowCount: number): Tensor {
  const size = rowCount * columns.length;
  const shape = [rowCount, columns.length];
  if (type === "string") {
    const text = Array.from({ length: size }, () => "");
    scatter(columns, rowCount, (index, value) => (text[index] = String(value)));
    return new Tensor("string", text, shape);
  }
  const make = NUMERIC[type as keyof typeof NUMERIC];
  if (make === undefined) throw new Error(`its ONNX input has the type ${type}, which is not served`);
  return make(columns, rowCount, shape);
}

const NUMERIC = {
  float32: (columns: readonly Column[], rows: number, shape: number[]): Tensor =>
    new Tensor("float32", fill(new Float32Array(rows * columns.length), columns, rows), shape),
  float64: (columns: readonly Column[], rows: number, shape: number[]): Tensor =>
    new Tensor("float64", fill(new Float64Array(rows * columns.length), columns, rows), shape),
  int32: (columns: readonly Column[], rows: number, shape: number[]): Tensor => {
    const values = new Int32Array(rows * columns.length);
    scatter(columns, rows, (index, value) => {
      const whole = Math.trunc(Number(value));
      if (whole !== (whole | 0)) throw new Refused(`${value} does not fit into its input, a whole number of 32 bits`);
      values[index] = whole;
    });
    return new Tensor("int32", values, shape);
  },
  bool: (columns: readonly Column[], rows: number, shape: number[]): Tensor =>
    new Tensor("bool", fill(new Uint8Array(rows * columns.length), columns, rows), shape),
  int64: (columns: readonly Column[], rows: number, shape: number[]): Tensor => {
    const values = new BigInt64Array(rows * columns.length);
    scatter(columns, rows, (index, value) => {
      values[index] = typeof value === "bigint" ? value : BigInt(Math.trunc(Number(value)));
    });
    return new Tensor("int64", values, shape);
  },
} as const;

function fill<Target extends Float32Array | Float64Array | Uint8Array>(
  target: Target,
  columns: readonly Column[],
  rowCount: number,
): Target {
  scatter(columns, rowCount, (index, value) => (target[index] = Number(value)));
  return target;
}

function scatter(
  columns: readonly Column[],
  rowCount: number,
  set: (index: number, value: number | bigint | string) => void,
): void {
  const width = columns.length;
  for (const [position, column] of columns.entries()) {
    for (let row = 0; row < rowCount; row++) set(row * width + position, column[row] ?? NaN);
  }
}

function toOutput(task: Load["task"], results: readonly NamedTensor[], rowCount: number): ModelOutput {
  if (task === "outputs")
    return { kind: "tensors", rowCount, tensors: results.map((each) => toTensorOf(each, rowCount)) };
  const tensors = results.map(({ tensor }) => tensor);
  const scores = tensors.find((tensor) => tensor.type === "float32" || tensor.type === "float64");
  if (scores === undefined && task !== "multiclass_classification") throw mapOutput();
  const numbers = scores === undefined ? new Float64Array() : Float64Array.from(scores.data as Float32Array);
  const width = rowCount === 0 ? 1 : numbers.length / rowCount;
  if (!Number.isInteger(width)) throw new Error(`it answered ${numbers.length} numbers for ${rowCount} rows`);
  if (task === "multiclass_classification") return toClasses(tensors, numbers, width, rowCount);
  if (width === 1 || (task === "binary_classification" && width === 2)) {
    const values = new Float64Array(rowCount);
    for (let row = 0; row < rowCount; row++) values[row] = numbers[row * width + width - 1] ?? NaN;
    return { kind: "numbers", values };
  }
  throw new Error(
    `it answered ${width} numbers per row; a ${task} answers ${task === "regression" ? "1" : "1 or 2"}; the task "outputs" takes any shape`,
  );
}

interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** An output as the graph gives it: its first dimension is the rows. */
function toTensorOf({ name, tensor }: NamedTensor, rowCount: number): ModelTensor {
  const [rows, ...shape] = tensor.dims;
  if (rows !== rowCount)
    throw new Error(
      `its output "${name}" has the shape [${tensor.dims.join(", ")}] for ${rowCount} rows, expected [${["N", ...shape].join(", ")}]`,
    );
  const { datatype, values } = widen(tensor);
  return { name, datatype, shape, values };
}

/** Narrower numbers as the wider ones that hold them exactly. */
function widen({ type, data }: Tensor): { readonly datatype: OutputDatatype; readonly values: TensorValues } {
  if (type === "string") return { datatype: "BYTES", values: Array.from<unknown, string>(data, String) };
  if (type === "bool") return { datatype: "BOOL", values: Uint8Array.from<unknown>(data, Number) };
  if (type === "float64") return { datatype: "FP64", values: Float64Array.from<unknown>(data, Number) };
  if (type === "float32" || type === "float16")
    return { datatype: "FP32", values: Float32Array.from<unknown>(data, Number) };
  if (/^u?int(8|16|32|64)$/.test(type))
    return { datatype: "INT64", values: BigInt64Array.from<unknown>(data, toWhole) };
  throw new Error(`it has an output of the type ${type}, which is not served`);
}

function toWhole(value: unknown): bigint {
  const whole = BigInt(typeof value === "bigint" ? value : Number(value));
  if (BigInt.asIntN(64, whole) !== whole) throw new Error(`it answered ${whole}, more than 64 bits with a sign hold`);
  return whole;
}

function toClasses(
  tensors: readonly Tensor[],
  probabilities: Float64Array,
  classCount: number,
  rowCount: number,
): ModelOutput {
  const named = tensors.find(
    (tensor) => tensor.type === "string" || tensor.type === "int64" || tensor.type === "int32",
  );
  if (named !== undefined)
    return { kind: "classes", labels: Array.from(named.data as ArrayLike<unknown>, String), probabilities, classCount };
  const labels = Array.from({ length: rowCount }, (_, row) => {
    const shares = probabilities.subarray(row * classCount, (row + 1) * classCount);
    return String(shares.indexOf(shares.reduce((largest, share) => Math.max(largest, share), -Infinity)));
  });
  return { kind: "classes", labels, probabilities, classCount };
}
