import { randomBytes } from "node:crypto";
import { mlflowRoutes } from "#api";
import {
  addLoggedModelParams,
  createLoggedModel,
  deleteLoggedModel,
  deleteLoggedModelTag,
  getExperimentLocation,
  getLoggedModel,
  LOGGED_MODEL_STATUSES,
  type LoggedModelChange,
  setLoggedModelStatus,
  setLoggedModelTags,
} from "#metadata-store/registry";
import { ATTEMPT_TAG } from "#metadata-store/tracking";
import {
  appendPath,
  artifactSegments,
  experimentMissing,
  filesField,
  type MlflowMessage,
  type MlflowResponse,
  type MlflowCall,
  parameterInvalid,
  toFile,
} from "#tracking";
import { generateLoggedModelName } from "../logged-model-name.ts";
import { assertLoggedModelName } from "../registry-names.ts";
import { searchRoute } from "./logged-model-search.ts";
import { rawRoute, type RegistryCall, type RegistryContext, route } from "./registry-context.ts";
import { readTags, toLoggedModelMessage } from "./registry-message.ts";

const KEY_LIMIT = 250;
const STATUS_NUMBERS = {
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
} as const satisfies Record<(typeof LOGGED_MODEL_STATUSES)[number], number>;

/** `logged-models` of MLflow's REST API. */
export function loggedModelRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.createLoggedModel, (call) => create(context, call)),
    searchRoute(context),
    route(context, mlflowRoutes.getLoggedModel, async (call) => {
      const withDeleted = call.fields.boolean("allow_deleted") ?? false;
      const model = await store.read((transaction) => getLoggedModel(transaction, idOf(call), { withDeleted }));
      return { model: toLoggedModelMessage(model) };
    }),
    route(context, mlflowRoutes.finalizeLoggedModel, async (call) => {
      call.fields.requiredString("model_id");
      const status = call.fields.enumeration("status", STATUS_NUMBERS);
      if (status === undefined) call.fields.requiredString("status");
      const change = { ...changing(context, call), status: status ?? "LOGGED_MODEL_READY" };
      return {
        model: toLoggedModelMessage(await store.write((transaction) => setLoggedModelStatus(transaction, change))),
      };
    }),
    route(context, mlflowRoutes.deleteLoggedModel, async (call) => {
      const change = changing(context, call);
      await store.write((transaction) => deleteLoggedModel(transaction, change));
      return {};
    }),
    route(context, mlflowRoutes.setLoggedModelTags, async (call) => {
      const change = { ...changing(context, call), tags: readTags(call.fields) };
      await store.write((transaction) => setLoggedModelTags(transaction, change));
      return {};
    }),
    route(context, mlflowRoutes.deleteLoggedModelTag, async (call) => {
      const change = { ...changing(context, call), key: call.request.params["key"] ?? "" };
      await store.write((transaction) => deleteLoggedModelTag(transaction, change));
      return {};
    }),
    route(context, mlflowRoutes.logLoggedModelParams, async (call) => {
      call.fields.requiredString("model_id");
      const change = { ...changing(context, call), params: readParams(call.fields) };
      await store.write((transaction) => addLoggedModelParams(transaction, change));
      return {};
    }),
    route(context, mlflowRoutes.listLoggedModelArtifacts, async (call) => {
      const folder = (call.fields.string("artifact_directory_path") ?? "").replace(/\/+$/, "");
      artifactSegments(folder);
      const { artifactUri } = await store.read((transaction) => getLoggedModel(transaction, idOf(call)));
      const held = context.artifacts.at(artifactUri, folder);
      const entries = await held.folder.list(held.path);
      return { root_uri: artifactUri, ...filesField(entries.map((entry) => toFile(entry, folder))) };
    }),
    rawRoute(context, mlflowRoutes.getLoggedModelArtifact, (call) => download(context, call)),
  ];
}

async function create(context: RegistryContext, { fields, atMs, actor, request }: RegistryCall): Promise<object> {
  const experimentId = fields.requiredString("experiment_id");
  const { attempt } = request.identity;
  const given = fields.string("name");
  if (given !== undefined && given !== "") assertLoggedModelName(given);
  const id = `m-${randomBytes(16).toString("hex")}`;
  const model = await context.store.write(async (transaction) => {
    const experiment = await getExperimentLocation(transaction, experimentId);
    if (experiment === undefined) throw experimentMissing({ experimentId });
    return createLoggedModel(transaction, {
      id,
      project: context.project,
      experimentId,
      name: given === undefined || given === "" ? generateLoggedModelName() : given,
      artifactUri: appendPath(
        experiment.artifactLocation ?? appendPath(context.artifactRoot, experimentId),
        "models",
        id,
        "artifacts",
      ),
      modelType: fields.string("model_type"),
      sourceRunId: fields.string("source_run_id"),
      params: readParams(fields),
      tags:
        attempt === undefined
          ? readTags(fields)
          : [
              ...readTags(fields).filter(({ key }) => key !== ATTEMPT_TAG),
              { key: ATTEMPT_TAG, value: attempt.attemptId },
            ],
      atMs,
      actor,
    });
  });
  return { model: toLoggedModelMessage(model) };
}

async function download(context: RegistryContext, call: RegistryCall): Promise<MlflowResponse> {
  const path = call.fields.requiredString("artifact_file_path");
  const { artifactUri } = await context.store.read((transaction) => getLoggedModel(transaction, idOf(call)));
  return context.artifacts.download({ location: artifactUri, path, request: call.request });
}

/** Who changes which logged model. */
function changing(context: RegistryContext, call: RegistryCall): LoggedModelChange {
  return { id: idOf(call), project: context.project, atMs: call.atMs, actor: call.actor };
}

function idOf({ request }: RegistryCall): string {
  return request.params["modelId"] ?? "";
}

function readParams(fields: MlflowMessage): readonly { key: string; value: string }[] {
  return fields.messages("params").map((param) => {
    const key = param.requiredString("key");
    if (key.length > KEY_LIMIT)
      throw parameterInvalid({ message: `'key' exceeds the maximum length of ${KEY_LIMIT} characters` });
    return { key, value: param.string("value") ?? "" };
  });
}
