import { type Clock, EsteiraError, type Json, type Log, messageOf, newId } from "#base";
import type { ArmObservation } from "#delivery";
import type { EndpointKey } from "#metadata-store/serving";
import type { SeenRequest } from "#monitoring";
import { isUnderTrial } from "./arms.ts";
import { type Assignment, assignRows, chanceOf } from "./assignment.ts";
import type { EndpointStatistics } from "./endpoint-statistics.ts";
import type { PredictRequest } from "./endpoints.ts";
import { requestInvalid, streamUnsupported } from "./errors.ts";
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

interface Options {
  readonly live: LiveEndpoints;
  readonly enrich: FeatureReader;
  readonly predictions: PredictionLog;
  readonly measured: PredictionMetrics | undefined;
  readonly statistics: EndpointStatistics;
  readonly clock: Clock;
  readonly log: Log;
  readonly see: (key: EndpointKey, request: SeenRequest) => void;
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
 * @throws what `predict` of the endpoints throws, and SERVING_STREAM_UNSUPPORTED
 */
export function createEndpointStreams(
  options: Options,
): (key: EndpointKey, request: PredictRequest) => Promise<StreamAnswer> {
  const { live, enrich, clock, see, measured, statistics } = options;

  async function open(current: LiveEndpoint, key: EndpointKey, request: PredictRequest, over: () => void) {
    const nowMs = clock.now();
    const startMs = clock.monotonic();
    const requestId = request.requestId ?? newId(nowMs);
    const predictionId = newId(nowMs);
    const assigned = assignRows(current, request, requestId);
    const { begun, failed } = await begin(current, key, { request, assigned }, options);
    const { model, stream } = begun;
    const answer = createStreamedAnswer();
    let first = begun.first;
    let ended: Promise<void> | undefined;

    /** Once, however it ended. */
    function end(error?: unknown): Promise<void> {
      return (ended ??= record(error).finally(over));
    }

    async function record(error: unknown): Promise<void> {
      const durationMs = clock.monotonic() - startMs;
      const isFailed = error !== undefined;
      const part: PredictionPart = { ...begun, rows: [0], output: answer.output() };
      const observation: ArmObservation = isFailed
        ? { arm: begun.arm, rows: 1, failure: codeOf(error) }
        : { arm: begun.arm, rows: 1, durationMs };
      const ids = { requestId, predictionIds: [predictionId], nowMs };
      await options.predictions.append(
        toPredictionRows(part, key, request, { ...ids, chanceOf: (row) => chanceOf(assigned, begun.arm, row) }),
        isUnderTrial(current) ? { key, observations: [...failed, observation] } : undefined,
      );
      if (isFailed) measured?.failed(key, { error, durationMs });
      else measured?.answered(key, { parts: [part], features: request.features, durationMs });
      if (isFailed) statistics.failed(key, { version: model.version.version, durationMs });
      else statistics.answered(key, { parts: [part], durationMs });
      see(key, { durationMs, outcome: isFailed ? "failed" : "answered" });
    }

    async function next(): Promise<{ readonly chunk: Json } | undefined> {
      const part = first ?? (begun.first === undefined ? undefined : await stream.next());
      first = undefined;
      if (part === undefined) {
        await end();
        return undefined;
      }
      answer.add(part.chunk);
      return part;
    }

    return {
      requestId,
      predictionId,
      model,
      async next() {
        if (ended !== undefined) return undefined;
        try {
          return await next();
        } catch (error) {
          await end(error).catch((problem: unknown) =>
            options.log.error("a stream could not be logged", { endpoint: key.endpoint, error: messageOf(problem) }),
          );
          throw error;
        }
      },
      async stop() {
        if (ended !== undefined) return ended;
        const logged = end();
        await stream.stop();
        await logged;
      },
    } satisfies StreamAnswer;
  }

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
      const over = Promise.withResolvers<void>();
      opened.resolve(
        await open(current, key, await enrich(current.endpoint, current.stable.signature, request), over.resolve),
      );
      await over.promise;
    });
    whole.catch((error: unknown) => {
      const durationMs = clock.monotonic() - askedMs;
      measured?.failed(key, { error, durationMs });
      see(key, { durationMs, outcome: error instanceof EsteiraError && error.status < 500 ? "caller" : "failed" });
      opened.reject(error);
    });
    return opened.promise;
  };
}

/** The candidate's first part where the row is its, else the stable version's, which also stands in for it. */
async function begin(
  current: LiveEndpoint,
  key: EndpointKey,
  { request, assigned }: { readonly request: PredictRequest; readonly assigned: Assignment },
  { log, noteFailure }: Options,
): Promise<{ readonly begun: Begun; readonly failed: readonly ArmObservation[] }> {
  const { stable, candidate } = current;
  if (candidate === undefined || !assigned.rows.has(0))
    return { begun: await beginWith(stable, "stable", request), failed: [] };
  try {
    return { begun: await beginWith(candidate, "candidate", request), failed: [] };
  } catch (error) {
    log.warn("a candidate failed; the stable version answered", { endpoint: key.endpoint, error: messageOf(error) });
    const begun = await beginWith(stable, "stable", request);
    await noteFailure(key, candidate.version.version, 1);
    return { begun, failed: [{ arm: "candidate", rows: 1, failure: codeOf(error) }] };
  }
}

async function beginWith(model: LoadedModel, arm: Begun["arm"], request: PredictRequest): Promise<Begun> {
  if (model.stream === undefined) throw streamUnsupported({ model: model.title });
  const inputs = readPartInputs(model, arm, [0], request);
  const stream = await model.stream(inputs, request.signal);
  return { model, arm, inputs, stream, first: await stream.next() };
}

function codeOf(error: unknown): string {
  return error instanceof EsteiraError ? error.code : "SERVING_REQUEST_FAILED";
}
