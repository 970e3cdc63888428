import { defineError, type ErrorFactory } from "#base";

export const registeredModelMissing: ErrorFactory<{ name: string }> = defineError(
  "METADATA_STORE_REGISTERED_MODEL_MISSING",
  {
    status: 404,
    message: ({ name }) => `Registered Model with name=${name} not found`,
    solve: "Check the model's name; the list of registered models shows all of them.",
  },
);

export const registeredModelExists: ErrorFactory<{ name: string }> = defineError(
  "METADATA_STORE_REGISTERED_MODEL_EXISTS",
  {
    status: 409,
    message: ({ name }) => `Registered Model (name=${name}) already exists.`,
    solve: "Choose another name, or add a version to the model that exists.",
  },
);

export const modelVersionMissing: ErrorFactory<{ name: string; version: number | bigint | string }> = defineError(
  "METADATA_STORE_MODEL_VERSION_MISSING",
  {
    status: 404,
    message: ({ name, version }) => `Model Version (name=${name}, version=${version}) not found`,
    solve: "Check the model's name and the version's number; deleted versions do not come back.",
  },
);

export const modelAliasMissing: ErrorFactory<{ alias: string }> = defineError("METADATA_STORE_MODEL_ALIAS_MISSING", {
  status: 400,
  message: ({ alias }) => `Registered model alias ${alias} not found.`,
  solve: "Set the alias first, or use one that the registered model has.",
});

export const loggedModelMissing: ErrorFactory<{ id: string }> = defineError("METADATA_STORE_LOGGED_MODEL_MISSING", {
  status: 404,
  message: ({ id }) => `Logged model with ID '${id}' not found.`,
  solve: "Check the logged model's id; deleted ones are read with `allow_deleted=true`.",
});

export const loggedModelTagMissing: ErrorFactory<{ id: string; key: string }> = defineError(
  "METADATA_STORE_LOGGED_MODEL_TAG_MISSING",
  {
    status: 404,
    message: ({ id, key }) => `No tag with key '${key}' found for model with ID '${id}'.`,
    solve: "Check the tag's key: the logged model has no such tag.",
  },
);

export const loggedModelParamTaken: ErrorFactory<{ id: string; key: string }> = defineError(
  "METADATA_STORE_LOGGED_MODEL_PARAM_TAKEN",
  {
    status: 400,
    message: ({ id, key }) =>
      `The logged model '${id}' already has a param with key '${key}'. Params of a logged model cannot be changed.`,
    solve: "Params of logged models are written once: use another key, or log a new model.",
  },
);

export const webhookMissing: ErrorFactory<{ id: string }> = defineError("METADATA_STORE_WEBHOOK_MISSING", {
  status: 404,
  message: ({ id }) => `Webhook with ID ${id} not found.`,
  solve: "Check the webhook's id; the list of webhooks shows all of them.",
});
