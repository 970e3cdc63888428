import { denied } from "./errors.ts";
import { type Action, type Identity, isAllowed, roleFor, roleIn } from "./identity.ts";

/**
 * Refuses what an identity's roles do not allow. Deny by default: no role in the project means no.
 *
 * @throws ACCESS_DENIED
 */
export function authorize(identity: Identity, action: Action, project: string): void {
  if (isAllowed(identity, action, project)) return;
  throw denied({ name: identity.name, action, project, role: roleIn(identity, project), needed: roleFor(action) });
}
