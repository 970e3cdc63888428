import { mlflowRoutes } from "#api";
import {
  createModelVersion,
  deleteModelVersion,
  deleteModelVersionTag,
  getModelVersion,
  isPromptModel,
  isPromptTag,
  type ModelVersionCondition,
  type ModelVersionOrder,
  searchModelVersions,
  setModelVersionTag,
  transitionModelVersion,
  updateModelVersion,
} from "#metadata-store/registry";
import {
  type MlflowResponse,
  type MlflowCall,
  parameterInvalid,
  parseModelVersionFilter,
  parseModelVersionOrder,
  readOrders,
} from "#tracking";
import { assertPromotion, CHAMPION_ALIAS } from "../protected-alias.ts";
import { resolveSource } from "../version-source.ts";
import { readAfter, writeAfter } from "./position-token.ts";
import { readLimit } from "./registered-models.ts";
import { rawRoute, type RegistryCall, type RegistryContext, route } from "./registry-context.ts";
import { assertTag, readTags, readVersion, toModelVersionMessage, unlessEmpty } from "./registry-message.ts";
import { readStage } from "./stage.ts";

const DEFAULT_PAGE = 10_000;
const LARGEST_PAGE = 200_000;
const ORDER: Readonly<Record<string, ModelVersionOrder>> = {
  name: "name",
  version_number: "version",
  creation_timestamp: "created",
  last_updated_timestamp: "updated",
};

/** `model-versions/…` of MLflow's REST API. */
export function modelVersionRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.createModelVersion, (call) => create(context, call)),
    route(context, mlflowRoutes.getModelVersion, async (call) => {
      const key = reading(call);
      return {
        model_version: toModelVersionMessage(
          await store.read((transaction) => getModelVersion(transaction, key)),
          true,
        ),
      };
    }),
    route(context, mlflowRoutes.updateModelVersion, async (call) => {
      const change = { ...writing(call), description: call.fields.string("description") };
      return {
        model_version: toModelVersionMessage(
          await store.write((transaction) => updateModelVersion(transaction, change)),
        ),
      };
    }),
    route(context, mlflowRoutes.transitionModelVersionStage, (call) => transition(context, call)),
    route(context, mlflowRoutes.deleteModelVersion, async (call) => {
      const change = writing(call);
      await store.write(async (transaction) => {
        const { aliases } = await getModelVersion(transaction, change);
        for (const alias of aliases)
          await assertPromotion(context, transaction, { ...change, alias, version: undefined });
        await deleteModelVersion(transaction, change);
      });
      return {};
    }),
    route(context, mlflowRoutes.searchModelVersions, (call) => search(context, call)),
    route(context, mlflowRoutes.searchModelVersionsByBody, (call) => search(context, call)),
    route(context, mlflowRoutes.getModelVersionDownloadUri, async (call) => {
      const key = reading(call);
      return { artifact_uri: (await store.read((transaction) => getModelVersion(transaction, key))).storageLocation };
    }),
    route(context, mlflowRoutes.setModelVersionTag, async (call) => {
      const tag = { key: call.fields.requiredString("key"), value: call.fields.string("value") ?? "" };
      assertTag(tag);
      const change = { ...writing(call), ...tag };
      await store.write((transaction) => setModelVersionTag(transaction, change));
      context.webhooks.wake();
      return {};
    }),
    route(context, mlflowRoutes.deleteModelVersionTag, async (call) => {
      const change = { ...writing(call), key: call.fields.requiredString("key") };
      await store.write((transaction) => deleteModelVersionTag(transaction, change));
      context.webhooks.wake();
      return {};
    }),
    rawRoute(context, mlflowRoutes.getModelVersionArtifact, (call) => getArtifact(context, call)),
    rawRoute(context, mlflowRoutes.getModelVersionArtifactOfPage, (call) => getArtifact(context, call)),
  ];
}

async function create(context: RegistryContext, { fields, atMs, actor }: RegistryCall): Promise<object> {
  const name = fields.requiredString("name");
  const source = fields.requiredString("source");
  const facts = {
    name,
    source,
    runId: emptyAsAbsent(fields.string("run_id")),
    runLink: emptyAsAbsent(fields.string("run_link")),
    loggedModelId: emptyAsAbsent(fields.string("model_id")),
    description: fields.string("description"),
    tags: readTags(fields),
    atMs,
    actor,
  };
  const version = await context.store.write(async (transaction) => {
    const resolved = await resolveSource(transaction, {
      ...facts,
      isPrompt: isPromptTag(facts.tags) || (await isPromptModel(transaction, name)),
    });
    return createModelVersion(transaction, { ...facts, ...resolved });
  });
  context.webhooks.wake();
  return { model_version: toModelVersionMessage(version) };
}

async function transition(context: RegistryContext, call: RegistryCall): Promise<object> {
  const stage = readStage(call.fields.requiredString("stage"));
  const archiveOthers = call.fields.boolean("archive_existing_versions") ?? false;
  if (archiveOthers && (stage === "None" || stage === "Archived")) {
    throw parameterInvalid({
      message: `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
    });
  }
  const change = { ...writing(call), stage, archiveOthers };
  return {
    model_version: toModelVersionMessage(
      await context.store.write(async (transaction) => {
        // Clients load by stage as they load by alias: `models:/delay/Production`.
        if (stage === "Production") await assertPromotion(context, transaction, { ...change, alias: CHAMPION_ALIAS });
        return transitionModelVersion(transaction, change);
      }),
    ),
  };
}

async function getArtifact(context: RegistryContext, call: RegistryCall): Promise<MlflowResponse> {
  const key = reading(call);
  const path = call.fields.requiredString("path");
  const { storageLocation } = await context.store.read((transaction) => getModelVersion(transaction, key));
  return context.artifacts.download({ location: storageLocation, path, request: call.request });
}

function reading({ fields }: RegistryCall): { name: string; version: number } {
  return { name: fields.requiredString("name"), version: readVersion(fields) };
}

function writing({ fields, atMs, actor }: RegistryCall): {
  name: string;
  version: number;
  atMs: number;
  actor: string;
} {
  return { name: fields.requiredString("name"), version: readVersion(fields), atMs, actor };
}

async function search(context: RegistryContext, { fields }: RegistryCall): Promise<object> {
  const limit = readLimit(fields, DEFAULT_PAGE, LARGEST_PAGE);
  const orderBy = readOrders(fields.strings("order_by"), parseModelVersionOrder);
  const conditions = parseModelVersionFilter(fields.string("filter") ?? "").map(toCondition);
  const after = readAfter(fields);
  const { versions, next } = await context.store.read((transaction) =>
    searchModelVersions(transaction, {
      conditions,
      orderBy: orderBy.map(({ key, ascending }) => ({ by: ORDER[key] ?? "name", descending: !ascending })),
      limit,
      ...(after === undefined ? {} : { after }),
    }),
  );
  return {
    ...unlessEmpty(
      "model_versions",
      versions.map((version) => toModelVersionMessage(version)),
    ),
    ...writeAfter(next),
  };
}

function toCondition({
  entity,
  key,
  comparator,
  value,
}: ReturnType<typeof parseModelVersionFilter>[number]): ModelVersionCondition {
  if (entity === "attribute" && key === "version_number")
    return { on: "version", comparator, value } as ModelVersionCondition;
  const test = { comparator, value } as { readonly comparator: "="; readonly value: string };
  if (entity === "tag") return { on: "tag", key, ...test };
  return { on: key === "source_path" ? "source" : (key as "name" | "run_id"), ...test };
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
