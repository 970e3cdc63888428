import { authorize, type Identity } from "#access";
import type { ArtifactGuard } from "#tracking";
import type { RegistryGuard } from "#models";

/** Permissions of MLflow's calls by the caller's roles; the caller was identified when the request came in. */
export interface MlflowGuards {
  readonly artifacts: ArtifactGuard;
  readonly registry: RegistryGuard;
  /** Remembers who a name stands for while its request is answered. */
  remember(identity: Identity): void;
}

const REMEMBERED = 1000;

/** @param project project whose roles count */
export function createMlflowGuards(project: string): MlflowGuards {
  const identities = new Map<string, Identity>();
  const check = (actor: string, action: "read" | "write"): void => {
    const identity = identities.get(actor) ?? { name: actor, kind: "user", roles: [] };
    authorize(identity, action, project);
  };
  return {
    artifacts: {
      assertMayRead: async (actor) => check(actor, "read"),
      assertMayWrite: async (actor) => check(actor, "write"),
    },
    registry: {
      assertMayRead: async (actor) => check(actor, "read"),
      assertMayWrite: async (actor) => check(actor, "write"),
    },
    remember(identity) {
      identities.delete(identity.name);
      identities.set(identity.name, identity);
      if (identities.size > REMEMBERED) identities.delete(identities.keys().next().value ?? "");
    },
  };
}

