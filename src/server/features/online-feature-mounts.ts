import { featureRoutes } from "#api";
import { type Platform, pushFeatures } from "#app";
import type { FeatureServerResponse, PushRoute } from "#features";
import type { FastifyReply } from "fastify";
import type { Mounted } from "../routing/mount-routes.ts";

/** The routes of Feast's feature server: online features, and rows that are pushed. */
export function onlineFeatureMounts(platform: Platform): readonly Mounted[] {
  const pushRoutes = { push: featureRoutes.pushFeatures, "write-to-online-store": featureRoutes.writeToOnlineStore };
  const mountPush = (route: PushRoute): Mounted => ({
    route: pushRoutes[route],
    answer: async ({ headers, body, caller }, reply) => {
      const key = headers["idempotency-key"];
      const idempotencyKey = typeof key === "string" ? key : key?.join();
      return send(reply, await pushFeatures(platform, { route, body, idempotencyKey, identity: caller }));
    },
  });
  return [
    {
      route: featureRoutes.getOnlineFeatures,
      answer: async ({ body }, reply) =>
        send(reply, await platform.features.handleGetOnlineFeatures(body.toString("utf8"))),
    },
    mountPush("push"),
    mountPush("write-to-online-store"),
  ];
}

function send(reply: FastifyReply, { status, contentType, body }: FeatureServerResponse): FastifyReply {
  return reply.code(status).type(contentType).send(body);
}
