import { defineError, type ErrorFactory } from "#base";

export const methodUnknown: ErrorFactory<{ method: string; kind: string; valid: readonly string[] }> = defineError(
  "MONITORING_METHOD_UNSUITABLE",
  {
    status: 422,
    message: ({ method, kind, valid }) =>
      `The method "${method}" does not apply to ${kind} columns; these do: ${valid.join(", ")}`,
    hint: ({ valid }) => `Use one of ${valid.join(", ")}, or leave the method out.`,
    solve: "Choose a method for the column's type, or none: a default is chosen by type and size.",
  },
);

export const emptySample: ErrorFactory<{ side: "reference" | "current" }> = defineError("MONITORING_EMPTY_SAMPLE", {
  status: 422,
  message: ({ side }) => `The ${side} side of the column has no value that could be compared`,
  hint: () => "Compare columns that hold at least one value on both sides.",
  solve: "Leave the column out, or find out why its values are missing.",
});

export const monitorInvalid: ErrorFactory<{
  file: string;
  line: number;
  column: number;
  message: string;
  advice?: string;
}> = defineError("MONITORING_MONITOR_INVALID", {
  status: 400,
  message: ({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`,
  hint: ({ advice }) => advice ?? "See the JSON Schema of monitors for the keys and their values.",
  solve: "Correct the file at the place that the message names.",
});

export const referenceMissing: ErrorFactory<{ model: string; reason: string }> = defineError(
  "MONITORING_REFERENCE_MISSING",
  {
    status: 422,
    message: ({ model, reason }) => `There is nothing to compare ${model} with: ${reason}`,
    hint: () => "Train it in a step that reads a training set with a label and a split.",
    solve: "Make the model in a pipeline step that reads its training set as an input.",
  },
);

export const routeUnknown: ErrorFactory<{ name: string; known: readonly string[] }> = defineError(
  "MONITORING_ROUTE_UNKNOWN",
  {
    status: 404,
    message: ({ name, known }) =>
      `There is no route "${name}"; routes: ${known.length === 0 ? "none" : known.join(", ")}`,
    hint: () => "Declare it under alerts: { routes: { … } } of esteira.yaml.",
    solve: "Name one of the routes that `alerts.routes` of `esteira.yaml` declares, or declare it there.",
  },
);

export const routeFailed: ErrorFactory<{ name: string; reason: string }> = defineError("MONITORING_ROUTE_FAILED", {
  status: 502,
  message: ({ name, reason }) => `The route "${name}" could not be told: ${reason}`,
  hint: () => "Correct the route in esteira.yaml, or its secret in the environment of the server.",
  solve: "See what the receiver or the network said; addresses of the inside need `outbox.private_networks`.",
});

export const labelInvalid: ErrorFactory<{ where: string; found: string; expected: string }> = defineError(
  "MONITORING_LABEL_INVALID",
  {
    status: 400,
    message: ({ where, found, expected }) => `${where}: found ${found}, expected ${expected}`,
    hint: () => 'Send {"labels": [{"id" or "entityKey", "label", "at"?}]}.',
    solve: "Send each label with the prediction's id or the caller's key, and a number, a boolean or a class name.",
  },
);

export const scoreUndefined: ErrorFactory<{ method: string; reason: string }> = defineError(
  "MONITORING_SCORE_UNDEFINED",
  {
    status: 422,
    message: ({ method, reason }) => `The method "${method}" says nothing of these values: ${reason}`,
    hint: () => "Use another method, or leave it out: a default is chosen by type and size.",
    solve: "Choose another method for the column: this one needs more values, or values with a spread.",
  },
);
