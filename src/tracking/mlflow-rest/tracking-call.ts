import type { Route } from "#api";
import { assertJsonDepth, type Clock, messageOf } from "#base";
import type { MetadataStore, ReadTransaction } from "#metadata-store";
import { type Experiment, findExperiment, findRun, type RunInfo } from "#metadata-store/tracking";
import { appendPath } from "../artifact-uri.ts";
import { experimentMissing, experimentNotActive, parameterInvalid, runMissing, runNotActive } from "../errors.ts";
import type { MlflowMessage } from "./message.ts";
import type { MlflowCall, MlflowRequest, MlflowResponse } from "./call.ts";

/** What the tracking calls work with. */
export interface TrackingCallsOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  /** Where artifacts of new experiments go: `mlflow-artifacts:/`, or a URI that clients write to themselves. */
  readonly artifactRoot: string;
  /** Project that experiments made by clients belong to; default `default`. */
  readonly project?: string;
}

export interface TrackingContext extends TrackingCallsOptions {
  readonly project: string;
}

/** One call with its fields read. */
export interface TrackingCall {
  readonly fields: MlflowMessage;
  readonly atMs: number;
  /** Name of the caller. */
  readonly actor: string;
  readonly request: MlflowRequest;
}

/** Answers a route: the handler gets the call's fields and answers JSON. */
export function route(
  context: TrackingContext,
  described: Route,
  answer: (call: TrackingCall) => Promise<object>,
): MlflowCall {
  return {
    route: described,
    handler: async (request): Promise<MlflowResponse> => {
      const fields = await request.message();
      return { json: await answer({ fields, atMs: context.clock.now(), actor: request.identity.name, request }) };
    },
  };
}

/** @throws TRACKING_PARAMETER_INVALID when it is no integer */
export function parseExperimentId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (/^\d+$/.test(text)) throw experimentMissing({ experimentId: text });
  throw parameterInvalid({ message: `Invalid experiment ID '${text}'. Experiment ID must be a valid integer.` });
}

/** @throws TRACKING_EXPERIMENT_MISSING */
export async function existingExperiment(transaction: ReadTransaction, text: string): Promise<Experiment> {
  const experiment = await findExperiment(transaction, { experimentId: parseExperimentId(text) });
  if (experiment === undefined) throw experimentMissing({ experimentId: text });
  return experiment;
}

/** @throws TRACKING_EXPERIMENT_MISSING, TRACKING_EXPERIMENT_NOT_ACTIVE */
export async function activeExperiment(transaction: ReadTransaction, text: string): Promise<Experiment> {
  const experiment = await existingExperiment(transaction, text);
  if (experiment.lifecycleStage === "deleted") throw experimentNotActive({ experimentId: text });
  return experiment;
}

export function artifactLocationOf(
  experiment: Pick<Experiment, "experimentId" | "artifactLocation">,
  artifactRoot: string,
): string {
  return experiment.artifactLocation ?? appendPath(artifactRoot, String(experiment.experimentId));
}

/** `run_id`, or `run_uuid` of old clients. @throws TRACKING_PARAMETER_MISSING */
export function runIdOf(fields: MlflowMessage): string {
  const old = fields.has("run_id") ? undefined : fields.string("run_uuid");
  return old === undefined || old === "" ? fields.requiredString("run_id") : old;
}

/** @throws TRACKING_RUN_MISSING */
export async function existingRun(transaction: ReadTransaction, runId: string): Promise<RunInfo> {
  const run = await findRun(transaction, runId);
  if (run === undefined) throw runMissing({ runId });
  return run;
}

/** @throws TRACKING_RUN_MISSING, TRACKING_RUN_NOT_ACTIVE */
export async function activeRun(transaction: ReadTransaction, runId: string): Promise<RunInfo> {
  const run = await existingRun(transaction, runId);
  if (run.lifecycleStage === "deleted") throw runNotActive({ runId });
  return run;
}

/**
 * A page size: the default when absent. @throws TRACKING_PARAMETER_INVALID when it is not positive or above `largest`
 */
export function pageSize(fields: MlflowMessage, standard: number): number {
  const size = fields.integer("max_results") ?? standard;
  if (size > 0) return size;
  throw parameterInvalid({
    message: `Invalid value ${size} for parameter 'max_results' supplied. It must be a positive integer`,
  });
}

/** Runs a parser on a stored JSON text; undefined when it is no JSON. */
export function parseStoredJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    assertJsonDepth(text);
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
