/** From least to most: each role may do what the one before it may. */
export const ROLES = ["viewer", "contributor", "reviewer", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** What somebody wants to do in a project. */
export const ACTIONS = ["read", "predict", "write", "run", "approve", "deploy", "administer"] as const;
export type Action = (typeof ACTIONS)[number];

/** Grants for every project carry this name. */
export const EVERY_PROJECT = "*";

/** Who makes a request. */
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
  /** Its token allows this action alone, whatever its roles. */
  readonly only?: Action;
  /** Set for `attempt`: reads as a viewer does, and writes what is its own, see `AttemptScope` of `#tracking`. */
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

const NEEDED_ROLE: Readonly<Record<Action, Role>> = {
  read: "viewer",
  predict: "contributor",
  write: "contributor",
  run: "contributor",
  approve: "reviewer",
  deploy: "contributor",
  administer: "admin",
};

/** The least role that may do `action`. */
export function roleFor(action: Action): Role {
  return NEEDED_ROLE[action];
}

/** The highest role of an identity in a project; undefined when it has none there. */
export function roleIn(identity: Identity, project: string): Role | undefined {
  const ranks = identity.roles
    .filter((grant) => grant.project === project || grant.project === EVERY_PROJECT)
    .map((grant) => ROLES.indexOf(grant.role));
  return ranks.length === 0 ? undefined : ROLES[Math.max(...ranks)];
}

/**
 * True when the identity may do `action` in the project. Deny by default. A token for one action needs no more than any
 * role.
 */
export function isAllowed(identity: Identity, action: Action, project: string): boolean {
  const role = roleIn(identity, project);
  if (identity.only !== undefined) return role !== undefined && identity.only === action;
  return role !== undefined && ROLES.indexOf(role) >= ROLES.indexOf(roleFor(action));
}
