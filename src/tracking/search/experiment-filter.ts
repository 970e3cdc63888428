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

export type ExperimentEntity = "attribute" | "tag";

const FILTER_ATTRIBUTES = ["name", "creation_time", "last_update_time"];
const ORDER_ATTRIBUTES = [...FILTER_ATTRIBUTES, "experiment_id"];
const NUMERIC_ATTRIBUTES = ["creation_time", "last_update_time"];
const NUMERIC_COMPARATORS = ["!=", "<", "<=", "=", ">", ">="];
const STRING_COMPARATORS = ["!=", "=", "ILIKE", "IN", "LIKE", "NOT IN"];
const TAG_COMPARATORS = ["!=", "=", "ILIKE", "IS NOT NULL", "IS NULL", "LIKE"];

/** Reads a filter of `experiments/search`. @throws TRACKING_PARAMETER_INVALID with MLflow's sentence */
export function parseExperimentFilter(filter: string): readonly Condition<ExperimentEntity>[] {
  const conditions = readComparisons(filter, false).map(readCondition);
  for (const condition of conditions) assertComparator(condition);
  return conditions;
}

/** Reads one entry of `order_by` of `experiments/search`. @throws TRACKING_PARAMETER_INVALID */
export function parseExperimentOrder(entry: string): OrderKey<"attribute"> {
  const { identifier, ascending } = readOrderBy(entry);
  const { entity, key } = readNarrowIdentifier(identifier, ORDER_ATTRIBUTES);
  if (entity === "tag") refuse("Invalid order_by entity: tag");
  return { entity, key, ascending };
}

/** `attribute.x`, `tag.x`, `tags.x` or a bare attribute: what every search but that of runs takes. */
export function readNarrowIdentifier(
  text: string,
  attributes: readonly string[],
): { readonly entity: ExperimentEntity; readonly key: string } {
  const { entity: word, key } = splitIdentifier(text);
  if (word !== undefined && word !== "attribute" && word !== "tag" && word !== "tags") {
    refuse(`Invalid entity type '${word}'. Valid entity types are ('attribute', 'tag', 'tags')`);
  }
  const entity = word === "tag" || word === "tags" ? "tag" : "attribute";
  if (entity === "attribute" && !attributes.includes(key))
    refuse(`Invalid attribute key '${key}' specified. Valid keys are '${pythonSet(attributes)}'`);
  return { entity, key };
}

function readCondition(comparison: Phrase): Condition<ExperimentEntity> {
  const { entity, key } = readNarrowIdentifier(comparison.left?.text ?? "", FILTER_ATTRIBUTES);
  const comparator = comparatorOf(comparison) as Comparator;
  const { right } = comparison;
  if (right === undefined) {
    if (entity !== "tag") refuse(`IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`);
    return { entity, key, comparator };
  }
  return { entity, key, comparator, value: readValue(entity, key, right) };
}

function readValue(entity: ExperimentEntity, key: string, value: Phrase): string | number | readonly string[] {
  if (entity === "tag")
    return quotedValue(value, (text) =>
      refuse(`Expected a quoted string value for tag (e.g. 'my-value'). Got value ${text}`),
    );
  if (NUMERIC_ATTRIBUTES.includes(key))
    return numericValue(value, (text) =>
      refuse(`Expected numeric value type for numeric attribute: ${key}. Found ${text}`),
    );
  if (value.kind !== "list")
    return quotedValue(value, (text) => refuse(`Expected a quoted string value for attributes. Got value ${text}`));
  if (key !== "run_id") refuse("Only the 'run_id' attribute supports comparison with a list of quoted string values.");
  return listValue(value);
}

function assertComparator({ entity, key, comparator }: Condition<ExperimentEntity>): void {
  const numeric = entity === "attribute" && NUMERIC_ATTRIBUTES.includes(key);
  const valid = entity === "tag" ? TAG_COMPARATORS : numeric ? NUMERIC_COMPARATORS : STRING_COMPARATORS;
  if (!valid.includes(comparator)) refuse(`Invalid comparator '${comparator}' not one of '${pythonSet(valid)}'`);
}
