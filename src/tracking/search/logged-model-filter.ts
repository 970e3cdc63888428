import { assertConditionCount, type Comparator, type Condition, isQuoted, listValue, refuse } from "./filter.ts";
import { assertReadable, joinWordComparisons, type Phrase, readStatements } from "./phrase.ts";

export const LOGGED_MODEL_ENTITIES = ["attributes", "metrics", "params", "tags"] as const;
export type LoggedModelEntity = (typeof LOGGED_MODEL_ENTITIES)[number];

const NUMERIC = ["<", "<=", ">", ">=", "=", "!="];
const TEXT = ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"];
const ALIASES: Readonly<Record<string, string>> = {
  creation_time: "creation_timestamp_ms",
  creation_timestamp: "creation_timestamp_ms",
  last_updated_timestamp: "last_updated_timestamp_ms",
};
const TEXT_COLUMNS = ["name", "model_id", "model_type", "status", "source_run_id", "experiment_id"];
const NUMERIC_COLUMNS = ["creation_timestamp_ms", "last_updated_timestamp_ms"];

/**
 * Reads a filter of `logged-models/search`; words in it are case-sensitive, operators too. Double quotes work as single
 * ones.
 *
 * @throws TRACKING_PARAMETER_INVALID with MLflow's sentence. Source: `mlflow/utils/search_logged_model_utils.py`
 */
export function parseLoggedModelFilter(filter: string): readonly Condition<LoggedModelEntity>[] {
  if (filter === "") return [];
  const statements = readStatements(filter);
  const [statement] = statements;
  if (statement === undefined || statements.length !== 1)
    refuse(`Invalid filter string: ${pythonRepr(filter)}. Expected a single SQL expression.`);
  const conditions: Condition<LoggedModelEntity>[] = [];
  const phrases = joinWordComparisons(statement);
  assertConditionCount(phrases);
  for (const phrase of phrases) {
    if (phrase.kind === "comparison") conditions.push(readCondition(phrase));
    else if (phrase.text.toUpperCase() !== "AND") {
      refuse(
        `Invalid filter string: ${pythonRepr(filter)}. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').`,
      );
    }
  }
  return conditions;
}

/**
 * Reads a `field_name` of `logged-models/search`: `metrics.<key>` or a column.
 *
 * @throws TRACKING_PARAMETER_INVALID
 */
export function parseLoggedModelOrderField(field: string): {
  readonly entity: "metrics" | "attributes";
  readonly key: string;
} {
  assertReadable(field);
  const dot = field.indexOf(".");
  if (dot >= 0) {
    const entity = field.slice(0, dot);
    if (entity !== "metrics") refuse(`Invalid order by field name: ${field}. Only metrics are supported.`);
    return { entity, key: stripQuotes(field.slice(dot + 1)) };
  }
  const key = ALIASES[field] ?? field;
  if (!TEXT_COLUMNS.includes(key) && !NUMERIC_COLUMNS.includes(key)) refuse(`Invalid order by field name: ${field}`);
  return { entity: "attributes", key };
}

function readCondition({ text, left, comparator = "", right }: Phrase): Condition<LoggedModelEntity> {
  if (left === undefined || right === undefined)
    refuse(`Invalid comparison: ${left?.text ?? text}${comparator}. Expected a comparison with 3 tokens.`);
  const { entity, key } = readEntity(left.text);
  const numeric = entity === "metrics" || (entity === "attributes" && NUMERIC_COLUMNS.includes(key));
  if (!(numeric ? NUMERIC : TEXT).includes(comparator)) {
    refuse(
      `Invalid comparison operator for ${entity}.${key}: '${comparator}'. Expected one of (${TEXT.map((name) => `'${name}'`).join(", ")}).`,
    );
  }
  return {
    entity,
    key,
    comparator: comparator as Comparator,
    value: numeric ? readNumber(right, `${entity}.${key}`) : readText(right),
  };
}

function readEntity(text: string): { readonly entity: LoggedModelEntity; readonly key: string } {
  const match = /^([a-z]+)\.(.+)$/s.exec(text);
  if (match !== null) {
    const [, word = "", key = ""] = match;
    const entity = LOGGED_MODEL_ENTITIES.find((name) => name === word);
    if (entity === undefined)
      refuse(
        `Invalid entity type: '${word}'. Expected one of [${LOGGED_MODEL_ENTITIES.map((name) => `'${name}'`).join(", ")}].`,
      );
    if (entity === "attributes") return { entity, key: column(stripQuotes(key)) };
    return { entity, key: stripQuotes(key) };
  }
  return { entity: "attributes", key: column(stripQuotes(text)) };
}

function column(name: string): string {
  const key = ALIASES[name] ?? name;
  if (TEXT_COLUMNS.includes(key) || NUMERIC_COLUMNS.includes(key)) return key;
  return refuse(
    `Invalid attribute '${name}'. Expected one of ${[...TEXT_COLUMNS, "creation_timestamp", "last_updated_timestamp"].join(", ")}.`,
  );
}

function readNumber(value: Phrase, subject: string): number {
  const number = Number(value.text);
  if (value.text.trim() === "" || Number.isNaN(number)) refuse(`Expected a number for ${subject}. Found ${value.text}`);
  return number;
}

function readText(value: Phrase): string | readonly string[] {
  return value.kind === "list" ? listValue(value) : stripQuotes(value.text);
}

function stripQuotes(text: string): string {
  return ["'", '"', "`"].some((quote) => isQuoted(text, quote)) ? text.slice(1, -1) : text;
}

/** A string as Python's `repr` prints it. */
function pythonRepr(text: string): string {
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}
