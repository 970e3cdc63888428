import { z } from "zod";
import type { Json } from "#base";
import type { ReceivedFrame, Worker, WorkerFrame } from "#executors";
import { callerGone, runtimeFailed, streamLost, streamTooLong, valuesRefused } from "../../errors.ts";
import type { ModelStream } from "../../model-runtime.ts";

/** How long a stream may take from its first chunk to its last. */
const LONGEST_STREAM_MS = 15 * 60_000;
/** How long a chunk may take once its caller has left. */
const LEAVING_MS = 1000;

const chunkSchema = z.object({
  ok: z.boolean(),
  problem: z.string().default("it gave no reason"),
  refused: z.boolean().default(false),
  done: z.boolean().default(false),
  chunk: z.json().default(null),
});

/** What a stream needs of the process that computes it. */
export interface StreamPlace {
  readonly title: string;
  /** Asks a process to begin: one that ends before it answers is replaced once. */
  begin(frame: WorkerFrame): Promise<{ readonly worker: Worker; readonly frame: ReceivedFrame }>;
  /** Asks the process that began; undefined when it has ended. @throws SERVING_TIME_EXCEEDED */
  goOn(worker: Worker, frame: WorkerFrame): Promise<ReceivedFrame | undefined>;
}

const NOTHING = new Uint8Array();
let streams = 0;

/**
 * Opens a stream, whose chunks are asked for one by one: other calls of the model are computed between them, a slow
 * reader holds nobody up, and nothing is computed ahead.
 *
 * States: open → over: its last chunk was given, it failed, it took too long, or it was left. A chunk that is on its
 * way when the caller leaves has a second more; then its process is ended.
 *
 * @param call what is predicted, as it is asked of a call without a stream
 */
export async function openPythonStream(
  place: StreamPlace,
  call: WorkerFrame,
  signal: AbortSignal | undefined,
): Promise<ModelStream> {
  const { title } = place;
  const stream = ++streams;
  if (signal?.aborted === true) throw callerGone({ model: title });
  const begun = place.begin({ header: { ...call.header, kind: "stream", stream }, body: call.body });
  const { worker, frame } = await begun;
  const endsAtMs = performance.now() + LONGEST_STREAM_MS;
  let next: Read | undefined = readChunk(frame, title);
  let computing: Promise<unknown> | undefined;
  let isOver = next.done;

  const say = (kind: "next" | "stop"): Promise<ReceivedFrame | undefined> =>
    place.goOn(worker, { header: { kind, stream }, body: NOTHING });

  async function compute(): Promise<Read> {
    const asked = say("next");
    computing = asked;
    try {
      const answer = await asked;
      if (answer === undefined)
        throw streamLost({ model: title, how: await worker.ended, lastLines: worker.lastLines() });
      return readChunk(answer, title);
    } finally {
      computing = undefined;
    }
  }

  async function stop(): Promise<void> {
    if (isOver) return;
    isOver = true;
    if (computing === undefined) return void (await say("stop").catch(() => undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), LEAVING_MS);
    });
    const first = await Promise.race([computing.catch(() => undefined), late]);
    clearTimeout(timer);
    if (first === "late") await worker.end();
    else await say("stop").catch(() => undefined);
  }

  return {
    async next() {
      if (isOver && next === undefined) return undefined;
      const found =
        next ??
        (await compute().catch((error: unknown) => {
          isOver = true;
          throw error;
        }));
      next = undefined;
      if (found.done) {
        isOver = true;
        return undefined;
      }
      if (performance.now() > endsAtMs) {
        await stop();
        throw streamTooLong({ model: title, seconds: LONGEST_STREAM_MS / 1000 });
      }
      return { chunk: found.chunk };
    },
    stop,
  };
}

interface Read {
  readonly done: boolean;
  readonly chunk: Json;
}

/** @throws SERVING_RUNTIME_FAILED, SERVING_VALUES_REFUSED */
function readChunk({ header }: ReceivedFrame, title: string): Read {
  const { ok, problem, refused, done, chunk } = chunkSchema.parse(header);
  if (!ok) throw (refused ? valuesRefused : runtimeFailed)({ model: title, reason: problem });
  return { done, chunk };
}
