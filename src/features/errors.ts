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

const READ_REQUEST = '{"features": ["view:feature"], "entities": {"key": [values]}}';

export const requestInvalid: ErrorFactory<{ found: string; expected?: string }> = defineError(
  "FEATURES_REQUEST_INVALID",
  {
    status: 400,
    message: ({ found }) => `The request for features cannot be read: ${found}`,
    hint: ({ expected = READ_REQUEST }) => `Expected ${expected}, all lists of one length.`,
    solve:
      "Send the JSON of Feast's feature server: `features` or `feature_service`, and `entities` as lists of one length.",
  },
);

export const cellUnknown: ErrorFactory<{ version: string; found: string }> = defineError("FEATURES_CELL_UNKNOWN", {
  status: 404,
  message: ({ version, found }) => `Nothing to explain in ${version}: ${found}`,
  hint: () => "Name a row that exists and a column that came from a feature view.",
  solve: "Explain a cell of a version that a `join` step made, in a column that a feature view gave.",
});

export const pushSourceUnknown: ErrorFactory<{
  name: string;
  nearest: string | undefined;
  known: readonly string[];
}> = defineError("FEATURES_PUSH_SOURCE_UNKNOWN", {
  status: 404,
  message: ({ name }) => `There is no push source "${name}"`,
  hint: ({ nearest, known }) =>
    nearest !== undefined
      ? `Did you mean "${nearest}"?`
      : `Declare it in a feature view: push: NAME. There are: ${known.join(", ") || "none"}.`,
  solve: "Name a push source that a feature view declares with `push: NAME`.",
});

export const pushNotDeclared: ErrorFactory<{ view: string }> = defineError("FEATURES_PUSH_NOT_DECLARED", {
  status: 422,
  message: ({ view }) => `The feature view "${view}" takes no pushes`,
  hint: ({ view }) => `Declare a push source in its file: views: { ${view}: { push: NAME } }`,
  solve: "Declare `push: NAME` in the feature view, or write to a view that has it.",
});

export const pushInvalid: ErrorFactory<{ place: string; found: string; expected: string }> = defineError(
  "FEATURES_PUSH_INVALID",
  {
    status: 422,
    message: ({ place, found, expected }) => `${place}: ${found}; expected ${expected}. None of the rows was kept`,
    hint: () => "A push is kept whole or not at all: correct the value and send all rows again.",
    solve:
      "Send `df` as lists of one length by column, with every join key, the event time and every feature of the view, in the types of its dataset.",
  },
);

export const pushSchemaUnknown: ErrorFactory<{ view: string; dataset: string }> = defineError(
  "FEATURES_PUSH_SCHEMA_UNKNOWN",
  {
    status: 422,
    message: ({ view, dataset }) =>
      `Nothing can be pushed online to "${view}" yet: its dataset ${dataset} has no version, by which types are checked`,
    hint: ({ dataset }) =>
      `Run the pipeline that makes ${dataset}. A contract gives an empty dataset its columns; to: offline is taken before.`,
    solve:
      "Make the first version of the view's dataset; a capture with a contract makes one without rows. Pushes `to: offline` are taken before.",
  },
);

export const pushNotOffline: ErrorFactory<{ view: string; dataset: string }> = defineError(
  "FEATURES_PUSH_NOT_OFFLINE",
  {
    status: 422,
    message: ({ view, dataset }) =>
      `Pushes to "${view}" cannot be kept offline: no step takes rows for its dataset ${dataset}`,
    hint: ({ dataset }) =>
      `Declare it in a pipeline: steps: { ${dataset}: { capture: { push: {} } } }, or push to: online.`,
    solve: "Let the step of the view's dataset capture what is pushed (`capture: { push: {} }`), or push `to: online`.",
  },
);

export const pushTreated: ErrorFactory<{ view: string; dataset: string; columns: readonly string[] }> = defineError(
  "FEATURES_PUSH_TREATED",
  {
    status: 422,
    message: ({ view, dataset, columns }) =>
      `Nothing can be pushed online to "${view}": the contract of ${dataset} has ${columns.join(", ")} treated (masked, hashed or converted), which a capture does and a push would go around`,
    hint: () => "Push to: offline; the capture treats the rows, and they are online with the version that has them.",
    solve:
      "Push `to: offline`, so that the capture treats the values, or take features from a dataset without treatments.",
  },
);

export const pushFull: ErrorFactory<{ view: string; held: number; most: number }> = defineError("FEATURES_PUSH_FULL", {
  status: 429,
  kind: "transient",
  message: ({ view, held, most }) =>
    `${held} keys of "${view}" have a pushed value that no version of its dataset has, and at most ${most} may; nothing was kept`,
  hint: () => "A version of the dataset that has the rows makes room, and a ttl lets old ones go.",
  solve:
    "Bring what was pushed into the view's dataset (`to: online_and_offline`), or give the view a `ttl`: rows that a version has, and rows that are too old, make room.",
});
