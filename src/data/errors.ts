import { defineError, type ErrorFactory, nearestName } from "#base";

export const queryFailed: ErrorFactory<{ reason: string; sql: string }> = defineError("DATA_QUERY_FAILED", {
  status: 400,
  message: ({ reason }) => `The query failed: ${reason}`,
  hint: ({ reason }) =>
    /disabled by configuration/.test(reason)
      ? "A query reads only the project's datasets: capture the file as a dataset first."
      : "Correct the SQL at the place shown.",
  solve: "Correct the SQL at the place that the message shows. Queries read only the project's datasets, by name.",
});

export const queryCancelled: ErrorFactory<object> = defineError("DATA_QUERY_CANCELLED", {
  status: 499,
  message: () => "The query was cancelled before it ended",
  solve: "Run it again; give it a longer time limit if it was stopped by one.",
});

export const outOfMemory: ErrorFactory<{ reason: string }> = defineError("DATA_MEMORY_EXHAUSTED", {
  status: 507,
  kind: "transient",
  message: ({ reason }) => `The query needs more memory than it may use: ${reason}`,
  hint: () => "Read fewer rows or columns, make it in several steps, or run it where there is more memory.",
  solve: "Let the query read fewer rows or columns, make it in several steps, or run it where there is more memory.",
});

export const tableMissing: ErrorFactory<{ table: string }> = defineError("DATA_TABLE_MISSING", {
  status: 404,
  message: ({ table }) => `There is no Delta table at ${table}: its _delta_log holds no version`,
  hint: () => "Does the store point at the folder that holds the datasets?",
  solve: "Check that the store's folder is the one in which the dataset was made; restore it from a backup.",
});

export const versionExpired: ErrorFactory<{ dataset: string; version: number; atMs: number }> = defineError(
  "DATA_VERSION_EXPIRED",
  {
    status: 410,
    message: ({ dataset, version, atMs }) =>
      `The rows of version ${version} of ${dataset} are kept no longer since ${new Date(atMs).toISOString()}`,
    hint: () =>
      "Read the latest version, or bring the rows back from a backup. `retention.versions` says how long they are kept.",
    solve:
      "Read a later version, or restore a backup of before. Versions that a registered model or a release is made of are kept whatever `retention.versions` says.",
  },
);

export const tableCorrupt: ErrorFactory<{ table: string; reason: string }> = defineError("DATA_TABLE_CORRUPT", {
  status: 500,
  message: ({ table, reason }) => `The Delta table ${table} cannot be read: ${reason}`,
  hint: () => "Restore the missing or damaged file of _delta_log from a backup.",
  solve: "Restore the named file of `_delta_log` from a backup; no rows were guessed.",
});

export const tableUnsupported: ErrorFactory<{ table: string; feature: string; access: "read" | "write" }> = defineError(
  "DATA_TABLE_UNSUPPORTED",
  {
    status: 400,
    message: ({ table, feature, access }) =>
      `The Delta table ${table} uses ${feature}, which cannot be ${access === "read" ? "read" : "written"} here`,
    hint: () =>
      "Write the table with protocol (1,2): without deletion vectors, column mapping and other table features.",
    solve:
      "Write the table with reader version 1 and writer version 2, or drop the named feature with the tool that added it.",
  },
);

export const versionMissing: ErrorFactory<{ table: string; version: number; latest: number | undefined }> = defineError(
  "DATA_VERSION_MISSING",
  {
    status: 404,
    message: ({ table, version, latest }) =>
      `The Delta table ${table} has no version ${version}${latest === undefined ? "" : `; the latest is ${latest}`}`,
    hint: () => "Was its log cleaned by another tool? Pinned versions are kept by esteira only.",
    solve: "Choose a version that exists, or restore the log entries from a backup.",
  },
);

export const writeConflict: ErrorFactory<{ table: string; conflict: string; version: number }> = defineError(
  "DATA_WRITE_CONFLICT",
  {
    status: 409,
    kind: "transient",
    message: ({ table, conflict, version }) =>
      `Another writer changed ${table} first (version ${version}): ${conflict}`,
    hint: () => "Run the step again: it reads the new version.",
    solve: "Run the step again; it starts from the version that the other writer made.",
  },
);

export const tableForeign: ErrorFactory<{ table: string; project: string; owner: string }> = defineError(
  "DATA_TABLE_FOREIGN",
  {
    status: 409,
    message: ({ table, project, owner }) =>
      `The folder ${table} holds the dataset ${owner}, so project ${project} cannot write there`,
    hint: () => "Give the asset another name, or the project its own store folder.",
    solve: "Give the asset another name, or give each project its own store folder.",
  },
);

export const schemaConflict: ErrorFactory<{ table: string; column: string; found: string; expected: string }> =
  defineError("DATA_SCHEMA_CONFLICT", {
    status: 409,
    message: ({ table, column, found, expected }) =>
      `Column "${column}" of ${table} is ${expected}, but the new rows bring ${found}`,
    hint: ({ column, expected }) =>
      `Cast it (CAST("${column}" AS ${expected})), or write the dataset with \`write: replace\`.`,
    solve: "Cast the column to the dataset's type, rename it, or use `write: replace`, which takes the new schema.",
  });

export const columnUnsupported: ErrorFactory<{ column: string; reason: string }> = defineError(
  "DATA_COLUMN_UNSUPPORTED",
  {
    status: 400,
    message: ({ column, reason }) => `Column ${JSON.stringify(column)} cannot be stored: ${reason}`,
    hint: () => "Rename it with AS, or cast it.",
    solve:
      "Rename the column (no space , ; { } ( ) = or line break; names differ in more than case), or cast it to a supported type.",
  },
);

export const mergeKeyInvalid: ErrorFactory<{ table: string; problem: string }> = defineError("DATA_MERGE_KEY_INVALID", {
  status: 400,
  message: ({ table, problem }) => `The rows cannot be merged into ${table}: ${problem}`,
  hint: () =>
    "Make the key unique in the query (GROUP BY, QUALIFY row_number() OVER (…) = 1), or name more columns in merge.",
  solve: "Every new row needs one non-null key, once. Deduplicate in the query or name more key columns.",
});

export const sourceRowsUnknown: ErrorFactory<{
  dataset: string;
  paths: readonly string[];
  expected: number;
  found: number;
}> = defineError("DATA_SOURCE_ROWS_UNKNOWN", {
  status: 409,
  message: ({ dataset, paths, expected, found }) =>
    `${paths.slice(0, 5).join(", ")}${paths.length > 5 ? ` and ${paths.length - 5} more` : ""} changed, but of the ${expected} rows that ${paths.length === 1 ? "it" : "they"} brought to ${dataset} only ${found} can be told from the others; nothing was published`,
  hint: ({ dataset }) =>
    `A merge or another tool rewrote the table. Read all files anew, in one version: esteira capture ${dataset} --again all`,
  solve:
    "A merge, or another tool that rewrote the table's files, mixed the rows. Read all files of the dataset anew, in one version: `esteira capture DATASET --again all`.",
});

export const datasetBusy: ErrorFactory<{ asset: string; operation: string }> = defineError("DATA_DATASET_BUSY", {
  status: 409,
  kind: "transient",
  message: ({ asset, operation }) => `Another attempt (${operation}) is writing dataset ${asset}`,
  hint: () => "Try again when it has ended.",
  solve: "Wait for the other attempt, or cancel it; a dead one gives the dataset free after half a minute.",
});

export const writeLost: ErrorFactory<{ asset: string; operation: string }> = defineError("DATA_WRITE_LOST", {
  status: 409,
  kind: "transient",
  message: ({ asset, operation }) =>
    `The rows that ${operation} wrote to dataset ${asset} were taken back, because it was thought dead; nothing was published`,
  hint: () => "Run the step again.",
  solve: "Run the step again. It happens when an attempt stands still for longer than its claim on the dataset lasts.",
});

export const storageFailed: ErrorFactory<{ operation: string; path: string; reason: string }> = defineError(
  "DATA_STORAGE_FAILED",
  {
    status: 503,
    kind: "transient",
    message: ({ operation, path, reason }) => `Cannot ${operation} ${path}: ${reason}; nothing was published`,
    hint: ({ reason }) =>
      /ENOSPC|No space/i.test(reason)
        ? "The disk is full: free some space and run the step again."
        : "Check the folder's permissions and the disk.",
    solve:
      "Free disk space or repair the folder's permissions, then run the step again. Nothing half-written is visible.",
  },
);

export const captureFolderRefused: ErrorFactory<{ folder: string; found: string; allowed: readonly string[] }> =
  defineError("DATA_CAPTURE_FOLDER_REFUSED", {
    status: 403,
    message: ({ folder, found, allowed }) =>
      `The folder ${folder}${found === folder ? "" : ` (${found})`} lies outside the project and below no folder that captures may read: ${allowed.length === 0 ? "esteira.yaml names none" : `esteira.yaml names ${allowed.join(", ")}`}`,
    hint: () => "Name it, or a folder above it, under capture.folders in esteira.yaml.",
    solve:
      "Name the folder, or one above it, under `capture.folders` in `esteira.yaml`. Links count as what they lead to.",
  });

export const captureFilesMissing: ErrorFactory<{ patterns: readonly string[]; folder: string }> = defineError(
  "DATA_CAPTURE_FILES_MISSING",
  {
    status: 404,
    message: ({ patterns, folder }) =>
      `No file below ${folder} matches ${patterns.join(", ")}, and the dataset has no version yet`,
    hint: () => "Check the pattern under capture.files.",
    solve: "Check `capture.files`; patterns are relative to the project folder, or to `capture.folder`.",
  },
);

export const captureEmpty: ErrorFactory<{
  dataset: string;
  files: number;
  rows: number;
  problems: readonly string[];
  isEncoding: boolean;
}> = defineError("DATA_CAPTURE_EMPTY", {
  status: 422,
  message: ({ dataset, files, rows, problems }) =>
    `Nothing was published to dataset ${dataset}: ${rows > 0 ? `none of ${rows} ${rows === 1 ? "row" : "rows"} in ${files} ${files === 1 ? "file" : "files"} can be` : files === 1 ? "its file was held back whole" : `all ${files} files were held back whole`}. ${problems.slice(0, 2).join("; ")}${problems.length > 2 ? `; and ${problems.length - 2} more files` : ""}`,
  hint: ({ dataset, isEncoding }) =>
    `${isEncoding ? "Is the file in another encoding? Say so: csv: { encoding: latin-1 }. " : ""}What was held back: esteira quarantine list ${dataset}. If a run without rows is right, set allow_empty: true under capture.`,
  solve:
    "Look at what was held back (`esteira quarantine list DATASET`); correct the source, the way it is read (`csv.encoding`, `csv.delimiter`), or the contract. If a run without rows is right, set `capture.allow_empty: true`.",
});

export const captureFileOutside: ErrorFactory<{ path: string; folder: string }> = defineError(
  "DATA_CAPTURE_FILE_OUTSIDE",
  {
    status: 400,
    message: ({ path, folder }) => `${path} leads out of ${folder}`,
    hint: () => "Files outside the project are read only when capture.folder names their folder.",
    solve: "Name the folder in `capture.folder`, and no `..` or link that leaves it.",
  },
);

export const contractBroken: ErrorFactory<{ dataset: string; problems: readonly string[] }> = defineError(
  "DATA_CONTRACT_BROKEN",
  {
    status: 422,
    message: ({ dataset, problems }) => `Dataset ${dataset} was not published: ${problems.join("; ")}`,
    hint: () => "Correct the source, or change the contract or the quarantine limits on purpose.",
    solve: "Correct the source rows, or change the contract or the step's `quarantine` limits on purpose.",
  },
);

export const contractInvalid: ErrorFactory<{ problems: readonly string[] }> = defineError("DATA_CONTRACT_INVALID", {
  status: 400,
  message: ({ problems }) => `The contract is not valid: ${problems.join("; ")}`,
  solve: "Correct the contract at the places named; it follows the Open Data Contract Standard 3.1.",
});

export const rowsLost: ErrorFactory<{ dataset: string; read: number; published: number; quarantined: number }> =
  defineError("DATA_ROWS_LOST", {
    status: 500,
    message: ({ dataset, read, published, quarantined }) =>
      `${read} rows were read for ${dataset}, but ${published} published and ${quarantined} quarantined do not add up; nothing was published`,
    hint: () => "Did a file change while it was read? Run the step again.",
    solve: "Run the step again. A source file that changes while it is read is the usual cause.",
  });

export const quarantineMissing: ErrorFactory<{ batch: string }> = defineError("DATA_QUARANTINE_MISSING", {
  status: 404,
  message: ({ batch }) => `There is no quarantine batch ${batch}`,
  hint: () => "List the batches of the dataset first.",
  solve: "List the dataset's quarantine and take a batch id from there.",
});

export const dashboardInvalid: ErrorFactory<{ problems: readonly string[] }> = defineError("DATA_DASHBOARD_INVALID", {
  status: 400,
  message: ({ problems }) => `The dashboard is not valid: ${problems.join("; ")}`,
  solve: "Correct the dashboard at the places named.",
});

export const sqlInvalid: ErrorFactory<{ file: string; problems: readonly string[] }> = defineError("DATA_SQL_INVALID", {
  status: 400,
  message: ({ file, problems }) => `${file}: ${problems.join("; ")}`,
  hint: () => "A transformation is one SELECT over datasets.",
  solve: "Correct the SQL at the place named. A transformation is one SELECT over datasets of the project.",
});

export const outputUnreadable: ErrorFactory<{ asset: string; problem: string }> = defineError(
  "DATA_OUTPUT_UNREADABLE",
  {
    status: 422,
    message: ({ asset, problem }) => `The step's output for dataset ${asset} cannot be taken: ${problem}`,
    hint: ({ asset }) => `Write Parquet, CSV or NDJSON files into esteira.output("${asset}").`,
    solve: "Let the step write Parquet, CSV or NDJSON files into the output folder of the asset.",
  },
);

export const dashboardMissing: ErrorFactory<{ dashboard: string }> = defineError("DATA_DASHBOARD_MISSING", {
  status: 404,
  message: ({ dashboard }) => `There is no version of the dashboard ${dashboard}`,
  hint: () => "Run the pipeline that publishes it.",
  solve: "Run the pipeline whose `publish` step makes the dashboard.",
});

export const datasetNeeded: ErrorFactory<{ dataset: string; needs: readonly string[] }> = defineError(
  "DATA_DATASET_NEEDED",
  {
    status: 409,
    message: ({ dataset, needs }) =>
      `Dataset ${dataset} cannot be dropped: ${needs.slice(0, 20).join("; ")}${needs.length > 20 ? `; and ${needs.length - 20} more` : ""}`,
    hint: () => "Take out what needs it first. A step that makes it would make it again.",
    solve:
      "Take the steps that make or read the dataset out of the project, and delete the registered models that were made of it. Releases that were made of it keep it for good.",
  },
);

export const captureFileUnknown: ErrorFactory<{
  dataset: string;
  path: string;
  reason: string;
  known: readonly string[];
}> = defineError("DATA_CAPTURE_FILE_UNKNOWN", {
  status: 404,
  message: ({ dataset, path, reason, known }) =>
    `${path} cannot be captured again into ${dataset}: ${reason}${known.length === 0 ? "" : `. Captured are ${known.slice(0, 10).join(", ")}${known.length > 10 ? ` and ${known.length - 10} more` : ""}`}`,
  hint: () => "Name the file as the quarantine and the log do: relative to the project folder, or to capture.folder.",
  solve:
    "Name a file that was captured, as the log names it: relative to the project folder or to `capture.folder`. A file that was never captured comes in with the next run.",
});

export const datasetMissing: ErrorFactory<{ dataset: string; version: number | undefined }> = defineError(
  "DATA_DATASET_MISSING",
  {
    status: 404,
    message: ({ dataset, version }) =>
      `There is no dataset ${dataset}${version === undefined ? "" : ` with version ${version}`}`,
    hint: () => "List them with: esteira dataset list. A dataset appears when the step that makes it has run.",
    solve: "List the datasets of the project (`esteira dataset list`); run the pipeline that makes the one you need.",
  },
);

export const datasetUnknown: ErrorFactory<{
  dataset: string;
  line: number;
  column: number;
  near: string | undefined;
}> = defineError("DATA_DATASET_UNKNOWN", {
  status: 404,
  message: ({ dataset, line, column }) => `Line ${line}, column ${column}: there is no dataset ${dataset}`,
  hint: ({ near }) =>
    near === undefined
      ? 'List them with: esteira dataset list. An earlier version is "name@3".'
      : `Did you mean ${near}?`,
  solve:
    'List the datasets (`esteira dataset list`); a query names them as they are, an earlier version as `"name@3"`.',
});

export const columnUnknown: ErrorFactory<{ dataset: string; column: string; columns: readonly string[] }> = defineError(
  "DATA_COLUMN_UNKNOWN",
  {
    status: 400,
    message: ({ dataset, column, columns }) =>
      `Dataset ${dataset} has no column "${column}"; it has: ${columns.slice(0, 20).join(", ")}${columns.length > 20 ? `, and ${columns.length - 20} more` : ""}`,
    hint: ({ column, columns }) =>
      `Name one of its columns${nearestName(column, columns) === undefined ? "" : `, perhaps "${nearestName(column, columns)}"`}.`,
    solve: "Use the name of a column of that version of the dataset; names are compared letter by letter.",
  },
);

export const intervalTimeMissing: ErrorFactory<{ dataset: string; column: string; rows: number }> = defineError(
  "DATA_INTERVAL_TIME_MISSING",
  {
    status: 422,
    message: ({ dataset, column, rows }) =>
      `${rows} new ${rows === 1 ? "row" : "rows"} of ${dataset} have no value in ${column}, so they belong to no interval`,
    hint: ({ column }) =>
      `Give each row a ${column} in the query, or leave such rows out: WHERE ${column} IS NOT NULL.`,
    solve: "Give each row of the model a time in the query, or leave rows without one out with a WHERE.",
  },
);

export const restatementInvalid: ErrorFactory<{ dataset: string; reason: string }> = defineError(
  "DATA_RESTATEMENT_INVALID",
  {
    status: 400,
    message: ({ dataset, reason }) => `${dataset} cannot be restated: ${reason}`,
    hint: () => "Name a start, an end that is not in it, or all of it.",
    solve: "Name a span whose end is after its start, in dates such as 2024-01-31, or all of the dataset.",
  },
);

export const datasetNotIncremental: ErrorFactory<{ dataset: string }> = defineError("DATA_DATASET_NOT_INCREMENTAL", {
  status: 409,
  message: ({ dataset }) => `${dataset} has no intervals to fill again: no sql step with incremental makes it`,
  hint: () => "A run makes it anew where its inputs, its query or its files changed.",
  solve: "Name a dataset that a `sql` step makes with `incremental`; others are made anew by a run.",
});

export const tableFileUnreadable: ErrorFactory<{ file: string; problem: string; advice?: string }> = defineError(
  "DATA_TABLE_FILE_UNREADABLE",
  {
    status: 400,
    message: ({ file, problem }) => `${file} cannot be read as a table: ${problem}`,
    hint: ({ advice }) =>
      advice ?? "Parquet, CSV, TSV, NDJSON and JSON files are read, by the end of their name; .gz too.",
    solve: "Give a file that is there and whole, whose name ends in .parquet, .csv, .tsv, .ndjson or .json.",
  },
);

export const tableFileUnwritable: ErrorFactory<{ path: string; problem: string }> = defineError(
  "DATA_TABLE_FILE_UNWRITABLE",
  {
    status: 400,
    message: ({ path, problem }) => `${path} cannot be written: ${problem}`,
    hint: () => "Name a file that ends in .parquet, .csv or .ndjson, in a folder that is there.",
    solve: "Name an output file that ends in .parquet, .csv or .ndjson, other than the data, in a folder that exists.",
  },
);

export const treatmentSecretUnfit: ErrorFactory<{ secret: string; problem: string }> = defineError(
  "DATA_TREATMENT_SECRET_UNFIT",
  {
    status: 400,
    message: ({ secret, problem }) => `The contract protects values with the secret ${secret}, which ${problem}`,
    hint: ({ secret }) =>
      `Set ESTEIRA_SECRET_${secret.toUpperCase().replaceAll("-", "_")} in the environment of esteira and start it again.`,
    solve:
      "Set `ESTEIRA_SECRET_<NAME>` in the environment of `esteira run` or `esteira up` to at least 16 random characters, and keep it: with another one equal values are no longer equal.",
  },
);

export const unitTestsFailed: ErrorFactory<{ step: string; failed: number; total: number; text: string }> = defineError(
  "DATA_UNIT_TESTS_FAILED",
  {
    status: 422,
    message: ({ step, failed, total, text }) =>
      `Unit tests of ${step} fail (${failed} of ${total}), so it was not computed:\n${text}`,
    hint: () => "Correct the query, or the rows that its tests expect.",
    solve: "Correct the query, or the rows that its test expects. `esteira test STEP` runs the tests alone.",
  },
);

export const unitTestsInvalid: ErrorFactory<{ step: string; problems: readonly string[] }> = defineError(
  "DATA_UNIT_TESTS_INVALID",
  {
    status: 422,
    message: ({ step, problems }) => `The unit tests of ${step} cannot be run: ${problems.join("; ")}`,
    solve: "Correct the file of the tests at the place shown: datasets and columns are named as the query reads them.",
  },
);
