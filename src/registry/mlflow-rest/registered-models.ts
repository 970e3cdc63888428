import { mlflowRoutes } from "#api";
import {
  createRegisteredModel,
  deleteRegisteredModel,
  deleteRegisteredModelAlias,
  deleteRegisteredModelTag,
  getLatestModelVersions,
  getModelVersionByAlias,
  getRegisteredModel,
  type RegisteredModelCondition,
  renameRegisteredModel,
  searchRegisteredModels,
  setRegisteredModelAlias,
  setRegisteredModelTag,
  updateRegisteredModel,
} from "#metadata-store/registry";
import {
  type MlflowMessage,
  type MlflowCall,
  parameterWrongType,
  parseRegisteredModelFilter,
  parseRegisteredModelOrder,
  readOrders,
} from "#tracking";
import { assertAliasName, assertModelName } from "../registry-names.ts";
import { assertPromotion } from "../protected-alias.ts";
import { readAfter, writeAfter } from "./position-token.ts";
import { type RegistryCall, type RegistryContext, route } from "./registry-context.ts";
import {
  assertTag,
  readTags,
  readVersion,
  toModelVersionMessage,
  toRegisteredModelMessage,
  unlessEmpty,
} from "./registry-message.ts";
import { readStage } from "./stage.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

/** `registered-models/…` of MLflow's REST API. */
export function registeredModelRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.createRegisteredModel, async ({ fields, atMs, actor }) => {
      const name = fields.requiredString("name");
      assertModelName(name);
      const facts = {
        project: context.project,
        name,
        description: fields.string("description"),
        tags: readTags(fields),
        atMs,
        actor,
      };
      const model = await store.write((transaction) => createRegisteredModel(transaction, facts));
      context.webhooks.wake();
      return { registered_model: toRegisteredModelMessage(model) };
    }),
    route(context, mlflowRoutes.renameRegisteredModel, async (call) => {
      const change = { ...writing(call), newName: call.fields.requiredString("new_name") };
      assertModelName(change.newName);
      return {
        registered_model: toRegisteredModelMessage(
          await store.write((transaction) => renameRegisteredModel(transaction, change)),
        ),
      };
    }),
    route(context, mlflowRoutes.updateRegisteredModel, async (call) => {
      const change = { ...writing(call), description: call.fields.string("description") };
      return {
        registered_model: toRegisteredModelMessage(
          await store.write((transaction) => updateRegisteredModel(transaction, change)),
        ),
      };
    }),
    route(context, mlflowRoutes.deleteRegisteredModel, async (call) => {
      const change = writing(call);
      await store.write(async (transaction) => {
        const { aliases } = await getRegisteredModel(transaction, change.name);
        for (const { alias } of aliases)
          await assertPromotion(context, transaction, { ...change, alias, version: undefined });
        await deleteRegisteredModel(transaction, change);
      });
      return {};
    }),
    route(context, mlflowRoutes.getRegisteredModel, async ({ fields }) => {
      const name = fields.requiredString("name");
      return {
        registered_model: toRegisteredModelMessage(
          await store.read((transaction) => getRegisteredModel(transaction, name)),
        ),
      };
    }),
    route(context, mlflowRoutes.searchRegisteredModels, (call) => search(context, call)),
    route(context, mlflowRoutes.searchRegisteredModelsByBody, (call) => search(context, call)),
    route(context, mlflowRoutes.getLatestVersionsByQuery, (call) => latestVersions(context, call)),
    route(context, mlflowRoutes.getLatestVersions, (call) => latestVersions(context, call)),
    ...tagRoutes(context),
    ...aliasRoutes(context),
  ];
}

function tagRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.setRegisteredModelTag, async (call) => {
      const tag = { key: call.fields.requiredString("key"), value: call.fields.string("value") ?? "" };
      assertTag(tag);
      const change = { ...writing(call), ...tag };
      await store.write((transaction) => setRegisteredModelTag(transaction, change));
      context.webhooks.wake();
      return {};
    }),
    route(context, mlflowRoutes.deleteRegisteredModelTag, async (call) => {
      const change = { ...writing(call), key: call.fields.requiredString("key") };
      await store.write((transaction) => deleteRegisteredModelTag(transaction, change));
      context.webhooks.wake();
      return {};
    }),
  ];
}

function aliasRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.setRegisteredModelAlias, async (call) => {
      const alias = call.fields.requiredString("alias");
      assertAliasName(alias);
      const change = { ...writing(call), alias, version: readVersion(call.fields) };
      await store.write(async (transaction) => {
        await assertPromotion(context, transaction, change);
        await setRegisteredModelAlias(transaction, change);
      });
      context.webhooks.wake();
      return {};
    }),
    route(context, mlflowRoutes.deleteRegisteredModelAlias, async (call) => {
      const change = { ...writing(call), alias: call.fields.requiredString("alias") };
      await store.write(async (transaction) => {
        await assertPromotion(context, transaction, { ...change, version: undefined });
        await deleteRegisteredModelAlias(transaction, change);
      });
      context.webhooks.wake();
      return {};
    }),
    route(context, mlflowRoutes.getModelVersionByAlias, async ({ fields }) => {
      const key = { name: fields.requiredString("name"), alias: fields.requiredString("alias") };
      return {
        model_version: toModelVersionMessage(
          await store.read((transaction) => getModelVersionByAlias(transaction, key)),
          true,
        ),
      };
    }),
  ];
}

function writing({ fields, atMs, actor }: RegistryCall): { name: string; atMs: number; actor: string } {
  return { name: fields.requiredString("name"), atMs, actor };
}

async function latestVersions(context: RegistryContext, { fields }: RegistryCall): Promise<object> {
  const key = { name: fields.requiredString("name"), stages: fields.strings("stages").map(readStage) };
  const versions = await context.store.read((transaction) => getLatestModelVersions(transaction, key));
  return unlessEmpty(
    "model_versions",
    versions.map((version) => toModelVersionMessage(version)),
  );
}

async function search(context: RegistryContext, { fields }: RegistryCall): Promise<object> {
  const limit = readLimit(fields, DEFAULT_PAGE, LARGEST_PAGE);
  const orderBy = readOrders(fields.strings("order_by"), parseRegisteredModelOrder);
  const after = readAfter(fields);
  const { models, next } = await context.store.read((transaction) =>
    searchRegisteredModels(transaction, {
      conditions: parseRegisteredModelFilter(fields.string("filter") ?? "").map(toCondition),
      orderBy: orderBy.map(({ key, ascending }) => ({
        by: key === "name" ? "name" : "updated",
        descending: !ascending,
      })),
      limit,
      ...(after === undefined ? {} : { after }),
    }),
  );
  return { ...unlessEmpty("registered_models", models.map(toRegisteredModelMessage)), ...writeAfter(next) };
}

function toCondition({
  entity,
  key,
  comparator,
  value,
}: ReturnType<typeof parseRegisteredModelFilter>[number]): RegisteredModelCondition {
  const test = { comparator, value } as Pick<RegisteredModelCondition, "comparator" | "value">;
  return entity === "tag" ? { on: "tag", key, ...test } : { on: "name", ...test };
}

/** `max_results`; 0 is the default. @throws TRACKING_PARAMETER_WRONG_TYPE beyond the largest page */
export function readLimit(fields: MlflowMessage, byDefault: number, largest: number): number {
  const limit = fields.integer("max_results") ?? 0;
  if (limit < 0 || limit > largest)
    throw parameterWrongType({ parameter: "max_results", value: fields.raw("max_results") ?? null });
  return limit === 0 ? byDefault : limit;
}
