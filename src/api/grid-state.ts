/** What a cell of a grid can be; `missing`: it never ran. */
export type GridState =
  | "succeeded"
  | "cached"
  | "failed"
  | "running"
  | "waiting"
  | "queued"
  | "pending"
  | "skipped"
  | "cancelled"
  | "missing";

/** The letter of each state in the text of a row. */
export const GRID_LETTERS: Readonly<Record<GridState, string>> = {
  succeeded: "s",
  cached: "c",
  failed: "f",
  running: "r",
  waiting: "w",
  queued: "q",
  pending: "p",
  skipped: "k",
  cancelled: "x",
  missing: "-",
};

/** Characters of an id in the texts of a grid. */
export const GRID_ID_LENGTH = 26;
