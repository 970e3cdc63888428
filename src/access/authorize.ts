import { denied, tokenLimited } from "./errors.ts";
import { type Action, type Identity, isAllowed, roleFor, roleIn } from "./identity.ts";

/**
 * Refuses what an identity's roles do not allow. Deny by default: no role in the project means no.
 *
 * @throws ACCESS_DENIED, ACCESS_TOKEN_LIMITED
 */
export function authorize(identity: Identity, action: Action, project: string): void {
  if (isAllowed(identity, action, project)) return;
  if (identity.only !== undefined && roleIn(identity, project) !== undefined)
    throw tokenLimited({ name: identity.name, action, only: identity.only });
  throw denied({ name: identity.name, action, project, role: roleIn(identity, project), needed: roleFor(action) });
}
