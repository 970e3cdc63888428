import { readNarrowIdentifier } from "./experiment-filter.ts";
import {
  type Comparator,
  comparatorOf,
  type Condition,
  listValue,
  type OrderKey,
  pythonSet,
  quotedValue,
  readComparisons,
  refuse,
  splitIdentifier,
} from "./filter.ts";
import { readOrderBy } from "./order-by.ts";
import type { Phrase } from "./phrase.ts";

export type ModelEntity = "attribute" | "tag";

const KEYED_COMPARATORS = ["=", "!=", "LIKE", "ILIKE"];
const NUMERIC_COMPARATORS = ["=", "!=", ">", ">=", "<", "<="];
const VERSION_ATTRIBUTES = ["name", "version_number", "run_id", "source_path"];
const VERSION_ORDER = ["name", "version_number", "creation_timestamp", "last_updated_timestamp"];

/** Reads a filter of `registered-models/search`. @throws TRACKING_PARAMETER_INVALID with MLflow's sentence */
export function parseRegisteredModelFilter(filter: string): readonly Condition<ModelEntity>[] {
  return readComparisons(filter, false).map((comparison) => {
    const condition = readCondition(comparison, ["name"]);
    if (!KEYED_COMPARATORS.includes(condition.comparator))
      refuse(`Invalid comparator for ${condition.entity}: ${condition.comparator}`);
    return condition;
  });
}

/**
 * Reads one entry of `order_by` of `registered-models/search`; the key is `name` or `last_updated_timestamp`. @throws
 * TRACKING_PARAMETER_INVALID
 */
export function parseRegisteredModelOrder(entry: string): OrderKey<"attribute"> {
  const { identifier, ascending } = readOrderBy(entry);
  if (!["name", "timestamp", "last_updated_timestamp"].includes(identifier)) {
    refuse(`Invalid order by key '${identifier}' specified. Valid keys are '${pythonSet(["name", "timestamp"])}'`);
  }
  return { entity: "attribute", key: identifier === "timestamp" ? "last_updated_timestamp" : identifier, ascending };
}

/**
 * Reads a filter of `model-versions/search`; `version_number` has a number as value. @throws TRACKING_PARAMETER_INVALID
 * with MLflow's sentence
 */
export function parseModelVersionFilter(filter: string): readonly Condition<ModelEntity>[] {
  return readComparisons(filter, false).map((comparison) => {
    const condition = readCondition(comparison, VERSION_ATTRIBUTES);
    const valid = comparatorsOfVersion(condition);
    if (!valid.includes(condition.comparator))
      refuse(`Invalid comparator for ${condition.entity}: ${condition.comparator}`);
    if (condition.key !== "version_number" || condition.entity !== "attribute") return condition;
    const number = Number(condition.value);
    if (Number.isNaN(number)) refuse(`Expected a number for version_number. Found '${String(condition.value)}'`);
    return { ...condition, value: number };
  });
}

/** Reads one entry of `order_by` of `model-versions/search`. @throws TRACKING_PARAMETER_INVALID */
export function parseModelVersionOrder(entry: string): OrderKey<"attribute"> {
  const { identifier, ascending } = readOrderBy(entry);
  const { entity, key } = readNarrowIdentifier(identifier, VERSION_ORDER);
  if (entity === "tag") refuse(`Invalid order by key '${key}' specified. Valid keys are ${pythonSet(VERSION_ORDER)}`);
  return { entity, key, ascending };
}

function comparatorsOfVersion({ entity, key }: Condition<ModelEntity>): readonly string[] {
  if (entity === "tag") return KEYED_COMPARATORS;
  if (key === "version_number") return NUMERIC_COMPARATORS;
  return key === "run_id" ? [...KEYED_COMPARATORS, "IN"] : KEYED_COMPARATORS;
}

function readCondition(comparison: Phrase, attributes: readonly string[]): Condition<ModelEntity> {
  const text = comparison.left?.text ?? "";
  const { entity } = splitIdentifier(text);
  const { key, ...read } = readNarrowIdentifier(text, attributes);
  const comparator = comparatorOf(comparison) as Comparator;
  const { right } = comparison;
  if (right === undefined)
    refuse(
      `Invalid comparator for ${entity ?? "attribute"}: ${comparator}. Expected one of ${KEYED_COMPARATORS.join(", ")}`,
    );
  return { ...read, key, comparator, value: readValue(read.entity, key, right) };
}

function readValue(entity: ModelEntity, key: string, value: Phrase): string | number | readonly string[] {
  if (entity === "tag")
    return quotedValue(value, (text) =>
      refuse(`Expected a quoted string value for tag (e.g. 'my-value'). Got value ${text}`),
    );
  if (value.kind === "list") {
    if (key !== "run_id")
      refuse("Only the 'run_id' attribute supports comparison with a list of quoted string values.");
    return listValue(value);
  }
  if (value.kind === "integer" || value.kind === "float") {
    if (key === "version_number") return Number(value.text);
    refuse(
      `Only the '${pythonSet(["version_number", "creation_timestamp", "last_updated_timestamp"])}' attributes support comparison with numeric values.`,
    );
  }
  return quotedValue(value, (text) =>
    refuse(`Expected a quoted string value or a list of quoted string values for attributes. Got value ${text}`),
  );
}
