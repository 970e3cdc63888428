import { type Clock, EsteiraError, type Log, messageOf } from "#base";
import type { ArmObservation } from "#delivery";
import type { EndpointKey } from "#metadata-store/serving";
import type { Assignment } from "./assignment.ts";
import type { PredictRequest } from "./endpoints.ts";
import { valuesRefused } from "./errors.ts";
import type { LiveEndpoint } from "./live-endpoints.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { assertSameForm, generalize } from "./model-tensor.ts";
import type { PredictionLog } from "./prediction-log.ts";
import { type PredictionPart, runPart } from "./prediction-part.ts";
import type { RowSource } from "./row-source.ts";
import type { ModelOutput } from "./model-runtime.ts";
import { compareOutputs, countOutputs } from "./compare-outputs.ts";

/** Runs the versions of an endpoint on the rows of requests, and says how each did. */
export interface Arms {
  readonly counters: { readonly shadowDropped: number; readonly candidateFailed: number };
  /**
   * What the candidate made of its rows, and the observation that it is judged by; neither when no row was its. Never
   * rejects.
   */
  readonly tryCandidate: (
    current: LiveEndpoint,
    request: PredictRequest,
    assigned: Assignment,
  ) => Promise<{ readonly part?: PredictionPart; readonly seen?: ArmObservation }>;
  /** The stable version's answer; while a trial goes on its failures are counted too, unless they are the caller's. */
  readonly runStable: (
    current: LiveEndpoint,
    key: EndpointKey,
    rows: readonly number[],
    of: { readonly request: PredictRequest; readonly assigned: Assignment },
  ) => Promise<{ readonly part: PredictionPart; readonly seen: ArmObservation }>;
  /** After the answer is chosen: never delays, never fails the caller; what falls behind is dropped and counted. */
  readonly runShadow: (
    candidate: LoadedModel,
    request: PredictRequest,
    given: ModelOutput,
    write: (part: PredictionPart | undefined, seen: ArmObservation) => Promise<void>,
  ) => void;
}

const SHADOW_QUEUE = 64;

export function createArms({
  predictions,
  log,
  clock,
}: {
  readonly predictions: PredictionLog;
  readonly log: Log;
  readonly clock: Clock;
}): Arms {
  const counters = { shadowDropped: 0, candidateFailed: 0 };
  let shadows = 0;

  return {
    counters,
    async tryCandidate(
      current: LiveEndpoint,
      request: PredictRequest,
      assigned: Assignment,
    ): Promise<{ readonly part?: PredictionPart; readonly seen?: ArmObservation }> {
      const rows = [...assigned.rows];
      if (rows.length === 0 || current.candidate === undefined) return {};
      const startMs = clock.monotonic();
      try {
        const part = await runPart(current.candidate, "candidate", rows, request);
        assertSameOutputs(current.stable, part);
        return { part, seen: answered(part, clock.monotonic() - startMs, assigned) };
      } catch (error) {
        // The caller must not pay for a trial: the stable version answers these rows too.
        counters.candidateFailed++;
        log.warn("a candidate failed; the stable version answered", {
          endpoint: current.endpoint.name,
          error: messageOf(error),
        });
        return { seen: { arm: "candidate", rows: rows.length, failure: codeOf(error) } };
      }
    },

    async runStable(
      current: LiveEndpoint,
      key: EndpointKey,
      rows: readonly number[],
      { request, assigned }: { readonly request: PredictRequest; readonly assigned: Assignment },
    ): Promise<{ readonly part: PredictionPart; readonly seen: ArmObservation }> {
      const startMs = clock.monotonic();
      try {
        const part = await runPart(current.stable, "stable", rows, request);
        return { part, seen: answered(part, clock.monotonic() - startMs, assigned) };
      } catch (error) {
        if (isUnderTrial(current) && !isOfCaller(error)) {
          await predictions
            .append([], { key, observations: [{ arm: "stable", rows: rows.length, failure: codeOf(error) }] })
            .catch((problem: unknown) => log.error("a failure could not be counted", { error: messageOf(problem) }));
        }
        throw error;
      }
    },

    runShadow(
      candidate: LoadedModel,
      request: PredictRequest,
      given: ModelOutput,
      write: (rows: PredictionPart | undefined, seen: ArmObservation) => Promise<void>,
    ): void {
      if (shadows >= SHADOW_QUEUE) {
        counters.shadowDropped++;
        return;
      }
      shadows++;
      const startMs = clock.monotonic();
      const rows = request.source.rowCount;
      void runPart(candidate, "shadow", allRows(request.source), request)
        .then((part) =>
          write(part, {
            ...answered(part, clock.monotonic() - startMs),
            comparison: compareOutputs(given, part.output),
          }),
        )
        .catch((error: unknown) => {
          counters.shadowDropped++;
          log.warn("a shadow prediction was dropped", { model: candidate.title, error: messageOf(error) });
          return write(undefined, { arm: "shadow", rows, failure: codeOf(error) });
        })
        .catch((error: unknown) => log.warn("a shadow's failure could not be counted", { error: messageOf(error) }))
        .finally(() => shadows--);
    },
  };
}

/** Callers rely on the outputs of the stable version, whose rows stand beside the candidate's. */
function assertSameOutputs(stable: LoadedModel, { output }: PredictionPart): void {
  const known = stable.outputs();
  if (output.kind === "tensors" && known !== undefined)
    assertSameForm([{ tensors: known }, { tensors: generalize(known, output.tensors) }]);
}

/** What no version could have answered: refused before any was asked. */
function isOfCaller(error: unknown): boolean {
  return error instanceof EsteiraError && error.status < 500 && error.code !== valuesRefused.code;
}

export function isUnderTrial({ endpoint, candidate }: LiveEndpoint): boolean {
  return endpoint.strategy.kind !== "direct" && candidate !== undefined;
}

function answered(
  { arm, rows, output, model }: PredictionPart,
  durationMs: number,
  assigned?: Assignment,
): ArmObservation {
  const seen = { arm, rows: rows.length, durationMs };
  // Callers who choose are not like the others: their answers are compared with nobody's.
  return assigned?.chosen === true ? seen : { ...seen, outputs: countOutputs(output, model.signature) };
}

function codeOf(error: unknown): string {
  return error instanceof EsteiraError ? error.code : "SERVING_REQUEST_FAILED";
}

export function allRows(source: RowSource): number[] {
  return Array.from({ length: source.rowCount }, (_, row) => row);
}
