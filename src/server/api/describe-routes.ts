import { ROLES_OF_ACTION } from "#access";
import { describeRoutes, descriptionRoutes, listRoutes } from "#api";
import type { Mounted } from "../routing/mount-routes.ts";

/** `GET /api/v1/openapi.json`: every route of every surface, with what its caller must be allowed to do. */
export function descriptionMounts(): readonly Mounted[] {
  let document: Promise<object> | undefined;
  return [
    {
      route: descriptionRoutes.getOpenApi,
      answer: async () => (document ??= describeRoutes(listRoutes(), (action) => ROLES_OF_ACTION[action])),
    },
  ];
}
