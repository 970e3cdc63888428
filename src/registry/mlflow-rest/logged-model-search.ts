import { mlflowRoutes } from "#api";
import {
  type LoggedModelCondition,
  type LoggedModelOrder,
  LOGGED_MODEL_NUMBERS,
  searchLoggedModels,
} from "#metadata-store/registry";
import { digestOfJson } from "#base";
import {
  type MlflowMessage,
  type MlflowCall,
  parameterInvalid,
  parameterMissing,
  parseLoggedModelFilter,
  parseLoggedModelOrderField,
  readOrders,
  readPageToken,
  readPosition,
  writePageToken,
} from "#tracking";
import { type RegistryContext, route } from "./registry-context.ts";
import { toLoggedModelMessage, unlessEmpty } from "./registry-message.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

/** What a token is bound to, besides the place where the next page starts. */
interface Bound {
  readonly experimentIds: readonly string[];
  readonly filter: string | undefined;
  readonly orderBy: unknown;
}

/** `logged-models/search`. */
export function searchRoute(context: RegistryContext): MlflowCall {
  return route(context, mlflowRoutes.searchLoggedModels, async ({ fields }) => {
    const experimentIds = fields.strings("experiment_ids");
    if (experimentIds.length === 0) throw parameterMissing({ parameter: "experiment_ids" });
    const filter = fields.string("filter");
    const bound: Bound = { experimentIds, filter, orderBy: fields.raw("order_by") ?? [] };
    const after = readToken(fields, bound);
    const query = {
      experimentIds,
      conditions: parseLoggedModelFilter(filter ?? "").map(toCondition),
      datasets: readDatasets(fields),
      orderBy: readOrders(fields.messages("order_by"), readOrder),
      limit: readLimit(fields),
      ...(after === undefined ? {} : { after }),
    };
    const { models, next } = await context.store.read((transaction) => searchLoggedModels(transaction, query));
    const token =
      next === undefined
        ? {}
        : { next_page_token: writePageToken({ after: next, filter: filter ?? null, query: digestOf(bound) }) };
    return { ...unlessEmpty("models", models.map(toLoggedModelMessage)), ...token };
  });
}

function readLimit(fields: MlflowMessage): number {
  const limit = fields.integer("max_results") ?? 0;
  if (limit < 0)
    throw parameterInvalid({
      message: `Invalid value ${limit} for parameter 'max_results' supplied: It must be a positive integer or 0 for the default`,
    });
  return limit === 0 ? DEFAULT_PAGE : Math.min(limit, LARGEST_PAGE);
}

function toCondition({
  entity,
  key,
  comparator,
  value,
}: ReturnType<typeof parseLoggedModelFilter>[number]): LoggedModelCondition {
  const test = { comparator, value: entity === "attributes" && key === "status" ? toStatus(value) : value };
  switch (entity) {
    case "metrics":
      return { on: "metric", key, ...test } as LoggedModelCondition;
    case "params":
      return { on: "param", key, ...test } as LoggedModelCondition;
    case "tags":
      return { on: "tag", key, ...test } as LoggedModelCondition;
    case "attributes":
      return {
        on: (LOGGED_MODEL_NUMBERS as readonly string[]).includes(key) ? "number" : "attribute",
        key,
        ...test,
      } as LoggedModelCondition;
  }
}

/** `READY` is what MLflow's client calls it, `LOGGED_MODEL_READY` what the protocol does: both are understood. */
function toStatus(value: string | number | readonly string[] | undefined): typeof value {
  if (typeof value === "string") return /^(PENDING|READY|UPLOAD_FAILED)$/.test(value) ? `LOGGED_MODEL_${value}` : value;
  return Array.isArray(value) ? value.map((word: string) => toStatus(word) as string) : value;
}

/** MLflow asks for both: a name alone matches no model. */
function readDatasets(fields: MlflowMessage): readonly { name: string; digest: string }[] {
  return fields.messages("datasets").map((dataset) => {
    const name = dataset.string("dataset_name") ?? "";
    if (name === "") throw parameterInvalid({ message: "`dataset_name` in the `datasets` clause must be specified." });
    return { name, digest: dataset.string("dataset_digest") ?? "" };
  });
}

function readOrder(message: MlflowMessage): LoggedModelOrder {
  const { entity, key } = parseLoggedModelOrderField(message.requiredString("field_name"));
  const descending = !(message.boolean("ascending") ?? true);
  if (entity === "attributes") return { by: key, descending } as LoggedModelOrder;
  return {
    metric: key,
    descending,
    dataset: {
      name: emptyAsAbsent(message.string("dataset_name")),
      digest: emptyAsAbsent(message.string("dataset_digest")),
    },
  };
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function digestOf(bound: Bound): string {
  return digestOfJson({
    experimentIds: [...bound.experimentIds].sort(),
    filter: bound.filter ?? "",
    orderBy: JSON.stringify(bound.orderBy),
  });
}

function readToken(fields: MlflowMessage, bound: Bound): readonly (string | number)[] | undefined {
  const token = fields.string("page_token") ?? "";
  if (token === "") return undefined;
  const { after, filter, query } = readPageToken(token);
  const position = readPosition(after);
  if ((filter ?? "") !== (bound.filter ?? "")) {
    throw parameterInvalid({
      message: `Filter string in the page token does not match the requested filter string. Expected: ${bound.filter ?? "None"}. Found: ${typeof filter === "string" ? filter : "None"}`,
    });
  }
  if (query !== digestOf(bound))
    throw parameterInvalid({
      message: "Experiment IDs or order_by in the page token do not match the requested ones.",
    });
  return position;
}
