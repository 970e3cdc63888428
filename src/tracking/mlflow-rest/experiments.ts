import { mlflowRoutes } from "#api";
import type { KeyValue } from "#metadata-store/registry";
import {
  createExperiment,
  deleteExperimentTag,
  findExperiment,
  type LifecycleStage,
  renameExperiment,
  searchExperiments,
  setExperimentStage,
  setExperimentTag,
} from "#metadata-store/tracking";
import { appendPath, readArtifactLocation } from "../artifact-uri.ts";
import {
  experimentExists,
  experimentMissing,
  experimentNameMissing,
  experimentRenameTaken,
  parameterInvalid,
  tagMissing,
} from "../errors.ts";
import { parseExperimentFilter, parseExperimentOrder } from "../search/experiment-filter.ts";
import { readOrders } from "../search/order-by.ts";
import { stagesOf } from "./lifecycle-view.ts";
import { assertKeyName, assertLength } from "./name-rules.ts";
import { readPageToken, readPosition, writePageToken } from "./page-token.ts";
import type { MlflowCall } from "./call.ts";
import {
  activeExperiment,
  existingExperiment,
  pageSize,
  parseExperimentId,
  route,
  type TrackingCall,
  type TrackingContext,
} from "./tracking-call.ts";
import { unlessEmpty, wireExperiment } from "./wire-run.ts";

/** Where clients log who name no experiment: everybody's, so it is an administrator's to take away. */
const DEFAULT_EXPERIMENT = 0;
const LONGEST_NAME = 500;
const LONGEST_TAG_KEY = 250;
const LONGEST_TAG_VALUE = 5000;
const LARGEST_PAGE = 50_000;
const STANDARD_PAGE = 1000;

/** `experiments/…` */
export function experimentRoutes(context: TrackingContext): readonly MlflowCall[] {
  const { store, artifactRoot } = context;
  const search = (call: TrackingCall): Promise<object> => searchCall(context, call);
  return [
    route(context, mlflowRoutes.createExperiment, (call) => createCall(context, call)),
    route(context, mlflowRoutes.getExperiment, async ({ fields }) => {
      const id = fields.requiredString("experiment_id");
      return {
        experiment: wireExperiment(
          await store.read((transaction) => existingExperiment(transaction, id)),
          artifactRoot,
        ),
      };
    }),
    route(context, mlflowRoutes.getExperimentByName, async ({ fields }) => {
      const name = fields.requiredString("experiment_name");
      const experiment = await store.read((transaction) => findExperiment(transaction, { name }));
      if (experiment === undefined) throw experimentNameMissing({ name });
      return { experiment: wireExperiment(experiment, artifactRoot) };
    }),
    route(context, mlflowRoutes.searchExperiments, search),
    route(context, mlflowRoutes.searchExperimentsByQuery, search),
    route(context, mlflowRoutes.updateExperiment, (call) => renameCall(context, call)),
    route(context, mlflowRoutes.deleteExperiment, (call) => stageCall(context, call, "deleted")),
    route(context, mlflowRoutes.restoreExperiment, (call) => stageCall(context, call, "active")),
    route(context, mlflowRoutes.setExperimentTag, async ({ fields, atMs }) => {
      const id = fields.requiredString("experiment_id");
      const tag = readTag(fields.requiredString("key"), fields.string("value"));
      await store.write(async (transaction) => {
        const { experimentId } = await activeExperiment(transaction, id);
        await setExperimentTag(transaction, { experimentId, ...tag, sequence: atMs * 1000 });
      });
      return {};
    }),
    route(context, mlflowRoutes.deleteExperimentTag, async ({ fields }) => {
      const id = fields.requiredString("experiment_id");
      const key = fields.requiredString("key");
      await store.write(async (transaction) => {
        const { experimentId } = await activeExperiment(transaction, id);
        if (!(await deleteExperimentTag(transaction, { experimentId, key })))
          throw tagMissing({ key, subject: `experiment with id ${id}` });
      });
      return {};
    }),
  ];
}

function readTag(key: string, value: string | undefined): KeyValue {
  assertKeyName(key, "key");
  assertLength("key", key, LONGEST_TAG_KEY);
  assertLength("value", value ?? "", LONGEST_TAG_VALUE);
  return { key, value: value ?? "" };
}

async function createCall(
  { store, project, artifactRoot }: TrackingContext,
  { fields, atMs, actor }: TrackingCall,
): Promise<object> {
  const name = fields.requiredString("name");
  assertLength("name", name, LONGEST_NAME);
  const location = readArtifactLocation(fields.string("artifact_location") ?? "");
  const tags = fields.messages("tags").map((tag) => readTag(tag.requiredString("key"), tag.string("value")));
  const artifactLocation = (id: number): string => (location === "" ? appendPath(artifactRoot, String(id)) : location);
  const id = await store.write((transaction) =>
    createExperiment(transaction, { project, name, artifactLocation, tags, atMs, actor }),
  );
  if (id === undefined) throw experimentExists({ name });
  return { experiment_id: String(id) };
}

async function renameCall(
  { store, project }: TrackingContext,
  { fields, atMs, actor, request }: TrackingCall,
): Promise<object> {
  const id = fields.requiredString("experiment_id");
  if (parseExperimentId(id) === DEFAULT_EXPERIMENT) request.assertMay("administer");
  const name = fields.requiredString("new_name");
  assertLength("new_name", name, LONGEST_NAME);
  await store.write(async (transaction) => {
    const { experimentId, lifecycleStage } = await existingExperiment(transaction, id);
    if (lifecycleStage === "deleted") throw parameterInvalid({ message: "Cannot rename a non-active experiment." });
    if (!(await renameExperiment(transaction, { experimentId, project, name, atMs, actor })))
      throw experimentRenameTaken({ name });
  });
  return {};
}

async function stageCall(
  { store, project }: TrackingContext,
  { fields, atMs, actor, request }: TrackingCall,
  stage: LifecycleStage,
): Promise<object> {
  const id = fields.requiredString("experiment_id");
  if (parseExperimentId(id) === DEFAULT_EXPERIMENT) request.assertMay("administer");
  await store.write(async (transaction) => {
    const { experimentId, lifecycleStage } = await existingExperiment(transaction, id);
    if (lifecycleStage === stage) throw experimentMissing({ experimentId: id });
    await setExperimentStage(transaction, { experimentId, project, stage, atMs, actor });
  });
  return {};
}

async function searchCall({ store, artifactRoot }: TrackingContext, { fields }: TrackingCall): Promise<object> {
  const limit = pageSize(fields, STANDARD_PAGE);
  if (limit > LARGEST_PAGE)
    throw parameterInvalid({
      message: `Invalid value ${limit} for parameter 'max_results' supplied. It must be at most ${LARGEST_PAGE}`,
    });
  const conditions = parseExperimentFilter(fields.string("filter") ?? "");
  const order = readOrders(fields.strings("order_by"), parseExperimentOrder);
  const token = fields.string("page_token");
  const after = token === undefined || token === "" ? undefined : readPosition(readPageToken(token)["after"]);
  const query = {
    stages: stagesOf(fields.raw("view_type")),
    conditions,
    order,
    limit,
    ...(after === undefined ? {} : { after }),
  };
  const { experiments, next } = await store.read((transaction) => searchExperiments(transaction, query));
  return {
    ...unlessEmpty(
      "experiments",
      experiments.map((experiment) => wireExperiment(experiment, artifactRoot)),
    ),
    ...(next === undefined ? {} : { next_page_token: writePageToken({ after: next }) }),
  };
}
