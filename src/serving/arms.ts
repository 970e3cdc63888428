import { type Clock, type Log, messageOf } from "#base";
import type { ArmObservation } from "#delivery";
import type { EndpointKey } from "#metadata-store/serving";
import type { Assignment } from "./assignment.ts";
import type { PredictRequest } from "./endpoints.ts";
import { codeOf, isCallerGone, isOfCaller, loggableMessage } from "./failure.ts";
import type { LiveEndpoint } from "./live-endpoints.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { assertSameForm, describeForms, generalize, type TensorForm } from "./model-tensor.ts";
import type { PredictionLog } from "./prediction-log.ts";
import { haveOneForm, type PredictionPart, runPart } from "./prediction-part.ts";
import type { RowSource } from "./row-source.ts";
import type { ModelOutput } from "./model-runtime.ts";
import { compareOutputs, countOutputs } from "./compare-outputs.ts";

/** Runs the versions of an endpoint on the rows of requests, and says how each did. */
export interface Arms {
  readonly counters: { readonly shadowDropped: number; readonly candidateFailed: number };
  /**
   * What the candidate made of its rows, and the observation that it is judged by; neither when no row was its.
   *
   * @throws SERVING_CALLER_GONE alone: whatever else is wrong, the stable version answers
   */
  readonly tryCandidate: (
    current: LiveEndpoint,
    request: PredictRequest,
    assigned: Assignment,
  ) => Promise<{ readonly part?: PredictionPart; readonly seen?: ArmObservation }>;
  /**
   * The stable version's rows beside those of the candidate, or all where they cannot stand beside each other. While a
   * trial goes on its failures are counted too, unless they are the caller's.
   */
  readonly answerRest: (
    current: LiveEndpoint,
    key: EndpointKey,
    of: Asked & { readonly trial?: PredictionPart | undefined },
  ) => Promise<{ readonly parts: readonly PredictionPart[]; readonly stable?: ArmObservation }>;
  /** Tells that the stable version answers in place of a candidate. */
  readonly noteCandidateFailure: (current: LiveEndpoint, error: unknown) => void;
  /** Counts a failure of the stable version where a trial goes on, unless it is the caller's. Never rejects. */
  readonly noteStableFailure: (
    current: LiveEndpoint,
    key: EndpointKey,
    failure: { readonly error: unknown; readonly rows: number },
  ) => Promise<void>;
  /** After the answer is chosen: never delays, never fails the caller; what falls behind is dropped and counted. */
  readonly runShadow: (
    current: LiveEndpoint,
    candidate: LoadedModel,
    of: { readonly request: PredictRequest; readonly given: ModelOutput },
    write: (part: PredictionPart | undefined, seen: ArmObservation) => Promise<void>,
  ) => void;
}

interface Asked {
  readonly request: PredictRequest;
  readonly assigned: Assignment;
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

  function noteCandidateFailure({ endpoint }: LiveEndpoint, error: unknown): void {
    counters.candidateFailed++;
    log.warn("a candidate failed; the stable version answered", {
      endpoint: endpoint.name,
      error: loggableMessage(endpoint, error),
    });
  }

  async function noteStableFailure(
    current: LiveEndpoint,
    key: EndpointKey,
    { error, rows }: { readonly error: unknown; readonly rows: number },
  ): Promise<void> {
    if (!isUnderTrial(current) || isOfCaller(error)) return;
    await predictions
      .append([], { key, observations: [{ arm: "stable", rows, failure: codeOf(error) }] })
      .catch((problem: unknown) => log.error("a failure could not be counted", { error: messageOf(problem) }));
  }

  async function runStable(
    current: LiveEndpoint,
    key: EndpointKey,
    rows: readonly number[],
    { request, assigned }: Asked,
  ): Promise<{ readonly part: PredictionPart; readonly seen: ArmObservation }> {
    const startMs = clock.monotonic();
    try {
      const part = await runPart(current.stable, "stable", rows, request);
      return { part, seen: answered(part, clock.monotonic() - startMs, assigned) };
    } catch (error) {
      await noteStableFailure(current, key, { error, rows: rows.length });
      throw error;
    }
  }

  return {
    counters,
    noteCandidateFailure,
    noteStableFailure,
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
        const durationMs = clock.monotonic() - startMs;
        await assertSameOutputs(current.stable, part, request);
        return { part, seen: answered(part, durationMs, assigned) };
      } catch (error) {
        if (isCallerGone(error)) throw error;
        // The caller must not pay for a trial: the stable version answers these rows too.
        noteCandidateFailure(current, error);
        return { seen: { arm: "candidate", rows: rows.length, failure: codeOf(error) } };
      }
    },

    async answerRest(current, key, { trial, ...asked }) {
      const all = allRows(asked.request.source);
      const taken = new Set(trial?.rows);
      const rest = all.filter((row) => !taken.has(row));
      if (trial !== undefined && rest.length === 0) return { parts: [trial] };
      const { part, seen } = await runStable(current, key, rest, asked);
      const parts = trial === undefined ? [part] : [part, trial];
      if (haveOneForm(parts)) return { parts, stable: seen };
      const whole = await runStable(current, key, all, asked);
      return { parts: [whole.part], stable: whole.seen };
    },

    runShadow(
      current: LiveEndpoint,
      candidate: LoadedModel,
      { request, given }: { readonly request: PredictRequest; readonly given: ModelOutput },
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
          log.warn("a shadow prediction was dropped", {
            model: candidate.title,
            error: loggableMessage(current.endpoint, error),
          });
          return write(undefined, { arm: "shadow", rows, failure: codeOf(error) });
        })
        .catch((error: unknown) => log.warn("a shadow's failure could not be counted", { error: messageOf(error) }))
        .finally(() => shadows--);
    },
  };
}

/**
 * Callers rely on the outputs of the stable version, whose rows stand beside the candidate's. A size that it has not
 * shown may still be its own, where sizes depend on the rows: then its answer to the same rows says.
 *
 * @throws SERVING_OUTPUTS_DIFFER, and what the stable version throws for these rows
 */
async function assertSameOutputs(stable: LoadedModel, part: PredictionPart, request: PredictRequest): Promise<void> {
  const known = stable.outputs();
  const { output } = part;
  if (output.kind !== "tensors" || known === undefined) return;
  const shown = generalize(known, output.tensors);
  if (describeForms(shown) === describeForms(known)) return;
  assertSameForm([{ tensors: withoutSizes(known) }, { tensors: withoutSizes(output.tensors) }]);
  const own = await runPart(stable, "candidate", part.rows, request);
  if (own.output.kind === "tensors") assertSameForm([own.output, output]);
}

function withoutSizes(forms: readonly TensorForm[]): readonly TensorForm[] {
  return forms.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(() => -1) }));
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

function allRows(source: RowSource): number[] {
  return Array.from({ length: source.rowCount }, (_, row) => row);
}
