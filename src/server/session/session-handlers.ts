import type { Capability } from "#api";
import type { Platform } from "#app";
import { type Action, isAllowed, roleIn } from "#access";
import type { ApiHandlers } from "../api/mount-api.ts";

/** What a role must allow for each capability of the API. */
export const actionOfCapability: Readonly<Record<Capability, Action>> = {
  "pipeline.run": "run",
  "pipeline.cancel": "run",
  approve: "approve",
  rollback: "deploy",
  "alert.acknowledge": "write",
  "quarantine.decide": "write",
  "dataset.restore": "write",
  "dataset.drop": "administer",
};

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
      capabilities: (Object.keys(actionOfCapability) as Capability[]).filter((capability) =>
        isAllowed(identity, actionOfCapability[capability], project),
      ),
      version,
    }),
  };
}
