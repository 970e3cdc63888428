import { defineError, type ErrorFactory, nearestName } from "#base";

export const sourceUnreachable: ErrorFactory<{ source: string; reason: string }> = defineError(
  "DATA_SOURCE_UNREACHABLE",
  {
    status: 503,
    kind: "transient",
    message: ({ source, reason }) => `The source ${source} cannot be reached: ${reason}; nothing was published`,
    hint: () => "Is the server running, and can this machine reach it? The step can be tried again.",
    solve:
      "Start the server of the source, or correct its address; the next run goes on where the last version ended. `retry:` tries again by itself.",
  },
);

export const sourceSignInRefused: ErrorFactory<{ source: string; reason: string }> = defineError(
  "DATA_SOURCE_SIGN_IN_REFUSED",
  {
    status: 400,
    message: ({ source, reason }) => `The source ${source} refuses the credentials: ${reason}`,
    hint: () => "Correct the user in the pipeline, or the secret in the environment of esteira.",
    solve:
      "Correct the user in the pipeline, or the value of the secret (`ESTEIRA_SECRET_<NAME>`) in the environment of esteira. The value is never shown.",
  },
);

export const sourceHostRefused: ErrorFactory<{ source: string; host: string; address: string }> = defineError(
  "DATA_SOURCE_HOST_REFUSED",
  {
    status: 403,
    message: ({ source, host, address }) =>
      `The source ${source} is not read: ${host === address ? host : `${host} is ${address}, which`} is not an address of the public internet, and esteira.yaml does not name it`,
    hint: ({ host }) => `Allow it in esteira.yaml: capture: { hosts: ["${host}"] }`,
    solve:
      "Name the host, its address or its network under `capture.hosts` in `esteira.yaml`, when captures may read what is there.",
  },
);

export const sourceSecretUnfit: ErrorFactory<{ source: string; secret: string; problem: string }> = defineError(
  "DATA_SOURCE_SECRET_UNFIT",
  {
    status: 400,
    message: ({ source, secret, problem }) => `The source ${source} needs the secret ${secret}, which ${problem}`,
    hint: ({ secret }) =>
      `Set ESTEIRA_SECRET_${secret.toUpperCase().replaceAll("-", "_")} in the environment of esteira and start it again.`,
    solve:
      "Set `ESTEIRA_SECRET_<NAME>` in the environment of `esteira run` or `esteira up`, NAME in capitals with _ for -. A secret that is an address has the form that the message shows.",
  },
);

export const sourceTableMissing: ErrorFactory<{ source: string; table: string; known: readonly string[] }> =
  defineError("DATA_SOURCE_TABLE_MISSING", {
    status: 404,
    message: ({ source, table, known }) =>
      `The source ${source} has no table ${table} that its user may read${known.length === 0 ? "" : `; it has ${known.slice(0, 20).join(", ")}${known.length > 20 ? `, and ${known.length - 20} more` : ""}`}`,
    hint: ({ table, known }) =>
      `Name a table as the database has it${nearestName(table, known) === undefined ? "" : `, perhaps ${nearestName(table, known)}`}, or let the user read it.`,
    solve: "Name a table that is there, with its schema where it needs one, or let the database's user read it.",
  });

export const sourceColumnUnfit: ErrorFactory<{
  source: string;
  column: string;
  problem: string;
  columns: readonly string[];
}> = defineError("DATA_SOURCE_COLUMN_UNFIT", {
  status: 400,
  message: ({ source, column, problem, columns }) =>
    `The column ${JSON.stringify(column)} of ${source} ${problem}${columns.length === 0 ? "" : `; it has ${columns.slice(0, 30).join(", ")}${columns.length > 30 ? `, and ${columns.length - 30} more` : ""}`}`,
  hint: ({ column, columns }) =>
    nearestName(column, columns) === undefined
      ? "Change the capture's declaration, or the source."
      : `Perhaps ${JSON.stringify(nearestName(column, columns))}?`,
  solve: "Name columns as the source has them, each once; in a query give them names with AS.",
});

export const sourceQueryFailed: ErrorFactory<{ source: string; reason: string }> = defineError(
  "DATA_SOURCE_QUERY_FAILED",
  {
    status: 400,
    message: ({ source, reason }) => `Reading ${source} failed: ${reason}; nothing was published`,
    hint: () => "Correct the query or the declaration; run it with a client of the database to see more.",
    solve: "Correct the query at the place that the database names, or let its user read what the query reads.",
  },
);

export const sourceCursorUnfit: ErrorFactory<{ source: string; column: string; problem: string; remedy: string }> =
  defineError("DATA_SOURCE_CURSOR_UNFIT", {
    status: 422,
    message: ({ source, column, problem }) =>
      `${source} cannot be read further by its cursor ${JSON.stringify(column)}: ${problem}; nothing was published`,
    hint: ({ remedy }) => remedy,
    solve:
      "A cursor is a column that every row has and that only grows. Rows without a value: `cursor.missing`. Very many rows with the same greatest value: `write: { merge: KEY }`, or a finer column.",
  });

export const sourceChanged: ErrorFactory<{ dataset: string; before: string; now: string }> = defineError(
  "DATA_SOURCE_CHANGED",
  {
    status: 409,
    message: ({ dataset, before, now }) =>
      `Dataset ${dataset} was read up to a place in ${before}, and its step now reads ${now}: where to go on cannot be told`,
    hint: ({ dataset }) => `Read everything from the start, in one version: esteira capture ${dataset} --again all`,
    solve:
      "Read everything from the start (`esteira capture DATASET --again all`), declare the source as it was, or give the step another name.",
  },
);

export const sourceEmpty: ErrorFactory<{ source: string }> = defineError("DATA_SOURCE_EMPTY", {
  status: 422,
  message: ({ source }) =>
    `The source ${source} gives no record, and the dataset has no version: which columns it has cannot be told`,
  hint: () => "Check the address, its parameters and where the records are (records).",
  solve:
    "Check the address, its parameters and `records`; or run the step again when there are records. A dataset that has a version stays as it is.",
});

export const replicationUnfit: ErrorFactory<{ source: string; problem: string; remedy: string }> = defineError(
  "DATA_REPLICATION_UNFIT",
  {
    status: 422,
    message: ({ source, problem }) => `The changes of ${source} cannot be followed: ${problem}; nothing was published`,
    hint: ({ remedy }) => remedy,
    solve:
      "Logical replication needs `wal_level = logical`, a user with the attribute REPLICATION, a publication that has the table, a free slot, and a replica identity that has the key of `write`. The message names which is missing, and the statement that helps.",
  },
);

export const replicationBusy: ErrorFactory<{ source: string; slot: string; by: string }> = defineError(
  "DATA_REPLICATION_BUSY",
  {
    status: 503,
    kind: "transient",
    message: ({ source, slot, by }) => `The slot ${slot} of ${source} is read by another connection (process ${by})`,
    hint: () => "Does another step or tool read it? Each needs a slot of its own. The step can be tried again.",
    solve:
      "Give each step a slot of its own. A connection that died holds it until the server notices (`wal_sender_timeout`); `retry:` tries again by itself.",
  },
);

export const replicationLost: ErrorFactory<{ source: string; slot: string; dataset: string; problem: string }> =
  defineError("DATA_REPLICATION_LOST", {
    status: 409,
    message: ({ source, slot, dataset, problem }) =>
      `Changes of ${source} behind the last version of ${dataset} are lost: ${problem} (slot ${slot}); nothing was published`,
    hint: ({ dataset }) =>
      `Read the table anew, in one version, and follow it from there: esteira capture ${dataset} --again all`,
    solve:
      "Read the table anew (`esteira capture DATASET --again all`): a slot is made again where there is none. Keep others from moving or dropping the slot, and raise `max_slot_wal_keep_size` of the server when it gave the slot up.",
  });

export const streamGap: ErrorFactory<{ source: string; dataset: string; from: string; to: string }> = defineError(
  "DATA_STREAM_GAP",
  {
    status: 409,
    message: ({ source, from, to }) =>
      `${source} let go of messages before they were read: those from ${from} to ${to}; nothing was published`,
    hint: ({ dataset }) =>
      `Go on behind them with gaps: warn, or read what is there from the start: esteira capture ${dataset} --again all`,
    solve:
      "Let the step run more often than the stream's limits (`max_age`, `max_bytes`, `max_msgs`) let go of messages, or raise these. What is lost here is lost: `gaps: warn` goes on behind it, `esteira capture DATASET --again all` begins at what the stream still has.",
  },
);

export const tapFailed: ErrorFactory<{ source: string; problem: string }> = defineError("DATA_TAP_FAILED", {
  status: 422,
  message: ({ source, problem }) => `Reading ${source} failed: ${problem}; nothing was published`,
  hint: () => "See the step's log, where the tap says more, and the documentation of the tap for its config.",
  solve:
    "Read what the tap wrote into the step's log; correct `config`, `secrets`, `stream` or `executable` of the step, or take another version of the tap. The next run goes on from the state of the last version.",
});

export const sensorTooMany: ErrorFactory<{ what: string; count: number; most: number; at: string }> = defineError(
  "DATA_SENSOR_TOO_MANY",
  {
    status: 422,
    message: ({ what, most, at }) =>
      `A sensor finds more ${what} than it compares, which is ${most.toLocaleString("en")}: ${at.slice(0, 120)}`,
    hint: ({ what }) =>
      what === "files"
        ? "Name fewer of them: a narrower pattern, or move those that are done elsewhere."
        : "Select fewer: a narrower condition, or count(*) and max(…) instead of all rows.",
    solve: "Let the sensor look at fewer files or rows: a narrower pattern or condition, or an aggregate.",
  },
);

export const sensorInvalid: ErrorFactory<{ problem: string }> = defineError("DATA_SENSOR_INVALID", {
  status: 422,
  message: ({ problem }) => `A sensor is not declared as it must be: ${problem}`,
  hint: () => "Check the project: it names the place.",
  solve: "Run `esteira lint`, which names the place of the mistake, and correct it.",
});
