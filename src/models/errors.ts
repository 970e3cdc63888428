import { defineError, type ErrorFactory } from "#base";

export const descriptionInvalid: ErrorFactory<{ asset: string; file: string; problems: readonly string[] }> =
  defineError("MODELS_DESCRIPTION_INVALID", {
    status: 400,
    message: ({ asset, file, problems }) =>
      `${file} of model "${asset}" is not what esteira.model/1 asks for: ${problems.join("; ")}`,
    hint: () =>
      "Save the model with esteira.save_model(name, model, task=…, inputs=[…], label=…): it writes model.json.",
    solve:
      "Save the model with `esteira.save_model`, or write a `model.json` of format `esteira.model/1` into the output folder.",
  });

export const fileMissing: ErrorFactory<{ asset: string; file: string; found: readonly string[] }> = defineError(
  "MODELS_FILE_MISSING",
  {
    status: 400,
    message: ({ asset, file, found }) =>
      `Model "${asset}" has no file ${file}; its folder holds ${found.length === 0 ? "nothing" : found.join(", ")}`,
    hint: ({ file }) =>
      file === "model.json"
        ? "Save the model with esteira.save_model(name, model, …), or with save_model of an MLflow flavor into esteira.output(name)."
        : `model.json names ${file} under "file": save it beside model.json.`,
    solve:
      "Leave `model.json` and the file it names in the output folder of the model, or what `save_model` of an MLflow flavor writes.",
  },
);

export const versionNotModel: ErrorFactory<{ asset: string; version: number; kind: string }> = defineError(
  "MODELS_VERSION_NOT_MODEL",
  {
    status: 400,
    message: ({ asset, version, kind }) => `Version ${version} of "${asset}" is ${kind}, not a model`,
    solve: "Name an asset that a step makes with `makes: model`.",
  },
);

export const sampleEmpty: ErrorFactory<{ where: string }> = defineError("MODELS_SAMPLE_EMPTY", {
  status: 400,
  message: ({ where }) => `${where}: there are no rows to compute a metric on`,
  hint: () => "Check the test data: does the split leave any rows, and does the label have values?",
  solve: "Use test data that has rows with a label.",
});

export const sampleMismatch: ErrorFactory<{ labels: number; predictions: number }> = defineError(
  "MODELS_SAMPLE_MISMATCH",
  {
    status: 500,
    message: ({ labels, predictions }) => `There are ${labels} labels but ${predictions} predictions`,
    solve: "Report this as a defect: a scorer must answer one number per row.",
  },
);

export const metricUndefined: ErrorFactory<{ metric: string; reason: string }> = defineError(
  "MODELS_METRIC_UNDEFINED",
  {
    status: 400,
    message: ({ metric, reason }) => `${metric} cannot be computed: ${reason}`,
    solve: "Use test data on which the metric exists (both classes present, labels that vary).",
  },
);

export const requirementInvalid: ErrorFactory<{
  text: string;
  column: number;
  problem: string;
  nearest: string | undefined;
}> = defineError("MODELS_REQUIREMENT_INVALID", {
  status: 400,
  message: ({ text, column, problem }) => `Requirement ${JSON.stringify(text)}, column ${column}: ${problem}`,
  hint: ({ nearest }) =>
    nearest === undefined
      ? 'Write it like "roc_auc >= 0.70" or "roc_auc >= champion.roc_auc - 0.005".'
      : `Did you mean ${nearest}?`,
  solve: "Write `METRIC COMPARISON EXPRESSION`, for example `roc_auc[origin=ATL] >= 0.65`.",
});

export const testDataMissing: ErrorFactory<{ model: string; version: number; reason: string }> = defineError(
  "MODELS_TEST_DATA_MISSING",
  {
    status: 400,
    message: ({ model, version, reason }) => `Model "${model}" version ${version} cannot be tested: ${reason}`,
    hint: () => "Name the test data in the step: data: DATASET",
    solve: "Add `data: DATASET` to the test step, or train from a dataset with a split.",
  },
);

export const columnMissing: ErrorFactory<{
  dataset: string;
  column: string;
  columns: readonly string[];
  nearest: string | undefined;
}> = defineError("MODELS_COLUMN_MISSING", {
  status: 400,
  message: ({ dataset, column, columns }) =>
    `The test data "${dataset}" has no column "${column}"; found ${columns.join(", ")}`,
  hint: ({ nearest }) =>
    nearest === undefined
      ? "The model's inputs and its label must be columns of the test data."
      : `Did you mean ${nearest}?`,
  solve: "Test on data that has the model's inputs, its label and the segment columns.",
});

export const signatureMissing: ErrorFactory<{ asset: string }> = defineError("MODELS_SIGNATURE_MISSING", {
  status: 400,
  message: ({ asset }) => `MLmodel of model "${asset}" has no signature with inputs, so what it takes is not known`,
  hint: () =>
    "Save it with one: mlflow.sklearn.save_model(model, PATH, signature=mlflow.models.infer_signature(X, model.predict(X))), or signature=… of another flavor.",
  solve: "Give `save_model` a signature: `signature=mlflow.models.infer_signature(X, model.predict(X))`.",
});

export const inputUnsupported: ErrorFactory<{
  asset: string;
  input: string;
  type: string;
  known: readonly string[];
}> = defineError("MODELS_INPUT_UNSUPPORTED", {
  status: 400,
  message: ({ asset, input, type, known }) =>
    `The input ${input} of model "${asset}" is a ${type} without a column of its own; expected named columns of ${known.join(", ")}`,
  hint: () => "Infer the signature from a pandas DataFrame with one named column per input, not from an array.",
  solve: "Infer the signature from a DataFrame whose columns are numbers, texts or truth values.",
});

export const taskMissing: ErrorFactory<{ asset: string; found: string | undefined }> = defineError(
  "MODELS_TASK_MISSING",
  {
    status: 400,
    message: ({ asset, found }) =>
      found === undefined
        ? `MLmodel of model "${asset}" does not say whether it is a regression, a classification, or outputs of another kind, and its outputs do not tell`
        : `MLmodel of model "${asset}" names the task ${found}; expected binary_classification, multiclass_classification, regression or outputs`,
    hint: () =>
      'Say it when it is saved: save_model(…, metadata={"esteira.task": "binary_classification"}), or of the run: mlflow.set_tag("esteira.task", "binary_classification").',
    solve:
      'Give `save_model` the metadata `{"esteira.task": …}`, or the run a tag `esteira.task`: `binary_classification`, `multiclass_classification`, `regression` or `outputs`.',
  },
);

export const modelNotSaved: ErrorFactory<{ asset: string; logged: readonly string[] }> = defineError(
  "MODELS_NOT_SAVED",
  {
    status: 422,
    message: ({ asset, logged }) =>
      logged.length === 0
        ? `Step "${asset}" declares that it makes a model, but left none: its output folder is empty, and its MLflow run logged no model`
        : `Step "${asset}" logged ${logged.length} models to its MLflow run (${logged.slice(0, 10).join(", ")}), none of its own name`,
    hint: ({ asset, logged }) =>
      logged.length === 0
        ? `Save it with esteira.save_model("${asset}", model, …), or log it: mlflow.sklearn.log_model(model, name="${asset}", …).`
        : `Log the one that the step makes as name="${asset}".`,
    solve:
      "Save the model with `esteira.save_model(STEP, …)`, or log it to the step's run with `log_model(…, name=STEP)` of an MLflow flavor.",
  },
);

export const predictionMissing: ErrorFactory<{
  asset: string;
  version: number;
  rows: number;
  of: number;
  first: number;
}> = defineError("MODELS_PREDICTION_MISSING", {
  status: 422,
  message: ({ asset, version, rows, of, first }) =>
    `${asset} version ${version} answers no number (NaN) to ${rows} of ${of} test rows, row ${first} the first`,
  hint: () => "Impute what is missing inside the model, or take such rows out of the test data.",
  solve:
    "Impute what is missing inside the model, or leave such rows out of the test data: a metric over the other rows would say too much.",
});

export const registeredMissing: ErrorFactory<{ address: string; project: string }> = defineError(
  "MODELS_REGISTERED_MISSING",
  {
    status: 404,
    message: ({ address, project }) => `${address} is no registered version of the project "${project}"`,
    hint: () => "Register it first, or see its name, its versions and its aliases on the registry's page.",
    solve: "Register the model first, or mend the name, the version or the alias in `adopt`.",
  },
);

export const registeredElsewhere: ErrorFactory<{ address: string; location: string; reason: string }> = defineError(
  "MODELS_REGISTERED_ELSEWHERE",
  {
    status: 422,
    message: ({ address, location, reason }) => `The files of ${address} cannot be read at ${location}: ${reason}`,
    hint: () =>
      "Log the model to an experiment whose artifacts this server keeps (mlflow-artifacts:/), and register that one.",
    solve:
      "Log the model to an experiment whose artifacts the server keeps (`mlflow-artifacts:/`, the default), and register that one.",
  },
);
