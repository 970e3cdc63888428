import { messageOf } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { ColumnBatch, Scorer } from "#models";
import { scoreFailed } from "./errors.ts";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";
import type { ModelOutput } from "./model-runtime.ts";
import type { ModelInput, ModelSignature } from "./model-signature.ts";
import { sizeOf } from "./model-tensor.ts";
import { type InputColumns, invalidCell, readColumn, type RowSource } from "./row-source.ts";

/** Rows of the first call; the next ones grow or shrink to what takes about a second or two. */
const FIRST_ROWS = 4096;
const MOST_ROWS = 65_536;
const CALL_MS = 1500;

/**
 * `Scorer` of `models`: runs a model on whole columns, outside every endpoint and without a prediction log.
 *
 * Missing values are allowed everywhere that the model has a form for them: rows come from a dataset, not from a
 * caller. Answers one number per row: probability, class index or value.
 */
export function createScorer(options: { readonly models: LoadedModels }): BatchScorer {
  async function open(modelVersion: AssetVersion, report?: (line: string) => void): Promise<OpenScorer> {
    const model = await options.models.acquire(modelVersion, { report });
    let rowsPerCall = FIRST_ROWS;

    /** One call after the other; the next ones are as large as the time of this one allows. */
    async function* predict(rows: ColumnBatch, firstRow = 0): AsyncGenerator<ModelOutput, void, undefined> {
      const inputs = readColumns(model, rows, firstRow);
      for (let start = 0; start < rows.rowCount;) {
        const end = Math.min(start + rowsPerCall, rows.rowCount);
        const startMs = performance.now();
        yield await runRows(model, { inputs, start, end, firstRow });
        const tookMs = performance.now() - startMs;
        const fitting = Math.floor(((end - start) * CALL_MS) / Math.max(tookMs, 1));
        rowsPerCall = Math.max(1, Math.min(MOST_ROWS, fitting, rowsPerCall * 4));
        start = end;
      }
    }

    return { signature: model.signature, predict, close: () => options.models.release(model) };
  }
  return {
    open,
    async probabilities(modelVersion, rows) {
      const scorer = await open(modelVersion);
      try {
        const outputs: ModelOutput[] = [];
        for await (const output of scorer.predict(rows)) outputs.push(output);
        return toProbabilities(outputs, rows.rowCount);
      } finally {
        await scorer.close();
      }
    },
    async neverMissing(modelVersion) {
      const scorer = await open(modelVersion);
      try {
        return scorer.signature.inputs.filter(({ exact }) => exact === true).map(({ name }) => name);
      } finally {
        await scorer.close();
      }
    },
    async score(modelVersion, rows) {
      const scorer = await open(modelVersion);
      try {
        const scores = new Float64Array(rows.rowCount);
        let at = 0;
        for await (const output of scorer.predict(rows)) {
          const numbers = toNumbers(output);
          scores.set(numbers, at);
          at += numbers.length;
        }
        return scores;
      } finally {
        await scorer.close();
      }
    },
  };
}

/** A model that stays loaded while many rows are scored. */
export interface OpenScorer {
  readonly signature: ModelSignature;
  /**
   * Answers to all rows, in order, in parts.
   *
   * @param firstRow what the first row is called in errors; default 0
   * @throws SERVING_COLUMN_MISSING, SERVING_INPUT_INVALID, SERVING_SCORE_FAILED
   */
  predict(rows: ColumnBatch, firstRow?: number): AsyncGenerator<ModelOutput, void, undefined>;
  close(): Promise<void>;
}

/** Answers as the model gives them, for whoever scores whole tables. */
export interface BatchScorer extends Scorer {
  /** @param report takes lines that say what a load that lasts is doing */
  open(modelVersion: AssetVersion, report?: (line: string) => void): Promise<OpenScorer>;
}

async function runRows(
  model: LoadedModel,
  part: { readonly inputs: InputColumns; readonly start: number; readonly end: number; readonly firstRow: number },
): Promise<ModelOutput> {
  const { inputs, start, end, firstRow } = part;
  try {
    return await model.run(sliceInputs(inputs, start, end), { rowsPerCall: end - start });
  } catch (error) {
    const [first, last] = [firstRow + start, firstRow + end - 1];
    throw scoreFailed({ model: model.title, first, last, reason: messageOf(error) }, error);
  }
}

function readColumns({ signature }: LoadedModel, rows: ColumnBatch, firstRow: number): InputColumns {
  return {
    rowCount: rows.rowCount,
    columns: signature.inputs.map((input) => {
      // A stored row may lack what a request must bring, unless the model has no form for what is missing.
      const lenient = { ...input, nullable: input.nullable || input.exact !== true };
      const values = rows.columns.get(input.name);
      if (values instanceof Float64Array && input.type !== "string") return checkNumbers(lenient, values, firstRow);
      const known = [...rows.columns.keys()];
      const source: RowSource = {
        rowCount: rows.rowCount,
        names: () => known,
        value: (row) => (values === undefined ? undefined : toPlain(values[row] ?? null, input.type)),
      };
      return readColumn(lenient, source, firstRow);
    }),
  };
}

/** Whole columns of numbers are taken as they are. @throws SERVING_INPUT_INVALID */
function checkNumbers(input: ModelInput, values: Float64Array, firstRow: number): Float64Array {
  const isRight =
    input.type === "integer"
      ? Number.isSafeInteger
      : input.type === "boolean"
        ? (value: number) => value === 0 || value === 1
        : Number.isFinite;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? NaN;
    if (isRight(value) || (Number.isNaN(value) && input.nullable)) continue;
    throw invalidCell(input, firstRow + row, Number.isNaN(value) ? null : value);
  }
  return values;
}

/** What a data reader gives (64-bit integers, booleans as 0 and 1) as a request would send it. */
function toPlain(value: unknown, type: string): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return type === "boolean" && typeof value === "number" && !Number.isNaN(value) ? value !== 0 : value;
}

function sliceInputs(inputs: InputColumns, start: number, end: number): InputColumns {
  if (start === 0 && end === inputs.rowCount) return inputs;
  return {
    rowCount: end - start,
    // Copies: a view would take its whole column along to the thread that computes it.
    columns: inputs.columns.map((column) => column.slice(start, end)),
  };
}

function toProbabilities(outputs: readonly ModelOutput[], rowCount: number): readonly Float64Array[] | undefined {
  const [first] = outputs;
  if (first?.kind !== "classes" || first.classCount === 0) return undefined;
  const { classCount } = first;
  const found = Array.from({ length: classCount }, () => new Float64Array(rowCount));
  let start = 0;
  for (const output of outputs) {
    if (output.kind !== "classes") return undefined;
    const count = output.labels.length;
    for (let row = 0; row < count; row++)
      for (const [index, own] of found.entries())
        own[start + row] = output.probabilities[row * classCount + index] ?? NaN;
    start += count;
  }
  return found;
}

function toNumbers(output: ModelOutput): Float64Array {
  if (output.kind === "numbers") return output.values;
  if (output.kind === "tensors") return toOneNumber(output);
  const { classCount, probabilities } = output;
  return Float64Array.from(output.labels, (label, row) => {
    if (classCount === 0) return Number(label);
    const shares = probabilities.subarray(row * classCount, (row + 1) * classCount);
    return shares.indexOf(shares.reduce((largest, share) => Math.max(largest, share), -Infinity));
  });
}

/** Of a model whose one output is a number per row; NaN of every other. */
function toOneNumber({ rowCount, tensors }: Extract<ModelOutput, { kind: "tensors" }>): Float64Array {
  const [only] = tensors;
  const isNumber = only !== undefined && tensors.length === 1 && only.datatype !== "BYTES" && sizeOf(only) === 1;
  return Float64Array.from({ length: rowCount }, (_, row) => (isNumber ? Number(only.values[row]) : NaN));
}
