import type { Action } from "#api";
import { attemptLimited, denied, tokenLimited } from "./errors.ts";
import { type Identity, isAllowed, type Resource, roleIn } from "./identity.ts";
import { ACTIONS_OF_ATTEMPT, ROLES_OF_ACTION } from "./roles.ts";

/**
 * Refuses what an identity may not do to a resource. Deny by default: no role in its project means no.
 *
 * @throws ACCESS_DENIED, ACCESS_TOKEN_LIMITED, ACCESS_ATTEMPT_LIMITED
 */
export function authorize(identity: Identity, action: Action, resource: Resource): void {
  if (isAllowed(identity, action, resource)) return;
  const { name, only, attempt } = identity;
  const { project } = resource;
  if (attempt !== undefined)
    throw attemptLimited({ attemptId: attempt.attemptId, action, project, allowed: ACTIONS_OF_ATTEMPT });
  const role = roleIn(identity, project);
  if (only !== undefined && role !== undefined) throw tokenLimited({ name, action, only });
  throw denied({ name, action, project, role, needed: ROLES_OF_ACTION[action][0] ?? "admin" });
}
