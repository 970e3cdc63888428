import type { Clock, Log } from "#base";
import type { MetadataStore } from "#metadata-store";
import type { ArtifactFolder, ArtifactGuard, MlflowHandler, MlflowMessage, MlflowMethod, MlflowRequest, MlflowResponse, MlflowRoute } from "#tracking";
import type { PromotionCheck, RegistryGuard } from "../ports.ts";
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
  /** Decides who may read and write; default: everybody. */
  readonly guard?: RegistryGuard;
  /** Decides, by experiment, who may read the artifacts that versions point at, and read and change logged models; the same as for the artifact routes. Default: everybody. */
  readonly artifactGuard?: ArtifactGuard;
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
export function route(context: RegistryContext, method: MlflowMethod, path: string, answer: (call: RegistryCall) => Promise<object>): MlflowRoute {
  return rawRoute(context, method, path, async (call) => ({ json: await answer(call) }));
}

/** A route that answers anything. */
export function rawRoute(context: RegistryContext, method: MlflowMethod, path: string, answer: (call: RegistryCall) => Promise<MlflowResponse>): MlflowRoute {
  const handler: MlflowHandler = async (request) =>
    answer({ request, fields: await request.message(), atMs: context.clock.now(), actor: request.identity.name });
  return { method, path, handler };
}

/** Path below the artifact root of what lies at `path` below a location, if the caller may read it. */
export async function readablePath({ artifacts, artifactGuard }: RegistryContext, actor: string, location: string, path = ""): Promise<string> {
  const below = artifacts.pathBelow(location, path);
  await artifactGuard?.assertMayRead(actor, below.split("/")[0]);
  return below;
}
