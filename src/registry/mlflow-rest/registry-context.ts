import type { Route } from "#api";
import type { Clock, Log } from "#base";
import type { MetadataStore } from "#metadata-store";
import type {
  ArtifactFolder,
  MlflowHandler,
  MlflowMessage,
  MlflowRequest,
  MlflowResponse,
  MlflowCall,
} from "#tracking";
import type { PromotionCheck } from "../ports.ts";
import type { WebhookSender } from "../webhook-sender.ts";

/** What the registry's calls work with. */
export interface RegistryCallsOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Project that new registered models belong to; default `default`. */
  readonly project?: string;
  /** Root of default artifact locations; default `mlflow-artifacts:/`. The same as for the tracking routes. */
  readonly artifactRoot?: string;
  /** Where the artifacts are; for `model-versions/get-artifact` and a logged model's files. */
  readonly artifacts: ArtifactFolder;
  /** Decides about protected aliases. Without one, nobody moves a protected alias of a model that a pipeline made. */
  readonly promotion?: PromotionCheck;
  /** Default: `champion`. */
  readonly protectedAliases?: readonly string[];
  /** Sends test deliveries, and is told when new ones wait. */
  readonly webhooks: WebhookSender;
}

/** Options with defaults filled in. */
export interface RegistryContext extends RegistryCallsOptions {
  readonly project: string;
  readonly artifactRoot: string;
  readonly protectedAliases: readonly string[];
}

/** One call with its fields read. */
export interface RegistryCall {
  readonly request: MlflowRequest;
  readonly fields: MlflowMessage;
  readonly atMs: number;
  /** Name of the caller. */
  readonly actor: string;
}

/** Answers a route: the handler gets the call's fields and answers JSON. */
export function route(
  context: RegistryContext,
  described: Route,
  answer: (call: RegistryCall) => Promise<object>,
): MlflowCall {
  return rawRoute(context, described, async (call) => ({ json: await answer(call) }));
}

/** Answers a route with anything. */
export function rawRoute(
  context: RegistryContext,
  described: Route,
  answer: (call: RegistryCall) => Promise<MlflowResponse>,
): MlflowCall {
  const handler: MlflowHandler = async (request) =>
    answer({ request, fields: await request.message(), atMs: context.clock.now(), actor: request.identity.name });
  return { route: described, handler };
}
