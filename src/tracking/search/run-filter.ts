import {
  type Comparator,
  comparatorOf,
  type Condition,
  listValue,
  numericValue,
  type OrderKey,
  pythonSet,
  quotedValue,
  readComparisons,
  refuse,
  splitIdentifier,
} from "./filter.ts";
import { readOrderBy } from "./order-by.ts";
import type { Phrase } from "./phrase.ts";

export const RUN_ENTITIES = ["metric", "parameter", "tag", "attribute", "dataset"] as const;
export type RunEntity = (typeof RUN_ENTITIES)[number];

const ENTITY_OF: Readonly<Record<string, RunEntity>> = {
  metric: "metric",
  metrics: "metric",
  parameter: "parameter",
  parameters: "parameter",
  param: "parameter",
  params: "parameter",
  tag: "tag",
  tags: "tag",
  attribute: "attribute",
  attr: "attribute",
  attributes: "attribute",
  run: "attribute",
  dataset: "dataset",
  datasets: "dataset",
};

const STRING_ATTRIBUTES = ["run_id", "run_name", "status", "user_id", "artifact_uri"];
const NUMERIC_ATTRIBUTES = new Set(["start_time", "end_time", "created", "Created"]);
const ORDER_ATTRIBUTES = [...STRING_ATTRIBUTES, ...NUMERIC_ATTRIBUTES];
const FILTER_ATTRIBUTES = [...ORDER_ATTRIBUTES, "run name", "Run name", "Run Name"];
const DATASET_KEYS = ["name", "digest", "context"];
const COLUMN_OF: Readonly<Record<string, string>> = {
  created: "start_time",
  Created: "start_time",
  "run name": "run_name",
  "Run name": "run_name",
  "Run Name": "run_name",
};

const NUMERIC_COMPARATORS = ["!=", "<", "<=", "=", ">", ">="];
const KEYED_COMPARATORS = ["!=", "=", "ILIKE", "IS NOT NULL", "IS NULL", "LIKE"];
const STRING_COMPARATORS = ["!=", "=", "ILIKE", "IN", "LIKE", "NOT IN"];

/**
 * Reads a filter of `runs/search`: conditions joined by AND.
 *
 * Attribute keys come out as column names (`created` is `start_time`).
 *
 * @throws TRACKING_PARAMETER_INVALID with MLflow's sentence. Source: `mlflow/utils/search_utils.py`, checked against
 *   its answers
 */
export function parseRunFilter(filter: string): readonly Condition<RunEntity>[] {
  // MLflow reads everything first and looks at comparators afterwards; the first error must be the same.
  const conditions = readComparisons(filter, true).map(readCondition);
  for (const condition of conditions) assertComparator(condition);
  return conditions.map((condition) => ({ ...condition, key: columnOf(condition) }));
}

/** Reads one entry of `order_by` of `runs/search`. @throws TRACKING_PARAMETER_INVALID */
export function parseRunOrder(entry: string): OrderKey<RunEntity> {
  const { identifier, ascending } = readOrderBy(entry);
  const { entity, key } = readIdentifier(identifier, ORDER_ATTRIBUTES);
  if (entity === "dataset") refuse("Invalid identifier type 'dataset'");
  return { entity, key: columnOf({ entity, key }), ascending };
}

function columnOf({ entity, key }: { readonly entity: RunEntity; readonly key: string }): string {
  return entity === "attribute" ? (COLUMN_OF[key] ?? key) : key;
}

function readIdentifier(
  text: string,
  attributes: readonly string[],
): { readonly entity: RunEntity; readonly key: string } {
  const { entity: word = "attribute", key } = splitIdentifier(text);
  const entity = Object.hasOwn(ENTITY_OF, word) ? ENTITY_OF[word] : undefined;
  if (entity === undefined)
    refuse(`Invalid entity type '${word}'. Valid values are [${RUN_ENTITIES.map((name) => `'${name}'`).join(", ")}]`);
  if (entity === "attribute" && !attributes.includes(key))
    refuse(`Invalid attribute key '${key}' specified. Valid keys are '${pythonSet(attributes)}'`);
  if (entity === "dataset" && !DATASET_KEYS.includes(key))
    refuse(`Invalid dataset key '${key}' specified. Valid keys are '${pythonSet(DATASET_KEYS)}'`);
  return { entity, key };
}

function readCondition(comparison: Phrase): Condition<RunEntity> {
  const { entity, key } = readIdentifier(comparison.left?.text ?? "", FILTER_ATTRIBUTES);
  const comparator = comparatorOf(comparison) as Comparator;
  if (comparison.right === undefined) {
    if (entity !== "tag" && entity !== "parameter")
      refuse(`IS NULL / IS NOT NULL is only supported for tags and params, not for '${entity}' '${key}'`);
    return { entity, key, comparator };
  }
  return { entity, key, comparator, value: readValue(entity, key, comparison.right) };
}

function readValue(entity: RunEntity, key: string, value: Phrase): string | number | readonly string[] {
  switch (entity) {
    case "metric":
      return numericValue(value, (text) => refuse(`Expected numeric value type for metric. Found ${text}`));
    case "parameter":
    case "tag":
      return quotedValue(value, (text) =>
        refuse(`Expected a quoted string value for ${entity} (e.g. 'my-value'). Got value ${text}`),
      );
    case "attribute":
      if (NUMERIC_ATTRIBUTES.has(key))
        return numericValue(value, (text) =>
          refuse(`Expected numeric value type for numeric attribute: ${key}. Found ${text}`),
        );
      if (value.kind !== "list")
        return quotedValue(value, (text) => refuse(`Expected a quoted string value for attributes. Got value ${text}`));
      if (key !== "run_id")
        refuse("Only the 'run_id' attribute supports comparison with a list of quoted string values.");
      return boundedList(value);
    case "dataset":
      if (value.kind === "list") return boundedList(value);
      return quotedValue(value, (text) =>
        refuse(`Expected a quoted string value for dataset attributes. Got value ${text}`),
      );
  }
}

/** As many as one statement takes on every database. */
const LONGEST_LIST = 10_000;

function boundedList(value: Phrase): readonly string[] {
  const list = listValue(value);
  if (list.length > LONGEST_LIST)
    refuse(
      `A list in a filter takes at most ${LONGEST_LIST} values. Got ${list.length}. Split it across several searches.`,
    );
  return list;
}

function assertComparator({ entity, key, comparator }: Condition<RunEntity>): void {
  const [valid, named, end] = comparatorsOf(entity, key);
  if (!valid.includes(comparator)) refuse(`Invalid comparator '${comparator}' not one of '${pythonSet(named)}${end}`);
}

/** Valid comparators, those that MLflow's message names, and how it ends. */
function comparatorsOf(entity: RunEntity, key: string): readonly [readonly string[], readonly string[], string] {
  switch (entity) {
    case "metric":
      return [NUMERIC_COMPARATORS, NUMERIC_COMPARATORS, ""];
    case "parameter":
      return [KEYED_COMPARATORS, KEYED_COMPARATORS, "'"];
    case "tag":
      return [KEYED_COMPARATORS, KEYED_COMPARATORS, ""];
    case "dataset":
      return [STRING_COMPARATORS, STRING_COMPARATORS, ""];
    case "attribute":
      return NUMERIC_ATTRIBUTES.has(key)
        ? [NUMERIC_COMPARATORS, STRING_COMPARATORS, ""]
        : [STRING_COMPARATORS, STRING_COMPARATORS, "'"];
  }
}
