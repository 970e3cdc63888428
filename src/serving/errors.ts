import { defineError, type ErrorFactory } from "#base";

export const endpointUnknown: ErrorFactory<{ environment: string; endpoint: string; known: readonly string[] }> =
  defineError("SERVING_ENDPOINT_UNKNOWN", {
    status: 404,
    message: ({ environment, endpoint, known }) =>
      `There is no endpoint "${endpoint}" in environment "${environment}"; ${known.length === 0 ? "no endpoint is deployed" : `deployed: ${known.join(", ")}`}`,
    hint: () => "Deploy a model with a step `deploy: MODEL`, `to: [ENVIRONMENT]`, or correct the address.",
    solve: "Check environment and name in the address against the list of endpoints; deploy the model first.",
  });

export const endpointNotReady: ErrorFactory<{ environment: string; endpoint: string; reason: string }> = defineError(
  "SERVING_ENDPOINT_NOT_READY",
  {
    status: 503,
    kind: "transient",
    message: ({ environment, endpoint, reason }) =>
      `Endpoint "${endpoint}" in "${environment}" cannot answer yet: ${reason}`,
    hint: () =>
      "Try again in a moment; if it stays, look at the endpoint's page for the model that could not be loaded.",
    solve: "Wait until the model is loaded, or deploy a version that loads.",
  },
);

export const endpointElsewhere: ErrorFactory<{ environment: string; endpoint: string }> = defineError(
  "SERVING_ENDPOINT_ELSEWHERE",
  {
    status: 503,
    kind: "transient",
    message: ({ environment, endpoint }) =>
      `Endpoint "${endpoint}" in "${environment}" is answered by other processes: this one has not the role serving`,
    hint: () => "Ask a process with the role: esteira up --roles serving.",
    solve: "Ask a process that was started with the role `serving`, or give this one the role.",
  },
);

export const modelUnusable: ErrorFactory<{ model: string; problem: string; advice?: string }> = defineError(
  "SERVING_MODEL_UNUSABLE",
  {
    status: 422,
    message: ({ model, problem }) => `Model ${model} cannot be served: ${problem}`,
    hint: ({ advice }) => advice ?? "Save it again with esteira.save_model(name, onnx_model, task=…, inputs=…).",
    solve:
      "Make model.json and the ONNX file agree: input names and types, tensor outputs only (`zipmap=False` for scikit-learn).",
  },
);

export const modelMissing: ErrorFactory<{ versionId: string }> = defineError("SERVING_MODEL_MISSING", {
  status: 404,
  message: ({ versionId }) => `The model version ${versionId} is not in the metadata store`,
  hint: () => "Was the store replaced? Deploy the model again.",
  solve: "Use the store that holds the model version, or deploy another version.",
});

export const exampleFailed: ErrorFactory<{ model: string; reason: string }> = defineError("SERVING_EXAMPLE_FAILED", {
  status: 422,
  message: ({ model, reason }) =>
    `Model ${model} was loaded but cannot answer its example row: ${reason}; the endpoint was not switched`,
  hint: () => "Check `example` and `inputs` in model.json against what the model was trained on.",
  solve: "Correct the example row or the input types when the model is saved, and deploy the new version.",
});

export const outputsDiffer: ErrorFactory<{ forms: readonly string[] }> = defineError("SERVING_OUTPUTS_DIFFER", {
  status: 500,
  message: ({ forms }) => `The rows of the request were answered in several forms, expected one: ${forms.join("; ")}`,
  hint: () => "Send rows one request each, or let the model answer each row with the same outputs and shapes.",
  solve:
    "Make the model's outputs the same for each row, names, types and shapes; in a trial, the candidate's as the stable version's.",
});

/** A cell that does not fit the model's signature. `row` counts from 0. */
export const inputInvalid: ErrorFactory<{
  column: string;
  row: number;
  found: string;
  expected: string;
  advice?: string;
}> = defineError("SERVING_INPUT_INVALID", {
  status: 400,
  message: ({ column, row, found, expected }) => `Column "${column}", row ${row}: found ${found}, expected ${expected}`,
  hint: ({ advice }) =>
    advice ?? "Send the value in the type that the model's signature states (GET the endpoint's metadata).",
  solve: "Send every value in the type of the model's signature; nothing is converted silently.",
});

export const columnMissing: ErrorFactory<{
  column: string;
  row: number;
  found: readonly string[];
  nearest?: string;
  /** What the column was in training. */
  feature?: string;
}> = defineError("SERVING_COLUMN_MISSING", {
  status: 400,
  message: ({ column, row, found }) =>
    `Row ${row} has no column "${column}"; it has: ${found.slice(0, 30).join(", ") || "nothing"}`,
  hint: ({ nearest, feature }) => {
    if (nearest !== undefined) return `Did you mean "${nearest}"? Rename it.`;
    if (feature === undefined) return "Send every input of the model's signature.";
    return `It was the feature ${feature} in training. Send it, or name the feature service where the model is deployed (features: …), so that it is read by its keys.`;
  },
  solve:
    "Send every input of the model's signature, by its name. Features are read online where the step that deploys names their service.",
});

export const columnUnknown: ErrorFactory<{
  column: string;
  row: number;
  expected: readonly string[];
  nearest?: string;
}> = defineError("SERVING_COLUMN_UNKNOWN", {
  status: 400,
  message: ({ column, row, expected }) =>
    `Row ${row} has an unknown column "${column}"; the model's inputs are: ${expected.slice(0, 50).join(", ")}`,
  hint: ({ nearest }) => (nearest === undefined ? "Leave it out." : `Did you mean "${nearest}"?`),
  solve: "Leave out columns that the model does not know, or rename a misspelt one.",
});

export const requestInvalid: ErrorFactory<{ where: string; found: string; expected: string }> = defineError(
  "SERVING_REQUEST_INVALID",
  {
    status: 400,
    message: ({ where, found, expected }) => `${where}: found ${found}, expected ${expected}`,
    hint: () => "See the reference of the endpoint's protocols for the exact forms.",
    solve: "Send one of the documented request forms.",
  },
);

export const mediaTypeUnsupported: ErrorFactory<{ found: string }> = defineError("SERVING_MEDIA_TYPE_UNSUPPORTED", {
  status: 415,
  message: ({ found }) => `The request's Content-Type is ${found}; expected application/json or text/csv, in UTF-8`,
  hint: () => "Set the header Content-Type.",
  solve: "Send JSON or CSV with its Content-Type.",
});

export const rowsTooMany: ErrorFactory<{ rows: number; limit: number }> = defineError("SERVING_ROWS_TOO_MANY", {
  status: 413,
  message: ({ rows, limit }) => `The request has ${rows} rows, at most ${limit} are answered at once`,
  hint: ({ limit }) => `Send it in parts of at most ${limit} rows.`,
  solve: "Split the request, or score large tables in a pipeline step.",
});

export const queueFull: ErrorFactory<{ endpoint: string; waiting: number }> = defineError("SERVING_QUEUE_FULL", {
  status: 503,
  kind: "transient",
  message: ({ endpoint, waiting }) => `Endpoint "${endpoint}" is busy: ${waiting} requests are waiting`,
  hint: () => "Try again after the time in Retry-After; send fewer requests at once, with more rows each.",
  solve: "Retry with a delay, or run more processes.",
});

export const runtimeFailed: ErrorFactory<{ model: string; reason: string }> = defineError("SERVING_RUNTIME_FAILED", {
  status: 500,
  message: ({ model, reason }) => `Model ${model} failed while it computed: ${reason}`,
  hint: () => "The request fits the signature, so the model itself fails on these values; try its example row.",
  solve: "Try the example row; if it works, the values of this request are outside what the model can compute.",
});

export const runtimeDied: ErrorFactory<{ reason: string }> = defineError("SERVING_RUNTIME_DIED", {
  status: 503,
  kind: "transient",
  message: ({ reason }) => `The thread that computes models ended: ${reason}; it is started again`,
  hint: () => "Try again.",
  solve: "Try again; if it happens with the same request, the model crashes its runtime: deploy another version.",
});

export const nullRefused: ErrorFactory<{ column: string; row: number; reason: string }> = defineError(
  "SERVING_NULL_REFUSED",
  {
    status: 400,
    message: ({ column, row, reason }) => `Column "${column}", row ${row}, may not be null: ${reason}`,
    hint: () => "Send a value, or train the model on data that lacks some.",
    solve: "Send a value for the column: the model never saw a missing one there, or its input cannot hold one.",
  },
);

export const featuresMissing: ErrorFactory<{
  service: string;
  row: number;
  keys: readonly string[];
  missing: readonly string[];
  feature: string;
}> = defineError("SERVING_FEATURES_MISSING", {
  status: 422,
  message: ({ service, row, keys, missing }) =>
    `Row ${row}: the online store has no value young enough of ${missing.join(", ")} for ${keys.join(", ")} (feature service "${service}")`,
  hint: ({ feature }) =>
    `Check the join keys and the row's time, send "${feature}" yourself, or say on_missing: null or default in the feature service.`,
  solve:
    "Send join keys that the online store knows and a time at which its values are fresh, send the features themselves, or set `on_missing` of the feature service.",
});

export const timeExceeded: ErrorFactory<{ model: string; seconds: number; rows: number }> = defineError(
  "SERVING_TIME_EXCEEDED",
  {
    status: 504,
    kind: "transient",
    message: ({ model, seconds, rows }) =>
      `Model ${model} did not answer ${rows} rows within ${seconds} seconds, waiting included`,
    hint: () => "Send fewer rows at once, or raise serving.timeout in esteira.yaml.",
    solve: "Send fewer rows at once or fewer requests, or raise `serving.timeout` in `esteira.yaml`.",
  },
);

export const modelStuck: ErrorFactory<{ model: string; calls: number }> = defineError("SERVING_MODEL_STUCK", {
  status: 503,
  kind: "transient",
  message: ({ model, calls }) =>
    `Model ${model} still computes ${calls === 1 ? "a call that was" : `${calls} calls that were`} given up; it is asked again when they have ended`,
  hint: () => "Try again later; if it stays, deploy another version.",
  solve:
    "Wait until the model's computation ends, or deploy another version. One that never ends keeps a processor until esteira is restarted.",
});

export const callerGone: ErrorFactory<{ model: string }> = defineError("SERVING_CALLER_GONE", {
  status: 499,
  message: ({ model }) => `The caller left before model ${model} answered; what was not computed is not`,
  solve: "Nothing to do: the client closed its connection before the answer was there.",
});

export const workerDied: ErrorFactory<{ model: string; how: string; rows: number; lastLines: string }> = defineError(
  "SERVING_WORKER_DIED",
  {
    status: 500,
    message: ({ model, how, rows, lastLines }) =>
      `The process of model ${model} ended twice with ${how} while it computed ${rows} row${rows === 1 ? "" : "s"}; its last lines: ${lastLines === "" ? "none" : lastLines}`,
    hint: () =>
      "The model ends its own process on these rows, or needs more memory than serving.memory in esteira.yaml gives it.",
    solve:
      "Read the last lines in the message; try the rows with the model by hand, or raise `serving.memory` in `esteira.yaml`.",
  },
);

export const streamLost: ErrorFactory<{ model: string; how: string; lastLines: string }> = defineError(
  "SERVING_STREAM_LOST",
  {
    status: 500,
    message: ({ model, how, lastLines }) =>
      `The process of model ${model} ended with ${how} in the middle of a stream; its last lines: ${lastLines === "" ? "none" : lastLines}`,
    hint: () => "What was streamed before stands; ask again for the rest.",
    solve: "Read the last lines in the message; try the row with the model by hand, or raise `serving.memory`.",
  },
);

export const streamTooLong: ErrorFactory<{ model: string; seconds: number }> = defineError("SERVING_STREAM_TOO_LONG", {
  status: 503,
  message: ({ model, seconds }) =>
    `A stream of model ${model} was not over after ${seconds} s, expected its last chunk to be read by then`,
  hint: () => "Let predict_stream end sooner and read its chunks as they come; what was streamed before stands.",
  solve: "Let `predict_stream` end within fifteen minutes, and read its answer as it comes.",
});

export const streamUnsupported: ErrorFactory<{ model: string }> = defineError("SERVING_STREAM_UNSUPPORTED", {
  status: 400,
  message: ({ model }) => `Model ${model} cannot be streamed: it has no predict_stream`,
  hint: () => "Ask without stream, or give the model's class a method predict_stream that yields texts or dicts.",
  solve: "Ask for the whole answer, or serve a Python model whose class has `predict_stream`.",
});

/** The caller's values, in a model's own words; both arms of a trial are asked the same, so it counts for both. */
export const valuesRefused: ErrorFactory<{ model: string; reason: string }> = defineError("SERVING_VALUES_REFUSED", {
  status: 422,
  message: ({ model, reason }) => `Model ${model} refuses these values: ${reason}`,
  hint: () => "They fit its signature; its training saw none like them. Send others, or make a model that takes them.",
  solve: "Send values of the kind that the model was trained on, such as categories that it knows.",
});

export const scoredInputMissing: ErrorFactory<{ asset: string }> = defineError("SERVING_SCORE_INPUT_MISSING", {
  status: 400,
  message: ({ asset }) => `"${asset}" has no version to score with`,
  hint: () => "Run the step that makes it first.",
  solve: "Run the steps that make the model and the dataset.",
});

export const scoredColumnMissing: ErrorFactory<{
  dataset: string;
  column: string;
  model: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("SERVING_SCORE_COLUMN_MISSING", {
  status: 400,
  message: ({ dataset, column, model, known }) =>
    `${dataset} has no column "${column}", which scoring with ${model} needs; it has ${known.join(", ")}`,
  hint: ({ nearest }) =>
    nearest === undefined ? "Add it in the SQL that makes the dataset." : `Did you mean ${nearest}?`,
  solve: "Score a dataset that has the key and every input of the model as columns of the same names.",
});

export const scoredKeyInvalid: ErrorFactory<{ dataset: string; key: string; total: number; different: number }> =
  defineError("SERVING_SCORE_KEY_INVALID", {
    status: 400,
    message: ({ dataset, key, total, different }) =>
      `${key} does not tell the rows of ${dataset} apart: ${total} rows have ${different} different keys without null`,
    hint: () => "Name more columns in key, or take repeated rows out before.",
    solve: "Name columns in `key` whose values are never null and differ from row to row.",
  });

export const scoreFailed: ErrorFactory<{ model: string; first: number; last: number; reason: string }> = defineError(
  "SERVING_SCORE_FAILED",
  {
    status: 422,
    message: ({ model, first, last, reason }) => `Rows ${first} to ${last} cannot be scored with ${model}: ${reason}`,
    hint: () => "Take these rows to the model by hand; one of them has something that its training never saw.",
    solve:
      "Look at the rows that the message names: values that the model does not know, or too much memory for one call.",
  },
);

export const scoredColumnUnfit: ErrorFactory<{
  source: string;
  column: string;
  found: string;
  expected: string;
  model: string;
}> = defineError("SERVING_SCORE_COLUMN_UNFIT", {
  status: 400,
  message: ({ source, column, found, expected, model }) =>
    `Column "${column}" of ${source} is ${found}; ${model} takes ${expected}`,
  hint: ({ column, expected }) =>
    `Convert it before: cast("${column}" as ${expected === "text" ? "varchar" : "double"}).`,
  solve: "Give every input of the model in the type of its signature; nothing is converted that would change a value.",
});

export const scoredKeyReserved: ErrorFactory<{ key: string; reserved: readonly string[] }> = defineError(
  "SERVING_SCORE_KEY_RESERVED",
  {
    status: 400,
    message: ({ key, reserved }) =>
      `The key "${key}" would stand beside a column of the same name; the result has ${reserved.join(", ")}`,
    hint: () => "Rename the column in the data.",
    solve: "Name key columns otherwise than the columns of the result.",
  },
);

export const scoredVersionMissing: ErrorFactory<{
  kind: "model" | "dataset";
  name: string;
  version: number | undefined;
  latest: number | undefined;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("SERVING_SCORE_VERSION_MISSING", {
  status: 404,
  message: ({ kind, name, version, latest, known }) =>
    latest !== undefined
      ? `The ${kind} "${name}" has no version ${version ?? "yet"}; the latest is ${latest}`
      : `There is no ${kind} "${name}"; ${known.length === 0 ? `no step has made a ${kind} yet` : `there is ${known.join(", ")}`}`,
  hint: ({ nearest, kind }) =>
    nearest !== undefined
      ? `Did you mean ${nearest}?`
      : kind === "dataset"
        ? "A file is known by the end of its name: .parquet, .csv, .tsv, .ndjson or .json."
        : "Run the pipeline that makes it first.",
  solve: "Name a model, a dataset and a version that the project has.",
});

export const serverUnknown: ErrorFactory<{ model: string; known: readonly string[] }> = defineError(
  "SERVING_SERVER_UNKNOWN",
  {
    status: 404,
    message: ({ model, known }) =>
      `No server is deployed as the model "${model}"; ${known.length === 0 ? "none is" : `deployed: ${known.join(", ")}`}`,
    hint: () => "Name a deployment, as NAME or ENVIRONMENT/NAME; its deploy step must say `openai: true`.",
    solve:
      "Name a deployment of code whose step says `openai: true`; where several environments have it, as `ENVIRONMENT/NAME`.",
  },
);

export const serverDown: ErrorFactory<{ server: string; reason: string }> = defineError("SERVING_SERVER_DOWN", {
  status: 503,
  kind: "transient",
  message: ({ server, reason }) => `The server ${server} does not answer: ${reason}`,
  hint: () => "Try again in a moment; what it wrote is in the folder services of the store.",
  solve: "Wait until the supervisor has started it again; read its log, and deploy a release that stays up.",
});

export const serverBusy: ErrorFactory<{ server: string; open: number }> = defineError("SERVING_SERVER_BUSY", {
  status: 503,
  kind: "transient",
  message: ({ server, open }) =>
    `The server ${server} answers ${open} requests already, as many as may be open at once`,
  hint: () => "Try again in a moment, or deploy more servers.",
  solve: "Try again later: so many requests of one server may be open at once.",
});
