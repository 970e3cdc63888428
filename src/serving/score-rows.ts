import { type AnalyticsConnection, type ColumnBatch, quoteName } from "#data";
import type { ModelOutput } from "./model-runtime.ts";
import { createScoredOutputs, PREDICTION } from "./scored-outputs.ts";
import type { OpenScorer } from "./scorer.ts";

/** What is predicted: rows of a temporary table of the connection, numbered from 1 in `row number`. */
export interface RowsToScore {
  readonly connection: AnalyticsConnection;
  readonly table: string;
  readonly total: number;
  /** Columns of the table, named like the model's inputs. */
  readonly inputs: readonly string[];
}

const ROWS_PER_READ = 131_072;

/**
 * Predicts the rows of a table, a part at a time, into the temporary table `scores`: one row for each, in the same
 * order, with `prediction` (a number, or the name of a class) and `probability` (of that class, where the model gives
 * one). While a part is computed the next one is read.
 *
 * Outputs of any shape have a column each instead: `prediction`, or `prediction_NAME` where there are several.
 *
 * @param options.progress is told how many rows are done
 * @returns the columns of the answer, without `probability` where the model gives none
 * @throws SERVING_INPUT_INVALID, SERVING_SCORE_FAILED; AbortError when the signal aborts
 */
export async function scoreRows(
  rows: RowsToScore,
  scorer: OpenScorer,
  options: {
    readonly scores: string;
    readonly signal?: AbortSignal | undefined;
    readonly progress?: ((done: number) => void) | undefined;
  },
): Promise<readonly string[]> {
  const { connection } = rows;
  if (scorer.signature.task === "outputs") return scoreOutputs(rows, scorer, options);
  const type = scorer.signature.task === "multiclass_classification" ? "varchar" : "double";
  await connection.run(
    `create or replace temp table ${quoteName(options.scores)} (prediction ${type}, probability double)`,
  );
  await scoreParts(rows, scorer, {
    ...options,
    take: (output) => connection.append(options.scores, toColumns(output)),
  });
  return type === "varchar" ? [PREDICTION, "probability"] : [PREDICTION];
}

async function scoreOutputs(
  rows: RowsToScore,
  scorer: OpenScorer,
  options: Parameters<typeof scoreRows>[2],
): Promise<readonly string[]> {
  const scored = createScoredOutputs(rows.connection, options.scores);
  await scoreParts(rows, scorer, {
    ...options,
    take: async (output) => {
      if (output.kind === "tensors") await scored.append(output.tensors, output.rowCount);
    },
  });
  return scored.finish();
}

async function scoreParts(
  rows: RowsToScore,
  scorer: OpenScorer,
  options: Pick<Parameters<typeof scoreRows>[2], "signal" | "progress"> & {
    readonly take: (output: ModelOutput) => Promise<void>;
  },
): Promise<void> {
  const { total } = rows;
  let next = readPart(rows, 0);
  for (let start = 0; start < total; start += ROWS_PER_READ) {
    // oxlint-disable-next-line no-await-in-loop -- part after part
    const part = await next;
    const end = Math.min(total, start + ROWS_PER_READ);
    next = readPart(rows, end);
    // It is awaited in its turn; when this part fails before, its own failure is nobody's.
    next.catch(() => undefined);
    let done = start;
    for await (const output of scorer.predict(part, start + 1)) {
      options.signal?.throwIfAborted();
      await options.take(output);
      done += countRows(output);
      options.progress?.(done);
    }
  }
  await next;
}

function countRows(output: ModelOutput): number {
  if (output.kind === "tensors") return output.rowCount;
  return output.kind === "numbers" ? output.values.length : output.labels.length;
}

async function readPart(
  { connection, table, inputs, total }: RowsToScore,
  start: number,
): Promise<{ readonly rowCount: number; readonly columns: ReadonlyMap<string, ArrayLike<unknown>> }> {
  if (start >= total) return { rowCount: 0, columns: new Map() };
  const names = inputs.map(quoteName).join(", ");
  const batch = await connection.columns(
    `select ${names} from ${quoteName(table)} where "row number" > ${start} and "row number" <= ${start + ROWS_PER_READ} order by "row number"`,
  );
  return { rowCount: batch.rowCount, columns: toValues(batch) };
}

/** Numbers as they are, missing ones NaN; texts with null. */
function toValues({ values }: ColumnBatch): ReadonlyMap<string, ArrayLike<unknown>> {
  return new Map(Object.entries(values).map(([name, column]) => [name, column.values]));
}

function toColumns(output: ModelOutput): readonly (Float64Array | readonly (string | undefined)[])[] {
  if (output.kind === "tensors") return [];
  if (output.kind === "numbers") return [output.values, new Float64Array(output.values.length).fill(NaN)];
  const { labels, probabilities, classCount } = output;
  const best = Float64Array.from(labels, (_, row) => {
    let largest = NaN;
    for (let position = row * classCount; position < (row + 1) * classCount; position++) {
      const share = probabilities[position] ?? NaN;
      if (!(share <= largest)) largest = share;
    }
    return largest;
  });
  return [labels, best];
}
