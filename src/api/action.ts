/**
 * What a caller wants to do, as a closed list. Which roles may is for `#access` to say; each route of each surface
 * names one of these.
 */
export const ACTIONS = [
  "read",
  "describe",
  "predict",
  "label",
  "evaluate",
  "log",
  "push",
  "work",
  "register",
  "edit",
  "run",
  "cancel",
  "acknowledge",
  "quarantine",
  "restore",
  "approve",
  "rollback",
  "deploy",
  "drop",
  "administer",
] as const;
export type Action = (typeof ACTIONS)[number];
