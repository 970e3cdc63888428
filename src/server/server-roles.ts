import { listRoutes, SERVER_ROLES, type ServerRole, type Surface } from "#api";
import { roleElsewhere, rolesInvalid } from "./errors.ts";
import type { Mounted } from "./routing/mount-routes.ts";

/** Who answers a surface. Probes and metrics are everywhere; labels come in where answers went out. */
const ROLES_OF_SURFACE: Readonly<Record<Surface, readonly ServerRole[]>> = {
  api: ["api"],
  mlflow: ["api"],
  hooks: ["api"],
  workers: ["api"],
  monitoring: ["api", "serving"],
  serving: ["serving"],
  features: ["serving"],
  operations: SERVER_ROLES,
};

/**
 * Reads roles as they are written: `page,api`.
 *
 * @param text undefined: every role
 * @returns each once, in the order of `SERVER_ROLES`
 * @throws SERVER_ROLES_INVALID
 */
export function readServerRoles(text: string | undefined): readonly ServerRole[] {
  if (text === undefined) return SERVER_ROLES;
  const named = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const unknown = named.filter((name) => !SERVER_ROLES.some((role) => role === name));
  if (named.length === 0 || unknown.length > 0) throw rolesInvalid({ found: text, unknown, known: SERVER_ROLES });
  return SERVER_ROLES.filter((role) => named.includes(role));
}

/** Whether a process with these roles answers the routes of a surface. */
export function answersSurface(roles: readonly ServerRole[], surface: Surface): boolean {
  return ROLES_OF_SURFACE[surface].some((role) => roles.includes(role));
}

/** The routes of surfaces that other processes answer: each says so, before the body is read. */
export function mountsElsewhere(surfaces: readonly Surface[], roles: readonly ServerRole[]): readonly Mounted[] {
  return listRoutes()
    .filter(({ route }) => surfaces.includes(route.surface) && !answersSurface(roles, route.surface))
    .map(({ route }) => {
      const refuse = (): Promise<never> => Promise.reject(refuseSurface(route.surface, roles));
      return { route, admit: refuse, answer: refuse };
    });
}

/** What is said of a surface that other processes answer. */
export function refuseSurface(surface: Surface, roles: readonly ServerRole[]): Error {
  return roleElsewhere({ surface, wanted: ROLES_OF_SURFACE[surface], roles });
}
