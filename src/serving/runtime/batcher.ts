import { callerGone, queueFull, timeExceeded } from "../errors.ts";
import { type InputColumns, toExact } from "../row-source.ts";
import type { ModelOutput } from "../model-runtime.ts";
import { assertSameForm, placeTensors, sliceTensors } from "../model-tensor.ts";

/** What is asked of a model with some rows. */
export interface RunOptions {
  /** Aborts when the caller went away: what was not begun then costs nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the pieces that leave others a turn: nobody else is there. */
  readonly rowsPerCall?: number | undefined;
}

/**
 * States: waiting → (a piece of it is computed → waiting …) → settled: answered, failed, too late, or given up by its
 * caller.
 */
interface Waiting {
  readonly inputs: InputColumns;
  readonly rowsPerCall: number;
  /** Rows that were computed. */
  done: number;
  readonly outputs: ModelOutput[];
  settled: boolean;
  readonly resolve: (output: ModelOutput) => void;
  readonly reject: (error: unknown) => void;
}

/** Merges requests that arrive while the model is busy into one call, and cuts large ones into pieces. */
export interface Batcher {
  /**
   * @throws SERVING_QUEUE_FULL when too many requests wait; SERVING_TIME_EXCEEDED; SERVING_CALLER_GONE; what the model
   * throws for these rows
   */
  readonly run: (inputs: InputColumns, options?: RunOptions) => Promise<ModelOutput>;
  /** Calls made so far, and rows in them. */
  readonly counters: { readonly executions: number; readonly rows: number };
}

/**
 * Natural batching: while a call is in flight, requests queue; when it returns, what has queued goes together. No delay
 * is added when the model is idle. Rows count, not requests. A larger request is computed in pieces, and what came
 * meanwhile goes between them: nobody, of this model or of another on the same thread, waits for more than one piece.
 * When a merged call fails, each of its requests is tried alone, so that only the guilty one fails.
 *
 * @param options.parallel calls in flight at once; default 1
 * @param options.maxRows rows per call; default 4,096
 * @param options.maxWaiting requests that may wait; default 1,024
 * @param options.timeoutMs how long a request may take, waiting included; default a minute
 */
export function createBatcher(options: {
  readonly name: string;
  readonly execute: (inputs: InputColumns) => Promise<ModelOutput>;
  readonly parallel?: number;
  readonly maxRows?: number;
  readonly maxWaiting?: number;
  readonly timeoutMs?: number;
}): Batcher {
  const { execute, parallel = 1, maxRows = 4096, maxWaiting = 1024, timeoutMs = 60_000 } = options;
  const queue: Waiting[] = [];
  const counters = { executions: 0, rows: 0 };
  let inFlight = 0;

  function take(): Waiting[] {
    const batch: Waiting[] = [];
    let rows = 0;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const wanted = next.inputs.rowCount - next.done;
      if (!next.settled && batch.length > 0 && rows + wanted > maxRows) break;
      queue.shift();
      if (next.settled) continue;
      rows += wanted;
      batch.push(next);
    }
    return batch;
  }

  async function call(inputs: InputColumns): Promise<ModelOutput> {
    counters.executions++;
    counters.rows += inputs.rowCount;
    return execute(inputs);
  }

  /** The next rows of one request; the rest goes behind what came meanwhile. */
  async function runPiece(waiting: Waiting): Promise<void> {
    const { inputs, done } = waiting;
    const end = Math.min(inputs.rowCount, done + waiting.rowsPerCall);
    try {
      waiting.outputs.push(await call(done === 0 && end === inputs.rowCount ? inputs : sliceInputs(inputs, done, end)));
    } catch (error) {
      return waiting.reject(error);
    }
    waiting.done = end;
    if (end < inputs.rowCount) queue.push(waiting);
    else waiting.resolve(concatOutputs(waiting.outputs));
  }

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) return runPiece(only);
    let output: ModelOutput;
    try {
      output = await call(
        mergeInputs(
          batch.map(({ inputs, done }) => (done === 0 ? inputs : sliceInputs(inputs, done, inputs.rowCount))),
        ),
      );
    } catch {
      for (const waiting of batch) if (!waiting.settled) await runPiece(waiting);
      return;
    }
    hand(batch, output);
  }

  function pump(): void {
    while (inFlight < parallel && queue.length > 0) {
      const batch = take();
      if (batch.length === 0) return;
      inFlight++;
      void runBatch(batch).finally(() => {
        inFlight--;
        pump();
      });
    }
  }

  return {
    counters,
    run: (inputs, { signal, rowsPerCall = maxRows } = {}) =>
      new Promise((resolve, reject) => {
        if (queue.length >= maxWaiting) return reject(queueFull({ endpoint: options.name, waiting: queue.length }));
        if (signal?.aborted === true) return reject(callerGone({ model: options.name }));
        const waiting = waitFor({ inputs, signal, rowsPerCall, name: options.name, timeoutMs }, { resolve, reject });
        queue.push(waiting);
        pump();
      }),
  };
}

/** Gives each request of a merged call its rows. */
function hand(batch: readonly Waiting[], output: ModelOutput): void {
  let start = 0;
  for (const waiting of batch) {
    const end = start + waiting.inputs.rowCount - waiting.done;
    waiting.resolve(concatOutputs([...waiting.outputs, sliceOutput(output, start, end)]));
    start = end;
  }
}

/** A request that settles once: by its answer, its time limit, or its caller's leaving. */
function waitFor(
  request: {
    readonly inputs: InputColumns;
    readonly signal: AbortSignal | undefined;
    readonly rowsPerCall: number;
    readonly name: string;
    readonly timeoutMs: number;
  },
  promise: { readonly resolve: (output: ModelOutput) => void; readonly reject: (error: unknown) => void },
): Waiting {
  const { inputs, signal, rowsPerCall, name, timeoutMs } = request;
  const settle = (): void => {
    waiting.settled = true;
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  };
  const waiting: Waiting = {
    inputs,
    rowsPerCall,
    done: 0,
    outputs: [],
    settled: false,
    resolve: (output) => (settle(), promise.resolve(output)),
    reject: (error) => (settle(), promise.reject(error)),
  };
  const leave = (): void => waiting.reject(callerGone({ model: name }));
  const timer = setTimeout(
    () => waiting.reject(timeExceeded({ model: name, seconds: timeoutMs / 1000, rows: inputs.rowCount })),
    timeoutMs,
  );
  signal?.addEventListener("abort", leave, { once: true });
  return waiting;
}

function sliceInputs(inputs: InputColumns, start: number, end: number): InputColumns {
  return { rowCount: end - start, columns: inputs.columns.map((column) => column.slice(start, end)) };
}

function concatOutputs(outputs: readonly ModelOutput[]): ModelOutput {
  const [first] = outputs;
  if (first === undefined || outputs.length === 1) return first ?? { kind: "numbers", values: new Float64Array() };
  if (first.kind === "tensors") return joinTensors(outputs);
  if (first.kind === "numbers")
    return {
      kind: "numbers",
      values: concatNumbers(outputs.map((output) => (output.kind === "numbers" ? output.values : new Float64Array()))),
    };
  const classes = outputs.filter((output) => output.kind === "classes");
  return {
    kind: "classes",
    classCount: first.classCount,
    labels: classes.flatMap(({ labels }) => labels),
    probabilities: concatNumbers(classes.map(({ probabilities }) => probabilities)),
  };
}

/** @throws SERVING_OUTPUTS_DIFFER */
function joinTensors(outputs: readonly ModelOutput[]): ModelOutput {
  let rowCount = 0;
  const parts = outputs.flatMap((output) => {
    if (output.kind !== "tensors") return [];
    const rows = Array.from({ length: output.rowCount }, (_, row) => rowCount + row);
    rowCount += output.rowCount;
    return [{ tensors: output.tensors, rows }];
  });
  assertSameForm(parts);
  return { kind: "tensors", rowCount, tensors: placeTensors(parts, rowCount) };
}

function concatNumbers(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function mergeInputs(parts: readonly InputColumns[]): InputColumns {
  const rowCount = parts.reduce((sum, part) => sum + part.rowCount, 0);
  const first = parts[0]?.columns ?? [];
  const columns = first.map((column, position) => {
    const numbers = parts.flatMap(({ columns: own }) => {
      const found = own[position];
      return found instanceof Float64Array || found instanceof BigInt64Array ? [found] : [];
    });
    if (numbers.some((part) => part instanceof BigInt64Array)) return mergeExact(numbers, rowCount);
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

/** Where one part holds numbers beyond 2^53, all are kept as it keeps them. */
function mergeExact(parts: readonly (Float64Array | BigInt64Array)[], rowCount: number): BigInt64Array {
  const merged = new BigInt64Array(rowCount);
  let offset = 0;
  for (const part of parts) {
    merged.set(toExact(part), offset);
    offset += part.length;
  }
  return merged;
}

function sliceOutput(output: ModelOutput, start: number, end: number): ModelOutput {
  if (output.kind === "numbers") return { kind: "numbers", values: output.values.slice(start, end) };
  if (output.kind === "tensors")
    return { kind: "tensors", rowCount: end - start, tensors: sliceTensors(output.tensors, start, end) };
  const { classCount } = output;
  return {
    kind: "classes",
    classCount,
    labels: output.labels.slice(start, end),
    probabilities: output.probabilities.slice(start * classCount, end * classCount),
  };
}
