import { queueFull } from "../errors.ts";
import type { InputColumns } from "../row-source.ts";
import type { ModelOutput } from "./onnx-messages.ts";

interface Waiting {
  readonly inputs: InputColumns;
  readonly resolve: (output: ModelOutput) => void;
  readonly reject: (error: unknown) => void;
}

/** Merges requests that arrive while the model is busy into one call. */
export interface Batcher {
  /** @throws SERVING_QUEUE_FULL when too many requests wait; what the model throws for these rows */
  run(inputs: InputColumns): Promise<ModelOutput>;
  /** Calls made so far, and rows in them. */
  readonly counters: { readonly executions: number; readonly rows: number };
}

/**
 * Natural batching: while a call is in flight, requests queue; when it returns, what has queued goes together.
 * No delay is added when the model is idle. Rows count, not requests; a larger request goes alone. When a merged call
 * fails, each of its requests is tried alone, so that only the guilty one fails.
 *
 * @param options.parallel calls in flight at once; default 1
 * @param options.maxRows rows per merged call; default 4,096
 * @param options.maxWaiting requests that may wait; default 1,024
 */
export function createBatcher(options: {
  readonly name: string;
  readonly execute: (inputs: InputColumns) => Promise<ModelOutput>;
  readonly parallel?: number;
  readonly maxRows?: number;
  readonly maxWaiting?: number;
}): Batcher {
  const { execute, parallel = 1, maxRows = 4096, maxWaiting = 1024 } = options;
  const queue: Waiting[] = [];
  const counters = { executions: 0, rows: 0 };
  let inFlight = 0;

  function take(): Waiting[] {
    const batch: Waiting[] = [];
    let rows = 0;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      if (batch.length > 0 && rows + next.inputs.rowCount > maxRows) break;
      rows += next.inputs.rowCount;
      batch.push(next);
      queue.shift();
    }
    return batch;
  }

  async function call(inputs: InputColumns): Promise<ModelOutput> {
    counters.executions++;
    counters.rows += inputs.rowCount;
    return execute(inputs);
  }

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      await call(only.inputs).then(only.resolve, only.reject);
      return;
    }
    let output: ModelOutput;
    try {
      output = await call(mergeInputs(batch.map((waiting) => waiting.inputs)));
    } catch {
      for (const waiting of batch) await call(waiting.inputs).then(waiting.resolve, waiting.reject);
      return;
    }
    let start = 0;
    for (const waiting of batch) {
      waiting.resolve(sliceOutput(output, start, start + waiting.inputs.rowCount));
      start += waiting.inputs.rowCount;
    }
  }

  function pump(): void {
    while (inFlight < parallel && queue.length > 0) {
      inFlight++;
      void runBatch(take()).finally(() => {
        inFlight--;
        pump();
      });
    }
  }

  return {
    counters,
    run: (inputs) =>
      new Promise((resolve, reject) => {
        if (queue.length >= maxWaiting) {
          reject(queueFull({ endpoint: options.name, waiting: queue.length }));
          return;
        }
        queue.push({ inputs, resolve, reject });
        pump();
      }),
  };
}

function mergeInputs(parts: readonly InputColumns[]): InputColumns {
  const rowCount = parts.reduce((sum, part) => sum + part.rowCount, 0);
  const first = parts[0]?.columns ?? [];
  const columns = first.map((column, position) => {
    if (!(column instanceof Float64Array)) return parts.flatMap((part) => part.columns[position] as readonly string[]);
    const merged = new Float64Array(rowCount);
    let offset = 0;
    for (const part of parts) {
      merged.set(part.columns[position] as Float64Array, offset);
      offset += part.rowCount;
    }
    return merged;
  });
  return { rowCount, columns };
}

function sliceOutput(output: ModelOutput, start: number, end: number): ModelOutput {
  if (output.kind === "numbers") return { kind: "numbers", values: output.values.slice(start, end) };
  const { classCount } = output;
  return { kind: "classes", classCount, labels: output.labels.slice(start, end), probabilities: output.probabilities.slice(start * classCount, end * classCount) };
}
