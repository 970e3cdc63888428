import type { Clock, Log } from "#base";
import type { MetadataStore } from "#metadata-store";
import type {
  ArtifactFolder,
  MlflowHandler,
  MlflowLine,
  MlflowMessage,
  MlflowPermission,
  MlflowRequest,
  MlflowResponse,
  MlflowRoute,
} from "#tracking";
import { parseLine } from "#tracking";
import type { PromotionCheck } from "../ports.ts";
import type { WebhookSender } from "../webhook-sender.ts";

/** What the registry's calls work with. */
export interface RegistryRoutesOptions {
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
export interface RegistryContext extends RegistryRoutesOptions {
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

/** A route whose handler gets the call's fields and answers JSON. */
export function route(
  context: RegistryContext,
  line: MlflowLine,
  permission: MlflowPermission,
  answer: (call: RegistryCall) => Promise<object>,
): MlflowRoute {
  return rawRoute(context, line, permission, async (call) => ({ json: await answer(call) }));
}

/** A route that answers anything. */
export function rawRoute(
  context: RegistryContext,
  line: MlflowLine,
  permission: MlflowPermission,
  answer: (call: RegistryCall) => Promise<MlflowResponse>,
): MlflowRoute {
  const handler: MlflowHandler = async (request) =>
    answer({ request, fields: await request.message(), atMs: context.clock.now(), actor: request.identity.name });
  return { ...parseLine(line), permission, handler };
}
