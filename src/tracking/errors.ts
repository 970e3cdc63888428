import { defineError, type ErrorFactory } from "#base";
import { pythonJson, pythonType, type WireValue } from "./mlflow-rest/wire-value.ts";

const SEE_DOCS = "See the API docs for more information about request parameters.";

export const requestInvalid: ErrorFactory<{ message: string }> = defineError("TRACKING_REQUEST_INVALID", {
  status: 400,
  message: ({ message }) => message,
  solve: "Send a JSON object with `Content-Type: application/json`.",
});

export const parameterMissing: ErrorFactory<{ parameter: string }> = defineError("TRACKING_PARAMETER_MISSING", {
  status: 400,
  message: ({ parameter }) => `Missing value for required parameter '${parameter}'. ${SEE_DOCS}`,
  solve: "Send the parameter that the message names; `null` and empty text count as missing.",
});

/** Any other refusal of a parameter; the sentence is MLflow's, because scripts match it. */
export const parameterInvalid: ErrorFactory<{ message: string }> = defineError("TRACKING_PARAMETER_INVALID", {
  status: 400,
  message: ({ message }) => message,
  solve: "Change the parameter that the message names to what the message expects.",
});

export const parameterWrongType: ErrorFactory<{ parameter: string; value: WireValue }> = defineError(
  "TRACKING_PARAMETER_WRONG_TYPE",
  {
    status: 400,
    message: ({ parameter, value }) =>
      `Invalid value ${pythonJson(value)} for parameter '${parameter}' supplied:  Hint: Value was of type '${pythonType(value)}'. ${SEE_DOCS}`,
    solve: "Send the parameter with the type that MLflow's REST API documents.",
  },
);

export const experimentMissing: ErrorFactory<{ experimentId: string }> = defineError("TRACKING_EXPERIMENT_MISSING", {
  status: 404,
  message: ({ experimentId }) => `No Experiment with id=${experimentId} exists`,
  solve: "Check the experiment id, and that the tracking URI points at the right server.",
});

export const experimentNameMissing: ErrorFactory<{ name: string }> = defineError("TRACKING_EXPERIMENT_NAME_MISSING", {
  status: 404,
  message: ({ name }) => `Could not find experiment with name '${name}'`,
  solve: "Check the experiment's name, or create it.",
});

export const experimentExists: ErrorFactory<{ name: string }> = defineError("TRACKING_EXPERIMENT_EXISTS", {
  status: 400,
  message: ({ name }) => `Experiment(name=${name}) already exists.`,
  hint: () => "A deleted experiment keeps its name: restore it, or choose another name.",
  solve: "Choose another name, or restore the deleted experiment that holds it.",
});

export const experimentRenameTaken: ErrorFactory<{ name: string }> = defineError("TRACKING_EXPERIMENT_NAME_TAKEN", {
  status: 400,
  message: ({ name }) => `Experiment(name=${name}) already exists.`,
  solve: "Choose another name.",
});

export const experimentNotActive: ErrorFactory<{ experimentId: string }> = defineError(
  "TRACKING_EXPERIMENT_NOT_ACTIVE",
  {
    status: 400,
    message: ({ experimentId }) =>
      `The experiment ${experimentId} must be in the 'active' state. Current state is deleted.`,
    solve: "Restore the experiment first.",
  },
);

export const runMissing: ErrorFactory<{ runId: string }> = defineError("TRACKING_RUN_MISSING", {
  status: 404,
  message: ({ runId }) => `Run with id=${runId} not found`,
  solve: "Check the run id, and that the tracking URI points at the right server.",
});

export const runNotActive: ErrorFactory<{ runId: string }> = defineError("TRACKING_RUN_NOT_ACTIVE", {
  status: 400,
  message: ({ runId }) => `The run ${runId} must be in the 'active' state. Current state is deleted.`,
  solve: "Restore the run first.",
});

export const tagMissing: ErrorFactory<{ key: string; subject: string }> = defineError("TRACKING_TAG_MISSING", {
  status: 404,
  message: ({ key, subject }) => `No tag with name: ${key} in ${subject}`,
  solve: "Check the tag's key: it may have been deleted already.",
});

export const artifactPathInvalid: ErrorFactory<{ path: string }> = defineError("TRACKING_ARTIFACT_PATH_INVALID", {
  status: 400,
  message: () => "Invalid path",
  hint: () => "Artifact paths are relative, without '..', backslashes, links or percent-encoded forms of them.",
  solve: "Use a path below the run's artifact folder, without `..`, `#`, backslashes or links.",
});

export const artifactMissing: ErrorFactory<{ path: string }> = defineError("TRACKING_ARTIFACT_MISSING", {
  status: 404,
  message: ({ path }) => `No such artifact: '${path}'`,
  solve: "List the folder above to see what is there; a folder cannot be downloaded as one file.",
});

export const artifactNotDownloaded: ErrorFactory<{ path: string }> = defineError("TRACKING_ARTIFACT_NOT_DOWNLOADED", {
  status: 404,
  // MLflow's sentence: scripts look for its end.
  message: ({ path }) =>
    `The following failures occurred while downloading one or more artifacts from mlflow-artifacts:/:\n##### File ${path} #####\nNo such artifact: '${path}'`,
  solve: "List the folder above to see what is there; a folder cannot be downloaded as one file.",
});

export const artifactNotWritable: ErrorFactory<{ path: string; reason: string }> = defineError(
  "TRACKING_ARTIFACT_NOT_WRITABLE",
  {
    status: 400,
    message: ({ path, reason }) => `The artifact '${path}' cannot be written: ${reason}`,
    hint: () => "Nothing was changed. Choose another path, or delete what is in the way.",
    solve: "Choose a path that no other file or folder takes part of.",
  },
);

export const artifactStorageFull: ErrorFactory<{ path: string; reason: string }> = defineError(
  "TRACKING_ARTIFACT_STORAGE_FULL",
  {
    status: 507,
    message: ({ path, reason }) =>
      `There is no room for the artifact '${path}' (${reason}): nothing of it was kept. Free some space where the server keeps artifacts, then send it again`,
    solve:
      "Free disk space (or raise the quota) where the server keeps artifacts, then send the artifact again; nothing half-written is kept.",
  },
);

export const artifactStorageFailed: ErrorFactory<{ path: string; reason: string }> = defineError(
  "TRACKING_ARTIFACT_STORAGE_FAILED",
  {
    status: 503,
    kind: "transient",
    message: ({ path, reason }) =>
      `The artifact '${path}' could not be read or written: ${reason}. Nothing half-written is kept. Check the permissions and the disk where the server keeps artifacts`,
    solve: "Check the permissions of the artifact folder and the disk it lies on, then try again.",
  },
);

export const artifactLocationForeign: ErrorFactory<{ location: string }> = defineError(
  "TRACKING_ARTIFACT_LOCATION_FOREIGN",
  {
    status: 400,
    message: ({ location }) =>
      `This server cannot show the artifacts at '${location}': clients read and write them there directly. It shows those at mlflow-artifacts:/ locations, and those in folders below its --artifact-root.`,
    solve:
      "Read the artifacts with a client that has access to their location, or import them into this server's artifact folder.",
  },
);

export const artifactTooLarge: ErrorFactory<{ limitBytes: number }> = defineError("TRACKING_ARTIFACT_TOO_LARGE", {
  status: 400,
  message: ({ limitBytes }) => `Artifact size is too large. Max size is ${limitBytes} bytes`,
  solve: "Upload large files with PUT on mlflow-artifacts/artifacts/<path>, which has no limit.",
});

export const uploadMissing: ErrorFactory<{ uploadId: string }> = defineError("TRACKING_UPLOAD_MISSING", {
  status: 404,
  message: ({ uploadId }) =>
    `There is no multipart upload '${uploadId}': it was completed, aborted, or belongs to another path`,
  solve: "Create the multipart upload again.",
});

export const uploadPartInvalid: ErrorFactory<{ problem: string }> = defineError("TRACKING_UPLOAD_PART_INVALID", {
  status: 400,
  message: ({ problem }) => `The multipart upload cannot be completed: ${problem}`,
  solve: "Send every part once to the address that was given for it, then complete with the parts and their ETags.",
});

/** MLflow's `ENDPOINT_NOT_FOUND`: clients fall back to an older call, or say that the server has none. */
export const callMissing: ErrorFactory<{ message: string }> = defineError("TRACKING_CALL_MISSING", {
  status: 404,
  message: ({ message }) => message,
  solve: "Check the path and the method; what MLflow has and this server has not is listed in docs/guides/mlflow.md.",
});

export const callMethodWrong: ErrorFactory<{ method: string; path: string; allowed: readonly string[] }> = defineError(
  "TRACKING_CALL_METHOD_WRONG",
  {
    status: 405,
    message: ({ method, path, allowed }) => `${path} is not called with ${method}. Expected: ${allowed.join(", ")}`,
    solve: "Use the method that the message names.",
  },
);

export const notImplemented: ErrorFactory<{ message: string }> = defineError("TRACKING_CALL_NOT_IMPLEMENTED", {
  status: 501,
  message: ({ message }) => message,
  solve: "Use another call: this one belongs to a part of MLflow that is not served here.",
});

export const attemptScopeExceeded: ErrorFactory<{ attemptId: string; what: string }> = defineError(
  "TRACKING_ATTEMPT_SCOPE",
  {
    status: 403,
    message: ({ attemptId, what }) =>
      `The token of attempt ${attemptId} may not ${what}: it writes the run of its own step, the runs it makes, what belongs to them, and registered models`,
    hint: () => "What a step should change beyond that is changed with a token of its own, given to it as a secret.",
    solve:
      "Log to the run of the step (`MLFLOW_RUN_ID`) or to one that the step itself starts; for anything else give the step a token of its own as a secret.",
  },
);
