import { type Clock, type Json, type Log, messageOf, newId } from "#base";
import type { ArmObservation } from "#delivery";
import type { EndpointKey } from "#metadata-store/serving";
import type { SeenRequest } from "#monitoring";
import { type Arms, isUnderTrial } from "./arms.ts";
import { type Assignment, assignRows, chanceOf } from "./assignment.ts";
import type { EndpointStatistics } from "./endpoint-statistics.ts";
import type { PredictRequest } from "./endpoints.ts";
import { requestInvalid, streamTooLong, streamUnsupported } from "./errors.ts";
import { codeOf, isCallerGone, outcomeOf } from "./failure.ts";
import type { FeatureReader } from "./feature-reader.ts";
import type { LiveEndpoint, LiveEndpoints } from "./live-endpoints.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { ModelStream } from "./model-runtime.ts";
import { type PredictionPart, readPartInputs, toPredictionRows } from "./prediction-part.ts";
import type { PredictionLog } from "./prediction-log.ts";
import type { PredictionMetrics } from "./prediction-metrics.ts";
import { createStreamedAnswer } from "./streamed-answer.ts";

/** An answer in parts, of one row. */
export interface StreamAnswer {
  readonly requestId: string;
  readonly predictionId: string;
  /** What answers. */
  readonly model: LoadedModel;
  /**
   * The next part; undefined when all were given and the whole is durable in the log.
   *
   * @throws SERVING_RUNTIME_FAILED, SERVING_TIME_EXCEEDED, SERVING_STREAM_LOST, SERVING_STREAM_TOO_LONG,
   *   METADATA_STORE_WRITE_FAILED
   */
  next(): Promise<{ readonly chunk: Json } | undefined>;
  /** The caller left: nothing more is computed, and what was given is logged. Idempotent. */
  stop(): Promise<void>;
}

/** How long a stream may take from its first part to its last. */
const LONGEST_STREAM_MS = 15 * 60_000;

interface Options {
  readonly live: LiveEndpoints;
  readonly arms: Pick<Arms, "noteCandidateFailure" | "noteStableFailure">;
  readonly enrich: FeatureReader;
  readonly predictions: PredictionLog;
  readonly measured: PredictionMetrics | undefined;
  readonly statistics: EndpointStatistics;
  readonly clock: Clock;
  readonly log: Log;
  readonly see: (key: EndpointKey, request: SeenRequest) => void;
  /** Default 15 minutes. */
  readonly longestMs?: number | undefined;
  /** A candidate could not answer. */
  readonly noteFailure: (key: EndpointKey, modelVersion: number, rows: number) => Promise<void>;
}

/** What is begun: the first part is there. */
interface Begun {
  readonly model: LoadedModel;
  readonly arm: "stable" | "candidate";
  readonly inputs: PredictionPart["inputs"];
  readonly stream: ModelStream;
  readonly first: { readonly chunk: Json } | undefined;
}

/**
 * Streams answers of endpoints. Resolves with the first part of the answer, so that what is refused is refused with a
 * status of its own; the models stay loaded until the stream is over. However it ends, it is logged once.
 *
 * States of a stream: open → over: its last part was given, it failed, its caller left, or its time is up, whether
 * anybody reads it or not.
 *
 * @throws what `predict` of the endpoints throws, and SERVING_STREAM_UNSUPPORTED
 */
export function createEndpointStreams(
  options: Options,
): (key: EndpointKey, request: PredictRequest) => Promise<StreamAnswer> {
  const { live, enrich, clock, see, measured, statistics } = options;

  return (key, request) => {
    const { rowCount } = request.source;
    if (rowCount !== 1)
      throw requestInvalid({
        where: "The request",
        found: `${rowCount} rows`,
        expected: "one row: a stream answers one",
      });
    const askedMs = clock.monotonic();
    const opened = Promise.withResolvers<StreamAnswer>();
    const whole = live.use(key, async (current) => {
      const startMs = clock.monotonic();
      const over = Promise.withResolvers<void>();
      try {
        const enriched = await enrich(current.endpoint, current.stable.signature, request);
        opened.resolve(await openAnswer({ current, key, request: enriched }, options, over.resolve));
      } catch (error) {
        const durationMs = clock.monotonic() - startMs;
        measured?.failed(key, { error, durationMs });
        statistics.failed(key, { version: current.stable.version.version, durationMs });
        throw error;
      }
      await over.promise;
    });
    whole.catch((error: unknown) => {
      see(key, { durationMs: clock.monotonic() - askedMs, outcome: outcomeOf(error) });
      opened.reject(error);
    });
    return opened.promise;
  };
}

interface Call {
  readonly current: LiveEndpoint;
  readonly key: EndpointKey;
  readonly request: PredictRequest;
}

/** @param over called when nothing of the stream is left to do */
async function openAnswer(call: Call, options: Options, over: () => void): Promise<StreamAnswer> {
  const { current, key, request } = call;
  const { clock, log, longestMs = LONGEST_STREAM_MS } = options;
  const nowMs = clock.now();
  const startMs = clock.monotonic();
  const requestId = request.requestId ?? newId(nowMs);
  const predictionId = newId(nowMs);
  const assigned = assignRows(current, request, requestId);
  const begun = await begin(current, key, { request, assigned }, options);
  const { model, stream } = begun;
  const answer = createStreamedAnswer();
  const ids = {
    requestId,
    predictionIds: [predictionId],
    nowMs,
    chanceOf: (row: number) => chanceOf(assigned, begun.arm, row),
    redact: current.endpoint.options.log?.redact,
  };
  let first = begun.first;
  let ended: Promise<void> | undefined;
  let isComputing = false;
  let isLate = false;

  /** Once, however it ended. */
  function end(error?: unknown): Promise<void> {
    if (ended !== undefined) return ended;
    clearTimeout(timer);
    ended = record(
      { ...call, begun, output: answer.output(), ids, durationMs: clock.monotonic() - startMs, error },
      options,
    ).finally(over);
    ended.catch((problem: unknown) =>
      log.error("a stream could not be logged", { endpoint: key.endpoint, error: messageOf(problem) }),
    );
    return ended;
  }

  function tooLong(): Error {
    return streamTooLong({ model: model.title, seconds: longestMs / 1000 });
  }

  async function next(): Promise<{ readonly chunk: Json } | undefined> {
    const part = first ?? (begun.first === undefined ? undefined : await stream.next());
    first = undefined;
    if (part === undefined) {
      await end();
      return undefined;
    }
    if (isLate) throw tooLong();
    answer.add(part.chunk);
    return part;
  }

  async function stop(): Promise<void> {
    if (ended !== undefined) return ended;
    const logged = end();
    await stream.stop();
    await logged;
  }

  const timer = setTimeout(() => {
    isLate = true;
    // What is being computed has its own time limit, and ends the stream. Who does not ask is as one who left.
    if (!isComputing) stop().catch(() => undefined);
  }, longestMs);
  timer.unref();

  return {
    requestId,
    predictionId,
    model,
    async next() {
      if (ended !== undefined) {
        if (isLate) throw tooLong();
        return undefined;
      }
      isComputing = true;
      try {
        return await next();
      } catch (error) {
        await Promise.all([end(error), stream.stop()]).catch(() => undefined);
        throw error;
      } finally {
        isComputing = false;
      }
    },
    stop,
  } satisfies StreamAnswer;
}

interface Ended extends Call {
  readonly begun: Begun;
  readonly output: PredictionPart["output"];
  readonly ids: Parameters<typeof toPredictionRows>[3];
  readonly durationMs: number;
  /** undefined where it was given whole, or left. */
  readonly error: unknown;
}

/** Logs a stream and counts it. @throws METADATA_STORE_WRITE_FAILED */
async function record(end: Ended, options: Options): Promise<void> {
  const { current, key, request, begun, ids, durationMs, error } = end;
  const part: PredictionPart = { ...begun, rows: [0], output: end.output };
  const isFailed = error !== undefined;
  const observation: ArmObservation = isFailed
    ? { arm: begun.arm, rows: 1, failure: codeOf(error) }
    : { arm: begun.arm, rows: 1, durationMs };
  let problem = error;
  try {
    await options.predictions.append(
      toPredictionRows(part, key, request, ids),
      isUnderTrial(current) ? { key, observations: [observation] } : undefined,
    );
  } catch (failure) {
    problem ??= failure;
    throw failure;
  } finally {
    count({ ...end, error: problem }, part, options);
  }
  if (isFailed && begun.arm === "candidate") await options.noteFailure(key, begun.model.version.version, 1);
}

function count({ key, request, begun, durationMs, error }: Ended, part: PredictionPart, options: Options): void {
  const { measured, statistics, see } = options;
  if (error === undefined) {
    measured?.answered(key, { parts: [part], features: request.features, durationMs });
    statistics.answered(key, { parts: [part], durationMs });
  } else {
    measured?.failed(key, { error, durationMs });
    statistics.failed(key, { version: begun.model.version.version, durationMs });
  }
  see(key, { durationMs, outcome: error === undefined ? "answered" : "failed" });
}

/** The candidate's first part where the row is its, else the stable version's, which also stands in for it. */
async function begin(
  current: LiveEndpoint,
  key: EndpointKey,
  { request, assigned }: { readonly request: PredictRequest; readonly assigned: Assignment },
  { arms, predictions, log, noteFailure }: Options,
): Promise<Begun> {
  const { candidate } = current;
  if (candidate === undefined || !assigned.rows.has(0)) return beginStable(current, key, request, arms);
  try {
    return await beginWith(candidate, "candidate", request);
  } catch (error) {
    if (isCallerGone(error)) throw error;
    arms.noteCandidateFailure(current, error);
    // Before the stable version is asked, which may fail too, or take long to its last part.
    await predictions
      .append([], { key, observations: [{ arm: "candidate", rows: 1, failure: codeOf(error) }] })
      .catch((problem: unknown) => log.error("a failure could not be counted", { error: messageOf(problem) }));
    await noteFailure(key, candidate.version.version, 1);
    return beginStable(current, key, request, arms);
  }
}

/** While a trial goes on, failures of the stable version are counted too. */
async function beginStable(
  current: LiveEndpoint,
  key: EndpointKey,
  request: PredictRequest,
  arms: Options["arms"],
): Promise<Begun> {
  try {
    return await beginWith(current.stable, "stable", request);
  } catch (error) {
    await arms.noteStableFailure(current, key, { error, rows: 1 });
    throw error;
  }
}

async function beginWith(model: LoadedModel, arm: Begun["arm"], request: PredictRequest): Promise<Begun> {
  if (model.stream === undefined) throw streamUnsupported({ model: model.title });
  const inputs = readPartInputs(model, arm, [0], request);
  const stream = await model.stream(inputs, request.signal);
  return { model, arm, inputs, stream, first: await stream.next() };
}
