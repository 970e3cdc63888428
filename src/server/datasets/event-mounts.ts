import { eventRoutes } from "#api";
import { type Platform, pushEvents } from "#app";
import type { Mounted } from "../routing/mount-routes.ts";

/** `POST /api/v1/datasets/NAME/events`: the body is kept as it was sent, whatever it is said to be. */
export function eventMounts(platform: Platform): readonly Mounted[] {
  return [
    {
      route: eventRoutes.pushEvents,
      answer: async ({ params, headers, body, caller }, reply) => {
        const key = headers["idempotency-key"];
        return reply.header("cache-control", "no-store").send(
          await pushEvents(platform, {
            dataset: params["name"] ?? "",
            body,
            idempotencyKey: typeof key === "string" ? key : key?.join(),
            identity: caller,
          }),
        );
      },
    },
  ];
}
