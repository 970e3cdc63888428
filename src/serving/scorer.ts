import type { AssetVersion } from "#metadata-store";
import type { ColumnBatch, Scorer } from "#models";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";
import { type InputColumns, readInputs, sourceOfColumns } from "./row-source.ts";
import type { ModelOutput } from "./model-runtime.ts";

const ROWS_PER_CALL = 65_536;

/**
 * `Scorer` of `models`: runs a model on whole columns, outside every endpoint and without a prediction log.
 *
 * Missing values are allowed everywhere: rows come from a dataset, not from a caller. Answers one number per row:
 * probability, class index or value.
 */
export function createScorer(options: { readonly models: LoadedModels }): BatchScorer {
  return {
    async predict(modelVersion, rows) {
      const model = await options.models.acquire(modelVersion);
      try {
        const inputs = readColumns(model, rows);
        const outputs: ModelOutput[] = [];
        for (let start = 0; start < rows.rowCount; start += ROWS_PER_CALL)
          outputs.push(await model.run(sliceInputs(inputs, start, Math.min(start + ROWS_PER_CALL, rows.rowCount))));
        return outputs;
      } finally {
        await options.models.release(model);
      }
    },
    async score(modelVersion, rows) {
      const model = await options.models.acquire(modelVersion);
      try {
        const inputs = readColumns(model, rows);
        const scores = new Float64Array(rows.rowCount);
        for (let start = 0; start < rows.rowCount; start += ROWS_PER_CALL) {
          const end = Math.min(start + ROWS_PER_CALL, rows.rowCount);
          scores.set(toNumbers(await model.run(sliceInputs(inputs, start, end))), start);
        }
        return scores;
      } finally {
        await options.models.release(model);
      }
    },
  };
}

/** Answers as the model gives them, for the step that scores datasets. */
export interface BatchScorer extends Scorer {
  /** Answers to all rows, in order, in parts. */
  predict(modelVersion: AssetVersion, rows: ColumnBatch): Promise<readonly ModelOutput[]>;
}

function readColumns({ signature }: LoadedModel, rows: ColumnBatch): InputColumns {
  const { inputs: declared } = signature;
  const types = new Map(declared.map(({ name, type }) => [name, type]));
  const source = sourceOfColumns(new Map([...rows.columns].filter(([name]) => types.has(name))));
  const plain = {
    ...source,
    rowCount: rows.rowCount,
    value: (row: number, name: string): unknown => toPlain(source.value(row, name), types.get(name)),
  };
  // A stored row may lack what a request must bring.
  const lenient = { ...signature, inputs: declared.map((input) => ({ ...input, nullable: true })) };
  return readInputs(lenient, plain, "ignore");
}

/** What a data reader gives (64-bit integers, booleans as 0 and 1) as a request would send it. */
function toPlain(value: unknown, type: string | undefined): unknown {
  if (typeof value === "bigint") return Number(value);
  return type === "boolean" && typeof value === "number" && !Number.isNaN(value) ? value !== 0 : value;
}

function sliceInputs(inputs: InputColumns, start: number, end: number): InputColumns {
  return { rowCount: end - start, columns: inputs.columns.map((column) => column.slice(start, end)) };
}

function toNumbers(output: ModelOutput): Float64Array {
  if (output.kind === "numbers") return output.values;
  const { classCount, probabilities } = output;
  return Float64Array.from(output.labels, (label, row) => {
    if (classCount === 0) return Number(label);
    const shares = probabilities.subarray(row * classCount, (row + 1) * classCount);
    return shares.indexOf(shares.reduce((largest, share) => Math.max(largest, share), -Infinity));
  });
}
