import { featureRoutes } from "#api";
import { type Platform, pushFeatures } from "#app";
import type { FeatureServerResponse, MaterializeRoute, PushRoute } from "#features";
import type { FastifyReply } from "fastify";
import type { Mounted } from "../routing/mount-routes.ts";

/** The routes of Feast's feature server: online features, and rows that are pushed, and materialization. */
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
  const materializeRoutes = {
    materialize: featureRoutes.materialize,
    "materialize-incremental": featureRoutes.materializeIncremental,
  };
  const mountMaterialize = (route: MaterializeRoute): Mounted => ({
    route: materializeRoutes[route],
    answer: async ({ body, query }, reply) => {
      const isSaid = (name: string): boolean => /^(true|1)$/i.test(query.get(name) ?? "");
      const request = { body: body.toString("utf8"), isAsync: isSaid("async"), isForced: isSaid("force") };
      return send(reply, await platform.features.handleMaterialize(route, request));
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
    mountMaterialize("materialize"),
    mountMaterialize("materialize-incremental"),
  ];
}

function send(reply: FastifyReply, { status, contentType, body }: FeatureServerResponse): FastifyReply {
  return reply.code(status).type(contentType).send(body);
}
