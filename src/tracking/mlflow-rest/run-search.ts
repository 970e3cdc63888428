import { mlflowRoutes } from "#api";
import { type RunQuery, searchRuns, summarizeDatasets } from "#metadata-store/tracking";
import { parameterInvalid, parameterWrongType } from "../errors.ts";
import { readOrders } from "../search/order-by.ts";
import { parseRunFilter, parseRunOrder } from "../search/run-filter.ts";
import { stagesOf } from "./lifecycle-view.ts";
import { readPageToken, readPosition, writePageToken } from "./page-token.ts";
import type { MlflowCall } from "./call.ts";
import { pageSize, parseExperimentId, route, type TrackingCall, type TrackingContext } from "./tracking-call.ts";
import { unlessEmpty, wireRun } from "./wire-run.ts";

const STANDARD_PAGE = 1000;
const LARGEST_PAGE = 50_000;
const MOST_EXPERIMENTS = 20;
const MOST_DATASETS = 1000;

/** `runs/search, experiments/search-datasets` */
export function runSearchRoutes(context: TrackingContext): readonly MlflowCall[] {
  return [
    route(context, mlflowRoutes.searchRuns, (call) => searchCall(context, call)),
    route(context, mlflowRoutes.searchDatasets, (call) => datasetsCall(context, call)),
  ];
}

async function searchCall({ store }: TrackingContext, { fields }: TrackingCall): Promise<object> {
  const experimentIds = fields.strings("experiment_ids").map(parseExperimentId);
  const limit = pageSize(fields, STANDARD_PAGE);
  if (limit > LARGEST_PAGE)
    throw parameterWrongType({ parameter: "max_results", value: fields.raw("max_results") ?? limit });
  const conditions = parseRunFilter(fields.string("filter") ?? "");
  const entries = fields.strings("order_by");
  const order = readOrders(entries, parseRunOrder);
  assertDistinct(entries, order);
  const token = fields.string("page_token");
  const query: RunQuery = {
    experimentIds,
    stages: stagesOf(fields.raw("run_view_type")),
    conditions,
    order,
    limit,
    ...(token === undefined || token === "" ? {} : { after: readPosition(readPageToken(token)["after"]) }),
  };
  const { runs, next } = await store.read((transaction) => searchRuns(transaction, query));
  return {
    ...unlessEmpty("runs", runs.map(wireRun)),
    ...(next === undefined ? {} : { next_page_token: writePageToken({ after: next }) }),
  };
}

function assertDistinct(entries: readonly string[], order: RunQuery["order"]): void {
  const keys = order.map(({ entity, key }) => `${entity}.${key}`);
  if (new Set(keys).size === keys.length) return;
  const twice = entries.filter((_, index) => keys.indexOf(keys[index] ?? "") !== keys.lastIndexOf(keys[index] ?? ""));
  throw parameterInvalid({
    message: `\`order_by\` contains duplicate fields: [${twice.map((entry) => `'${entry}'`).join(", ")}]`,
  });
}

async function datasetsCall({ store }: TrackingContext, { fields }: TrackingCall): Promise<object> {
  const experimentIds = fields.strings("experiment_ids").map(parseExperimentId);
  if (experimentIds.length === 0)
    throw parameterInvalid({ message: "SearchDatasets request must specify at least one experiment_id." });
  if (experimentIds.length > MOST_EXPERIMENTS) {
    throw parameterInvalid({
      message: `SearchDatasets request cannot specify more than ${MOST_EXPERIMENTS} experiment_ids. Received ${experimentIds.length} experiment_ids.`,
    });
  }
  const datasets = await store.read((transaction) =>
    summarizeDatasets(transaction, { experimentIds, limit: MOST_DATASETS }),
  );
  const summaries = datasets.map(({ experimentId, name, digest, context }) => ({
    experiment_id: String(experimentId),
    name,
    digest,
    ...(context === undefined ? {} : { context }),
  }));
  return unlessEmpty("dataset_summaries", summaries);
}
