import type { Action, ResourceKind } from "#api";
import { ACTIONS_OF_ATTEMPT, ACTIONS_OF_LIMIT, type Role, ROLES, ROLES_OF_ACTION } from "./roles.ts";

/** Grants for every project carry this name. */
export const EVERY_PROJECT = "*";

/** Who makes a request. Passed on as a value: nothing looks one up by name. */
export interface Identity {
  readonly name: string;
  /**
   * `user`: a person; `token`: a service account; `local`: the machine's user, without a token; `attempt`: a step that
   * runs.
   */
  readonly kind: "user" | "token" | "local" | "attempt";
  /** What it may do, by project (`*`: every project). */
  readonly roles: readonly { readonly project: string; readonly role: Role }[];
  /** A service account acts for this user: its approval counts as the owner's. */
  readonly owner?: string;
  /** Its token is limited to this action, whatever its roles. */
  readonly only?: Action;
  /** Set for `attempt`: what it writes is its own, see `AttemptScope` of `#tracking`. */
  readonly attempt?: AttemptIdentity;
}

/** The attempt of a step whose processes call with a token of their own. */
export interface AttemptIdentity {
  readonly attemptId: string;
  readonly pipelineRunId: string;
  readonly project: string;
  /** Who started the pipeline run. */
  readonly startedBy: string;
}

/** What something is done to. */
export interface Resource {
  /** Project whose roles count; `*` asks for a role in every project. */
  readonly project: string;
  readonly kind?: ResourceKind;
}

/** The highest role of an identity in a project; undefined when it has none there. */
export function roleIn(identity: Identity, project: string): Role | undefined {
  const ranks = identity.roles
    .filter((grant) => grant.project === project || grant.project === EVERY_PROJECT)
    .map((grant) => ROLES.indexOf(grant.role));
  return ranks.length === 0 ? undefined : ROLES[Math.max(...ranks)];
}

/** True when the identity may do `action` to the resource. Deny by default: no role in the project means no. */
export function isAllowed(identity: Identity, action: Action, { project }: Resource): boolean {
  const { attempt, only } = identity;
  if (attempt !== undefined) return attempt.project === project && ACTIONS_OF_ATTEMPT.includes(action);
  const role = roleIn(identity, project);
  if (role === undefined) return false;
  // A limited token needs no more than any role.
  if (only !== undefined) return ACTIONS_OF_LIMIT[only]?.includes(action) ?? false;
  return ROLES_OF_ACTION[action].includes(role);
}
