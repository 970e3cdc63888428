import type { Identity } from "#access";
import type { PushAnswer } from "#data";
import type { Platform } from "./platform.ts";

/** What a request brings for a dataset. */
export interface EventsRequest {
  readonly dataset: string;
  readonly body: Buffer;
  readonly idempotencyKey: string | undefined;
  readonly identity: Identity;
}

/**
 * Keeps events for a dataset whose step captures what is pushed: they are durable when this resolves, and rows of a
 * version, or of the quarantine, after the next run of that step.
 *
 * @throws ACCESS_DENIED, DATA_PUSH_NOT_DECLARED, and what {@link EventBuffer} throws
 */
export async function pushEvents(platform: Platform, request: EventsRequest): Promise<PushAnswer> {
  const [{ authorize }, { pushNotDeclared, pushSettingsOf }] = await Promise.all([import("#access"), import("#data")]);
  const { dataset, body, idempotencyKey, identity } = request;
  authorize(identity, "push", { kind: "dataset", project: platform.project });
  await platform.registered();
  const settings = pushSettingsOf(platform.definitionOf(dataset)?.declaration ?? {});
  if (settings === undefined)
    throw pushNotDeclared({ dataset, known: platform.pushedDatasets().map(({ dataset: name }) => name) });
  return platform.events.accept({ dataset, settings, body, idempotencyKey, actor: identity.name });
}
