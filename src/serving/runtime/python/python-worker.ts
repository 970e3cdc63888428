import { z } from "zod";
import { messageOf } from "#base";
import type { ReceivedFrame, Worker, WorkerFrame } from "#executors";
import {
  callerGone,
  modelUnusable,
  runtimeDied,
  runtimeFailed,
  timeExceeded,
  workerDied,
  valuesRefused,
} from "../../errors.ts";
import type { ModelOutput, ModelStream } from "../../model-runtime.ts";
import type { ModelSignature } from "../../model-signature.ts";
import { bytesOf, type ModelTensor, readValues, tensorFormSchema } from "../../model-tensor.ts";
import type { InputColumns } from "../../row-source.ts";
import { openPythonStream, type StreamPlace } from "./python-stream.ts";

/** A model in a process of its own; computes one call at a time. */
export interface PythonWorker {
  readonly exact: readonly string[];
  /**
   * @throws SERVING_RUNTIME_FAILED, SERVING_TIME_EXCEEDED (the process is ended), SERVING_WORKER_DIED: twice,
   *   SERVING_RUNTIME_DIED: it was ended on purpose, SERVING_MODEL_UNUSABLE: it does not start again
   */
  predict(inputs: InputColumns): Promise<ModelOutput>;
  /** Of a model with `predict_stream`: one row, in parts that are computed when they are asked for. */
  readonly stream?: ((inputs: InputColumns, signal?: AbortSignal) => Promise<ModelStream>) | undefined;
  /** Ends the process; calls in flight fail. Idempotent. */
  end(): Promise<void>;
}

export interface PythonWorkerOptions {
  readonly title: string;
  readonly signature: ModelSignature;
  readonly timeoutMs: number;
  readonly start: () => Promise<Worker>;
  readonly onEnd: (how: string, lastLines: string) => void;
}

interface Started {
  readonly worker: Worker;
  readonly exact: readonly string[];
  readonly streams: boolean;
}

/**
 * States: starting → ready ⇄ computing; from each → absent when the process ends or is ended at the time limit of a
 * call, and from there → starting with the next call, or at once after a call that took too long. Ended is final.
 *
 * A call whose process ends is asked once more of a new one: what ended it may have been the machine.
 *
 * @throws SERVING_MODEL_UNUSABLE when it does not load
 */
export async function startPythonWorker(options: PythonWorkerOptions): Promise<PythonWorker> {
  const { title, signature, timeoutMs } = options;
  let started: Promise<Started> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isEnded = false;

  function ready(): Promise<Started> {
    if (started !== undefined) return started;
    const starting = loadAgain(options);
    started = starting;
    const forget = (): void => {
      if (started === starting) started = undefined;
    };
    starting.then(
      ({ worker }) =>
        worker.ended.then((how) => {
          forget();
          if (!isEnded) options.onEnd(how, worker.lastLines());
        }),
      forget,
    );
    return starting;
  }

  /** Asks a process; undefined when it ended before it answered. @throws SERVING_TIME_EXCEEDED: it was ended */
  async function askWithin(worker: Worker, frame: WorkerFrame, rows: number): Promise<ReceivedFrame | undefined> {
    const answer = await within(timeoutMs, worker.ask(frame));
    if (answer !== "late") return answer;
    await worker.end();
    void ready().catch(() => undefined);
    throw timeExceeded({ model: title, seconds: timeoutMs / 1000, rows });
  }

  async function ask(
    frame: WorkerFrame,
    rows: number,
    { attempt = 1, signal }: { readonly attempt?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly worker: Worker; readonly frame: ReceivedFrame }> {
    if (isEnded) throw runtimeDied({ reason: `model ${title} was unloaded` });
    const { worker } = await ready();
    // Who left while a process was started asks nothing of it.
    assertStays(signal);
    const stay = endWhenLeft(() => endWhenAlone(worker), signal);
    const answer = await askWithin(worker, frame, rows).finally(stay);
    if (answer !== undefined) return { worker, frame: answer };
    assertStays(signal);
    if (isEnded) throw runtimeDied({ reason: `model ${title} was unloaded` });
    const how = await worker.ended;
    if (attempt === 1) return ask(frame, rows, { attempt: 2, signal });
    throw workerDied({ model: title, how, rows, lastLines: worker.lastLines() });
  }

  function assertStays(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw callerGone({ model: title });
  }

  /** One call after the other. */
  function inTurn<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const answer = last.then(call);
    last = answer.catch(() => undefined);
    return answer;
  }

  const { hold, endWhenAlone } = createHeldStreams();
  const { exact, streams } = await ready();
  return {
    exact,
    async predict(inputs) {
      const { rowCount } = inputs;
      if (rowCount === 0 && !isEnded) return nothing(signature);
      const { frame } = await inTurn(() => ask(formatCall(inputs), rowCount));
      return readAnswer(frame, { task: signature.task, rowCount, title });
    },
    ...(streams
      ? {
          stream: (inputs, signal) =>
            openPythonStream(
              {
                title,
                begin: (frame) =>
                  inTurn(() => {
                    assertStays(signal);
                    return ask(frame, 1, { signal });
                  }),
                goOn: (worker, frame, begin) =>
                  inTurn(async () => {
                    begin();
                    return askWithin(worker, frame, 1);
                  }),
                hold,
                endWhenAlone,
              },
              formatCall(inputs),
              signal,
            ),
        }
      : {}),
    async end() {
      isEnded = true;
      const running = await started?.catch(() => undefined);
      await running?.worker.end();
    },
  };
}

/** How long a process may go on with a part of a stream once its caller has left. */
const LEAVING_MS = 1000;

/** The streams that each process has. */
function createHeldStreams(): Pick<StreamPlace, "hold" | "endWhenAlone"> {
  const held = new WeakMap<Worker, number>();
  const streamsOf = (worker: Worker): number => held.get(worker) ?? 0;

  /** Notes a stream of a process; what it gives takes it back. */
  function hold(worker: Worker): () => void {
    held.set(worker, streamsOf(worker) + 1);
    let isHeld = true;
    return () => {
      if (isHeld) held.set(worker, streamsOf(worker) - 1);
      isHeld = false;
    };
  }

  /**
   * Ends a process that computes for somebody who left, after a while, and not before the streams of others are over:
   * the call's own time limit ends it in any case. What it gives is called when the process has answered.
   */
  function endWhenAlone(worker: Worker): () => void {
    const timer = setInterval(() => {
      if (streamsOf(worker) > 0) return;
      clearInterval(timer);
      void worker.end();
    }, LEAVING_MS);
    return () => clearInterval(timer);
  }

  return { hold, endWhenAlone };
}

/** Calls `end` when the signal aborts; what it gives is called when that is no matter any more. */
function endWhenLeft(end: () => () => void, signal: AbortSignal | undefined): () => void {
  let stay: (() => void) | undefined;
  const leave = (): void => {
    stay = end();
  };
  signal?.addEventListener("abort", leave, { once: true });
  return () => {
    stay?.();
    signal?.removeEventListener("abort", leave);
  };
}

/** A load that a signal ended is tried again: what ended it may have been the machine. */
async function loadAgain(options: PythonWorkerOptions): Promise<Started> {
  for (let left = LOADS - 1; ; left--) {
    const loaded = await loadInto(options);
    if (!("endedBy" in loaded)) return loaded;
    if (left > 0 && loaded.endedBy.startsWith("SIG")) continue;
    const problem = `mlflow.pyfunc does not load it: its process ended with ${loaded.endedBy}: ${loaded.lastLines}`;
    throw modelUnusable({ model: options.title, problem, advice: ADVICE });
  }
}

async function loadInto({
  title,
  signature,
  start,
}: PythonWorkerOptions): Promise<Started | { readonly endedBy: string; readonly lastLines: string }> {
  const worker = await start().catch((error: unknown) => {
    throw modelUnusable({ model: title, problem: messageOf(error), advice: ADVICE });
  });
  const inputs = signature.inputs.map(({ name, type }) => ({ name, type }));
  const answer = await within(
    LONGEST_LOAD_MS,
    worker.ask({ header: { kind: "load", task: signature.task, inputs }, body: new Uint8Array() }),
  );
  if (answer === "late") {
    await worker.end();
    const problem = `it did not load in ${LONGEST_LOAD_MS / 1000} s: ${worker.lastLines()}`;
    throw modelUnusable({ model: title, problem, advice: ADVICE });
  }
  if (answer === undefined) return { endedBy: await worker.ended, lastLines: worker.lastLines() };
  const { ok, problem, exact, streams } = answerSchema.parse(answer.header);
  if (ok) return { worker, exact, streams };
  await worker.end();
  throw modelUnusable({ model: title, problem: `mlflow.pyfunc does not load it: ${problem}`, advice: ADVICE });
}

const LONGEST_LOAD_MS = 300_000;
const LOADS = 3;

/** Header of what a worker says. */
const answerSchema = z.object({
  ok: z.boolean(),
  problem: z.string().default("it gave no reason"),
  refused: z.boolean().default(false),
  exact: z.array(z.string()).default([]),
  streams: z.boolean().default(false),
  labels: z.array(z.string()).default([]),
  classCount: z.int().default(0),
  outputs: z.array(tensorFormSchema.and(z.object({ texts: z.array(z.string()).default([]) }))).default([]),
});

const ADVICE =
  "Load it by hand in a new environment of its requirements.txt: mlflow.pyfunc.load_model(FOLDER); name what it lacks in pip_requirements.";

/** Libraries refuse tables without rows. */
function nothing({ task }: ModelSignature): ModelOutput {
  const none = new Float64Array();
  if (task === "outputs") return { kind: "tensors", rowCount: 0, tensors: [] };
  if (task !== "multiclass_classification") return { kind: "numbers", values: none };
  return { kind: "classes", labels: [], probabilities: none, classCount: 0 };
}

/** `late` when the time is over first. */
async function within<Value>(timeoutMs: number, work: Promise<Value>): Promise<Value | "late"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/**
 * Numbers go as 64-bit floats, column after column, those beyond 2^53 as whole numbers of 64 bits, whose places among
 * the numbers the header names; then, of texts that repeat, the 32-bit place of each in the list of
 * the different ones, which stands in the header. Other texts stand in the header as they are.
 */
function formatCall({ rowCount, columns }: InputColumns): WorkerFrame {
  const numbers = columns.filter((column) => column instanceof Float64Array || column instanceof BigInt64Array);
  const texts = columns.flatMap((column) =>
    column instanceof Float64Array || column instanceof BigInt64Array ? [] : [toTexts(column)],
  );
  const codes = texts.flatMap((text) => ("codes" in text ? [text.codes] : []));
  const body = new Uint8Array((numbers.length * FLOAT_BYTES + codes.length * CODE_BYTES) * rowCount);
  for (const [position, values] of numbers.entries()) {
    const start = position * rowCount * FLOAT_BYTES;
    if (values instanceof Float64Array) new Float64Array(body.buffer, start, rowCount).set(values);
    else new BigInt64Array(body.buffer, start, rowCount).set(values);
  }
  const start = numbers.length * rowCount * FLOAT_BYTES;
  for (const [position, values] of codes.entries())
    new Int32Array(body.buffer, start + position * rowCount * CODE_BYTES, rowCount).set(values);
  return {
    header: {
      kind: "predict",
      rows: rowCount,
      whole: [...numbers.entries()].flatMap(([position, values]) => (values instanceof Float64Array ? [] : [position])),
      texts: texts.map((text) => ("codes" in text ? { values: text.values } : text.whole)),
    },
    body,
  };
}

const FLOAT_BYTES = 8;
const CODE_BYTES = 4;
/** Below it a list of the different texts saves nothing. */
const FEWEST_CODED = 64;

/** Texts of a column: each by its place among the different ones, where those are few. */
function toTexts(
  column: readonly string[],
): { readonly whole: readonly string[] } | { readonly values: readonly string[]; readonly codes: Int32Array } {
  if (column.length < FEWEST_CODED) return { whole: column };
  const places = new Map<string, number>();
  const codes = new Int32Array(column.length);
  for (const [row, text] of column.entries()) {
    const known = places.get(text);
    if (known === undefined && places.size >= column.length / 2) return { whole: column };
    codes[row] = known ?? places.size;
    if (known === undefined) places.set(text, places.size);
  }
  return { values: [...places.keys()], codes };
}

/** @throws SERVING_RUNTIME_FAILED, SERVING_VALUES_REFUSED */
function readAnswer(
  { header, body }: ReceivedFrame,
  facts: { readonly task: ModelSignature["task"]; readonly rowCount: number; readonly title: string },
): ModelOutput {
  const { task, rowCount, title } = facts;
  const { ok, problem, refused, labels, classCount, outputs } = answerSchema.parse(header);
  if (!ok) throw (refused ? valuesRefused : runtimeFailed)({ model: title, reason: problem });
  if (task === "outputs") return { kind: "tensors", rowCount, tensors: readTensors(outputs, body, rowCount) };
  // A copy of its own: the body may lie at any byte of a larger piece.
  const values = new Float64Array(Uint8Array.from(body).buffer);
  if (task !== "multiclass_classification") return { kind: "numbers", values };
  return { kind: "classes", labels, probabilities: values, classCount };
}

/** Numbers of each output stand in the body, one output after the other; texts in the header. */
function readTensors(
  outputs: z.output<typeof answerSchema>["outputs"],
  body: Uint8Array,
  rowCount: number,
): readonly ModelTensor[] {
  let start = 0;
  return outputs.map(({ name, datatype, shape, texts }): ModelTensor => {
    if (datatype === "BYTES") return { name, datatype, shape, values: texts };
    const end = start + bytesOf({ name, datatype, shape }, rowCount);
    const values = readValues(datatype, body.subarray(start, end));
    start = end;
    return { name, datatype, shape, values };
  });
}
