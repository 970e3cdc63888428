import { defineError, type ErrorFactory } from "#base";

export const definitionsInvalid: ErrorFactory<{ problems: readonly string[] }> = defineError(
  "FEATURES_DEFINITIONS_INVALID",
  {
    status: 400,
    message: ({ problems }) =>
      `The feature definitions hold ${problems.length} mistake${problems.length === 1 ? "" : "s"}: ${problems.join("; ")}`,
    hint: () => "Correct the files below features/; `esteira plan` shows each mistake with its place.",
    solve: "Correct the named lines below `features/`.",
  },
);

export const columnMissing: ErrorFactory<{
  dataset: string;
  column: string;
  part: string;
  nearest: string | undefined;
  columns: readonly string[];
}> = defineError("FEATURES_COLUMN_MISSING", {
  status: 422,
  message: ({ dataset, column, part }) => `Dataset "${dataset}" has no column "${column}", which is its ${part}`,
  hint: ({ nearest, columns }) =>
    nearest === undefined ? `Its columns: ${columns.join(", ")}.` : `Did you mean "${nearest}"?`,
  solve: "Name a column that the dataset has; its columns are in the message.",
});

export const typeMismatch: ErrorFactory<{
  left: string;
  leftType: string;
  right: string;
  rightType: string;
  what: string;
}> = defineError("FEATURES_TYPE_MISMATCH", {
  status: 422,
  message: ({ left, leftType, right, rightType, what }) => `${left} is ${leftType}, ${right} is ${rightType}: ${what}`,
  hint: () => "Cast one of them in the SQL that makes it.",
  solve: "Cast the column in the SQL that makes the dataset, so that both sides have one type.",
});

export const nameCollision: ErrorFactory<{ name: string; first: string; second: string }> = defineError(
  "FEATURES_NAME_COLLISION",
  {
    status: 422,
    message: ({ name, first, second }) => `Two columns of the result would be called "${name}": ${first} and ${second}`,
    hint: () =>
      "Set full_names: true (columns are then called view__feature), or give one view another name with `as`.",
    solve: "Set `full_names: true`, or use `as` for a view that is joined twice.",
  },
);

export const splitEmpty: ErrorFactory<{ spine: string; rows: number; train: number; test: number; cutoff: string }> =
  defineError("FEATURES_SPLIT_EMPTY", {
    status: 422,
    message: ({ spine, rows, train, test, cutoff }) =>
      `Splitting "${spine}" (${rows} rows) at ${cutoff} gives ${train} rows for training and ${test} for the test; both need some`,
    hint: () => "Change split.test or split.from, or capture a longer time.",
    solve: "Choose a `split` that leaves rows on both sides; with one instant in all rows no split by time exists.",
  });

export const rowsChanged: ErrorFactory<{ spine: string; expected: number; found: number; view: string }> = defineError(
  "FEATURES_ROWS_CHANGED",
  {
    status: 500,
    message: ({ spine, expected, found, view }) =>
      `Joining "${view}" to "${spine}" gave ${found} rows instead of ${expected}; nothing was written`,
    hint: () => "This is a defect of esteira: please report it with the definitions of the view.",
    solve: "A defect of esteira: report it. Nothing was written.",
  },
);

export const notFound: ErrorFactory<{
  kind: "feature view" | "feature service" | "feature" | "entity";
  name: string;
  nearest: string | undefined;
  known: readonly string[];
}> = defineError("FEATURES_NAME_UNKNOWN", {
  status: 404,
  message: ({ kind, name }) => `There is no ${kind} "${name}"`,
  hint: ({ nearest, known }) =>
    nearest === undefined ? `There are: ${known.join(", ") || "none"}.` : `Did you mean "${nearest}"?`,
  solve: "Use a name that the files below `features/` define.",
});

export const requestInvalid: ErrorFactory<{ found: string }> = defineError("FEATURES_REQUEST_INVALID", {
  status: 400,
  message: ({ found }) => `The request for features cannot be read: ${found}`,
  hint: () => 'Expected {"features": ["view:feature"], "entities": {"key": [values]}}, all lists of one length.',
  solve:
    "Send the JSON of Feast's feature server: `features` or `feature_service`, and `entities` as lists of one length.",
});

export const cellUnknown: ErrorFactory<{ version: string; found: string }> = defineError("FEATURES_CELL_UNKNOWN", {
  status: 404,
  message: ({ version, found }) => `Nothing to explain in ${version}: ${found}`,
  hint: () => "Name a row that exists and a column that came from a feature view.",
  solve: "Explain a cell of a version that a `join` step made, in a column that a feature view gave.",
});
