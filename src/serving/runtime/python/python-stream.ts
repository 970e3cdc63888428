import { z } from "zod";
import type { Json } from "#base";
import type { ReceivedFrame, Worker, WorkerFrame } from "#executors";
import { callerGone, runtimeFailed, streamLost, valuesRefused } from "../../errors.ts";
import type { ModelStream } from "../../model-runtime.ts";

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
  /**
   * Asks the process that began, in its turn; undefined when it has ended. `begin` is called when it is this one's
   * turn, and may throw: then nothing is asked. @throws SERVING_TIME_EXCEEDED
   */
  goOn(worker: Worker, frame: WorkerFrame, begin: () => void): Promise<ReceivedFrame | undefined>;
  /** Notes that the process has a stream more; what it gives notes that the stream is over. */
  hold(worker: Worker): () => void;
  /** Ends the process if it goes on computing for a stream that was left; what it gives is called when it has. */
  endWhenAlone(worker: Worker): () => void;
}

const NOTHING = new Uint8Array();
let streams = 0;

/**
 * Opens a stream, whose chunks are asked for one by one: other calls of the model are computed between them, a slow
 * reader holds nobody up, and nothing is computed ahead.
 *
 * States: open → over: its last chunk was given, it failed, or it was left. A chunk that is on its way when the caller
 * leaves has a second more, and all the time of a call where its process has other streams; then the process is ended.
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
  let next: Read | undefined = readChunk(frame, title);
  let asked: Promise<unknown> | undefined;
  let isComputing = false;
  let isOver = next.done;
  const release = isOver ? () => undefined : place.hold(worker);

  function finish(): void {
    isOver = true;
    release();
  }

  const say = (kind: "next" | "stop", begin: () => void): Promise<ReceivedFrame | undefined> =>
    place.goOn(worker, { header: { kind, stream }, body: NOTHING }, begin);

  async function compute(): Promise<Read> {
    const answering = say("next", () => {
      if (isOver) throw callerGone({ model: title });
      isComputing = true;
    });
    asked = answering;
    try {
      const answer = await answering;
      if (answer === undefined)
        throw streamLost({ model: title, how: await worker.ended, lastLines: worker.lastLines() });
      return readChunk(answer, title);
    } finally {
      isComputing = false;
      asked = undefined;
    }
  }

  async function stop(): Promise<void> {
    if (isOver) return;
    finish();
    // A chunk that waits for the calls of others will not be computed.
    if (isComputing) {
      const stay = place.endWhenAlone(worker);
      await asked?.catch(() => undefined).finally(stay);
    }
    await say("stop", () => undefined).catch(() => undefined);
  }

  return {
    async next() {
      if (isOver && next === undefined) return undefined;
      const found =
        next ??
        (await compute().catch((error: unknown) => {
          finish();
          throw error;
        }));
      next = undefined;
      if (found.done) {
        finish();
        return undefined;
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
