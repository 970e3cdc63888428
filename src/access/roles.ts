import type { Action } from "#api";

/** From least to most: each role may do what the one before it may. */
export const ROLES = ["viewer", "contributor", "reviewer", "admin"] as const;
export type Role = (typeof ROLES)[number];

const ALL: readonly Role[] = ROLES;
const CONTRIBUTORS: readonly Role[] = ["contributor", "reviewer", "admin"];
const REVIEWERS: readonly Role[] = ["reviewer", "admin"];
const ADMINISTRATORS: readonly Role[] = ["admin"];

/** The roles that have each action. A viewer has none that changes anything. */
export const ROLES_OF_ACTION: Readonly<Record<Action, readonly Role[]>> = {
  /** Whatever is stored, but for secrets. */
  read: ALL,
  /** What an endpoint says of itself. */
  describe: ALL,
  /** Ask a model; the prediction is kept. */
  predict: CONTRIBUTORS,
  /** Tell what really happened. */
  label: CONTRIBUTORS,
  /** Compute and judge the windows of a monitor. */
  evaluate: CONTRIBUTORS,
  /** Send events to a dataset. */
  push: CONTRIBUTORS,
  /** Make experiments, runs, logged models and artifacts, and add to them. */
  log: CONTRIBUTORS,
  /** Registered models and their versions. A protected alias asks for approval beside. */
  register: CONTRIBUTORS,
  /** Rename, tag, delete and restore what all share: experiments, registered models. */
  edit: CONTRIBUTORS,
  /** Start pipelines, and captures. */
  run: CONTRIBUTORS,
  cancel: CONTRIBUTORS,
  /** Say that a person has seen an alert, or a failed run. */
  acknowledge: CONTRIBUTORS,
  /** Decide about rows that a contract kept out. */
  quarantine: CONTRIBUTORS,
  /** An earlier content of a dataset. */
  restore: CONTRIBUTORS,
  approve: REVIEWERS,
  rollback: CONTRIBUTORS,
  deploy: CONTRIBUTORS,
  /** Give up a dataset. */
  drop: ADMINISTRATORS,
  /** Take tasks as a worker: it sees the secrets of steps, and what it sends back counts as made by them. */
  work: ADMINISTRATORS,
  /** Users, tokens, webhooks; what all projects share. */
  administer: ADMINISTRATORS,
};

/** What a token may be limited to, and the actions that it then has, if any role stands behind it. */
export const ACTIONS_OF_LIMIT: Readonly<Record<string, readonly Action[]>> = {
  predict: ["predict", "describe"],
  read: ["read", "describe"],
  push: ["push"],
  work: ["work"],
};

/** What the token of an attempt may do in its own project; to what, `AttemptScope` of `#tracking` decides. */
export const ACTIONS_OF_ATTEMPT: readonly Action[] = ["read", "describe", "log", "register"];
