import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorize, type Identity } from "#access";
import type { Platform } from "#app";
import { createApiHandlers } from "./api/create-api-handlers.ts";
import { mountApi } from "./api/mount-api.ts";
import { servePredictions } from "./endpoints/serve-predictions.ts";
import { serveOnlineFeatures } from "./features/serve-online-features.ts";
import { serveHooks } from "./hooks/serve-hooks.ts";
import type { ServerPlugin } from "./server.ts";
import { actionOfCapability } from "./session/session-handlers.ts";

/** What needs the whole platform: the API, endpoints, online features, pushes and webhooks. */
export function projectPlugins(
  platform: Platform,
  identify: (request: FastifyRequest) => Promise<Identity>,
): readonly ServerPlugin[] {
  const guard = {
    identify,
    authorize: (identity: Identity, capability: keyof typeof actionOfCapability | undefined) =>
      authorize(identity, capability === undefined ? "read" : actionOfCapability[capability], platform.project),
  };
  return [
    (server: FastifyInstance) => mountApi(server, createApiHandlers(platform), guard),
    (server: FastifyInstance) => servePredictions(server, platform, identify),
    (server: FastifyInstance) => serveOnlineFeatures(server, platform, identify),
    (server: FastifyInstance) => serveHooks(server, platform),
  ];
}
