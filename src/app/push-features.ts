import { authorize, type Identity } from "#access";
import type { FeatureServerResponse, PushRoute } from "#features";
import type { Platform } from "./platform.ts";

/** A request of Feast's feature server that writes. */
export interface FeaturesRequest {
  readonly route: PushRoute;
  readonly body: Buffer;
  readonly idempotencyKey: string | undefined;
  readonly identity: Identity;
}

/**
 * Keeps rows for feature views, and for the datasets that these read where the request says `offline`: both are durable
 * when this resolves, or neither is. What is wrong is in the answer, as Feast's clients read it.
 */
export async function pushFeatures(platform: Platform, request: FeaturesRequest): Promise<FeatureServerResponse> {
  const { project, config } = platform;
  const { route, body, idempotencyKey, identity } = request;
  authorize(identity, "push", { kind: "feature-view", project });
  await platform.registered();
  const { pushSettingsOf, treatedColumnsOf } = await import("#data");
  const declarationOf = (dataset: string): Readonly<Record<string, unknown>> =>
    platform.definitionOf(dataset)?.declaration ?? {};
  return platform.features.handlePush(route, body.toString("utf8"), {
    takesRows: (dataset) => pushSettingsOf(declarationOf(dataset)) !== undefined,
    async keepOffline(rows, alsoWrite) {
      authorize(identity, "push", { kind: "dataset", project });
      const requests = [...rows].flatMap(([dataset, lines]) => {
        const settings = pushSettingsOf(declarationOf(dataset));
        const events = { dataset, body: Buffer.from(lines), idempotencyKey, actor: identity.name };
        return settings === undefined ? [] : [{ ...events, settings }];
      });
      await platform.events.acceptAll(requests, alsoWrite);
    },
    treatedColumns: (dataset) =>
      treatedColumnsOf(declarationOf(dataset), { step: dataset, projectFolder: config.folder }),
  });
}
