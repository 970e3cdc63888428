import { featureRoutes } from "#api";
import type { Platform } from "#app";
import type { Mounted } from "../routing/mount-routes.ts";

/** `POST /get-online-features`, as Feast's feature server answers it. */
export function onlineFeatureMounts({ features }: Platform): readonly Mounted[] {
  return [
    {
      route: featureRoutes.getOnlineFeatures,
      answer: async ({ body }, reply) => {
        const answer = await features.handleGetOnlineFeatures(body.toString("utf8"));
        return reply.code(answer.status).type(answer.contentType).send(answer.body);
      },
    },
  ];
}
