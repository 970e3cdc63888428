import { defineError, type ErrorFactory } from "#base";

export const versionMissing: ErrorFactory<{
  asset: string;
  version: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("MODELS_VERSION_MISSING", {
  status: 404,
  message: ({ asset, version, known }) =>
    `There is no ${version} of model "${asset}"; ${known.length === 0 ? "no version was made yet" : `known: ${known.join(", ")}`}`,
  hint: ({ nearest }) =>
    nearest === undefined ? "Run the pipeline that makes it: esteira run PIPELINE" : `Did you mean ${nearest}?`,
  solve: "Run the pipeline that makes the model, or name an existing version.",
});

export const packageFileDamaged: ErrorFactory<{ file: string; digest: string; found: string }> = defineError(
  "MODELS_PACKAGE_FILE_DAMAGED",
  {
    status: 500,
    message: ({ file, digest, found }) =>
      `The file ${file} is damaged: it has digest ${found}, ${digest} was recorded. Nothing was exported of it`,
    hint: () =>
      "esteira verify names everything that is affected. Restore the file from a backup, or run again the step that made it.",
    solve: "Run `esteira verify`, then restore the file from a backup or run the step that made it again.",
  },
);

export const packageTargetExists: ErrorFactory<{ path: string }> = defineError("MODELS_PACKAGE_TARGET_EXISTS", {
  status: 409,
  message: ({ path }) => `${path} exists already and is neither an empty folder nor an OCI layout of models`,
  hint: () => "Name another path, or remove it first.",
  solve: "Choose a path that does not exist yet.",
});

export const packageInvalid: ErrorFactory<{ path: string; problem: string }> = defineError("MODELS_PACKAGE_INVALID", {
  status: 400,
  message: ({ path, problem }) => `The model package ${path} is damaged: ${problem}`,
  hint: () => "Export it again; compare the manifest digest with the one the export printed.",
  solve: "Export the package again, or copy it again from where it is whole.",
});

export const baseImageInvalid: ErrorFactory<{ folder: string; problem: string }> = defineError(
  "MODELS_PACKAGE_BASE_INVALID",
  {
    status: 422,
    message: ({ folder, problem }) => `The base image in ${folder} cannot be used: ${problem}`,
    hint: () => "It is a folder with an OCI image layout, as skopeo copy SOURCE oci:FOLDER:TAG writes it.",
    solve: "Give an OCI image layout as `base`: `skopeo copy docker://IMAGE oci:FOLDER:TAG` writes one.",
  },
);

export const lockFileUnreadable: ErrorFactory<{ path: string; problem: string }> = defineError(
  "MODELS_PACKAGE_LOCK_UNREADABLE",
  {
    status: 422,
    message: ({ path, problem }) => `The lock file ${path} cannot be read: ${problem}`,
    hint: () => "Write it anew with the tool that it belongs to, or leave it out of locks.",
    solve: "Write the lock file anew with its tool, or leave it out of `locks`.",
  },
);

export const codeNotPackable: ErrorFactory<{ asset: string; problem: string }> = defineError(
  "MODELS_PACKAGE_CODE_REFUSED",
  {
    status: 422,
    message: ({ asset, problem }) => `"${asset}" cannot be packaged: ${problem}`,
    hint: () => "Change what the step before leaves in its folder.",
    solve: "Change what the step that makes the code leaves in its folder.",
  },
);

export const codeMissing: ErrorFactory<{ asset: string; version: string; known: readonly string[] }> = defineError(
  "MODELS_PACKAGE_CODE_MISSING",
  {
    status: 404,
    message: ({ asset, version, known }) =>
      `There is no ${version} of code "${asset}"; ${known.length === 0 ? "no code has been made yet" : `there is ${known.join(", ")}`}`,
    hint: () => "Run the pipeline that makes it, or name one that exists.",
    solve: "Run the pipeline that makes the code, or name code and a version that exist.",
  },
);

export const codeTargetExists: ErrorFactory<{ path: string }> = defineError("MODELS_PACKAGE_FOLDER_EXISTS", {
  status: 409,
  message: ({ path }) => `${path} exists already and is no empty folder`,
  hint: () => "Name another path, or remove it first.",
  solve: "Choose a path that does not exist yet.",
});
