import { isAllowed, roleIn } from "#access";
import { ACTIONS } from "#api";
import type { Platform } from "#app";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Who is calling, and what they may do. */
export function createSessionHandlers({ config, project, version }: Platform): Pick<ApiHandlers, "getSession"> {
  return {
    getSession: async ({ identity }) => ({
      identity: {
        name: identity.name,
        kind: identity.kind,
        roles: [roleIn(identity, project)].flatMap((role) => role ?? []),
      },
      project,
      projectDescription: config.description,
      language: config.language,
      capabilities: ACTIONS.filter((action) => isAllowed(identity, action, { project })),
      version,
    }),
  };
}
