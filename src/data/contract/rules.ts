import { quoteName, quoteText } from "../analytics/sql-text.ts";
import { normaliseColumnName } from "../column-name.ts";
import { typeOf } from "./column-type.ts";
import { type AnomalyRule, anomalySchema } from "./anomaly.ts";
import { isForeignKey, readReferences, type Reference } from "./reference.ts";
import { promisedLevels, serviceLevelRules } from "./service-level.ts";
import { type Deduplication, deduplicationOf } from "./deduplicate.ts";
import { treatmentRules } from "./treatment-rules.ts";
import { type Treatment, treatmentOf } from "./treatment.ts";
import { meaningOfFormat, type ValueFormat } from "./value-format.ts";
import {
  type Contract,
  type ContractProperty,
  type ContractTable,
  isAnomalyRule,
  isRowRule,
  OPERATORS,
  type QualityRule,
} from "./contract.ts";

/** A statement about each row. */
export interface RowRule {
  /** `required:delay`, `maximum:delay`, or the rule's own id or name. */
  readonly id: string;
  readonly column?: string;
  /** What a good row looks like: `must be at most 1440`. */
  readonly expectation: string;
  /** Rows that break a warning are counted and published. */
  readonly severity: "error" | "warning";
  /** SQL condition over the typed columns that is true for a row that breaks the rule. */
  readonly breaks: string;
}

/** A statement about the dataset as it would be published. */
export interface DatasetRule {
  readonly id: string;
  readonly expectation: string;
  readonly severity: "error" | "warning";
  /** SELECT that gives one number as `value`; `relation` stands for the rows. */
  readonly measure: (relation: string) => string;
  /** SQL condition over `value` that holds when all is well. */
  readonly holds: string;
}

export interface CompiledContract {
  readonly rows: readonly RowRule[];
  readonly dataset: readonly DatasetRule[];
  /** What is compared with the versions before. */
  readonly anomalies: readonly AnomalyRule[];
  /** Rows that refer to other datasets; rules about rows once their keys are known. */
  readonly references: readonly Reference[];
  /** Keys of the contract that say something of the rows and are not checked: people are told. */
  readonly unchecked: readonly string[];
  /** All that the contract describes. */
  readonly columns: readonly string[];
  /** Column → DuckDB type, where the contract says. */
  readonly types: ReadonlyMap<string, string>;
  readonly required: ReadonlySet<string>;
  /** Column, in lower case → how its text is read, where the contract says. */
  readonly formats: ReadonlyMap<string, ValueFormat>;
  /** Column, in lower case → what is done to its values, where the contract says. */
  readonly treatments: ReadonlyMap<string, Treatment>;
  /** Which of rows that are the same is kept, where the contract says that one is. */
  readonly deduplication: Deduplication | undefined;
}

/** Relationships of types that no rule is known for. */
function uncheckedKeys({ relationships, properties }: ContractTable): readonly string[] {
  const unknown = (found: ContractTable["relationships"]): boolean =>
    found?.some((relationship) => !isForeignKey(relationship)) === true;
  return [
    ...(unknown(relationships) ? ["relationships of other types than foreignKey"] : []),
    ...properties.flatMap((property) =>
      unknown(property.relationships) ? [`relationships of ${property.name} of other types than foreignKey`] : [],
    ),
  ];
}

/**
 * Turns a contract's table into conditions that one scan evaluates. Properties may be named as the source names them,
 * or as the dataset does.
 *
 * @param dataset that the table describes
 */
export function compileContract(contract: Contract, described: ContractTable, dataset: string): CompiledContract {
  const table = {
    ...described,
    properties: described.properties.map((property, index) => ({
      ...property,
      name: normaliseColumnName(property.name, index),
    })),
  };
  const rows: RowRule[] = [];
  const whole: DatasetRule[] = [];
  const anomalies: AnomalyRule[] = [];
  const target = { rows, dataset: whole, anomalies };
  for (const property of table.properties) {
    rows.push(...propertyRules(property), ...treatmentRules(property.name, treatmentOf(property)));
    if (property.unique === true)
      whole.push(duplicateRule({ id: `unique:${property.name}`, columns: [property.name], rule: { mustBe: 0 } }));
    for (const [index, rule] of (property.quality ?? []).entries())
      addQualityRule(rule, { ...target, column: property.name, index });
  }
  const key = table.properties
    .filter(({ primaryKey }) => primaryKey === true)
    .sort((left, right) => (left.primaryKeyPosition ?? 0) - (right.primaryKeyPosition ?? 0));
  if (key.length > 0)
    whole.push(duplicateRule({ id: "primaryKey", columns: key.map(({ name }) => name), rule: { mustBe: 0 } }));
  const allColumns = table.properties.map(({ name }) => name);
  for (const [index, rule] of (table.quality ?? []).entries()) addQualityRule(rule, { ...target, allColumns, index });
  whole.push(...serviceLevelRules(contract, described));
  const { references } = readReferences(contract, described);
  const isOwn = ({ isSelf, datasets }: Reference): boolean => isSelf || datasets.includes(dataset);
  whole.push(...references.filter(isOwn).map(ownReferenceRule));
  return {
    rows,
    dataset: whole,
    anomalies,
    references: references.filter((reference) => !isOwn(reference)),
    unchecked: [...uncheckedKeys(table), ...promisedLevels(contract, described)],
    columns: allColumns,
    types: new Map(table.properties.flatMap(typeEntry)),
    required: new Set(table.properties.filter(isRequired).map(({ name }) => name)),
    formats: new Map(table.properties.flatMap(formatEntry)),
    treatments: new Map(
      table.properties.flatMap((property) => {
        const treatment = treatmentOf(property);
        return treatment === undefined ? [] : [[property.name.toLowerCase(), treatment] as const];
      }),
    ),
    deduplication: deduplicationOf(described),
  };
}

/** Rows that come together may refer to each other: judged of the dataset as it would be. */
function ownReferenceRule({ id, columns, keys, severity, said }: Reference): DatasetRule {
  const present = (names: readonly string[]): string =>
    names.map((name) => `${quoteName(name)} is not null`).join(" and ");
  const tuple = (names: readonly string[]): string =>
    names.length === 1 ? names.map(quoteName).join() : `(${names.map(quoteName).join(", ")})`;
  return {
    id,
    severity,
    expectation: said ?? `rows whose ${columns.join(", ")} is no ${keys.join(", ")} of the dataset must be 0`,
    measure: (relation) =>
      `select count(*) as value from ${relation} where ${present(columns)} and ${tuple(columns)} not in (select ${tuple(keys)} from ${relation} where ${present(keys)})`,
    holds: "value = 0",
  };
}

function typeEntry(property: ContractProperty): [string, string][] {
  const type = typeOf(property);
  return type === undefined ? [] : [[property.name, type]];
}

function formatEntry(property: ContractProperty): [string, ValueFormat][] {
  const type = typeOf(property) ?? "VARCHAR";
  const meaning = meaningOfFormat(property, type);
  const text =
    property.logicalTypeOptions?.format ?? `ISO 8601, in ${property.logicalTypeOptions?.defaultTimezone ?? "UTC"}`;
  return meaning?.kind === "read" ? [[property.name.toLowerCase(), { text, type, read: meaning.read }]] : [];
}

function isRequired({ required, primaryKey }: ContractProperty): boolean {
  return required === true || primaryKey === true;
}

function* propertyRules(property: ContractProperty): Generator<RowRule> {
  const { name, logicalType, logicalTypeOptions: options = {} } = property;
  const column = quoteName(name);
  const rule = (id: string, expectation: string, breaks: string): RowRule => ({
    id: `${id}:${name}`,
    column: name,
    expectation,
    severity: "error",
    breaks,
  });
  if (isRequired(property)) yield rule("required", "must have a value", `${column} is null`);
  const literal = (bound: number | string): string =>
    typeof bound === "number"
      ? String(bound)
      : logicalType === "date"
        ? `DATE ${quoteText(bound)}`
        : logicalType === "timestamp"
          ? `CAST(${quoteText(bound)} AS TIMESTAMPTZ)`
          : quoteText(bound);
  if (options.minimum !== undefined)
    yield rule("minimum", `must be at least ${options.minimum}`, `${column} < ${literal(options.minimum)}`);
  if (options.maximum !== undefined)
    yield rule("maximum", `must be at most ${options.maximum}`, `${column} > ${literal(options.maximum)}`);
  if (options.exclusiveMinimum !== undefined)
    yield rule(
      "exclusiveMinimum",
      `must be greater than ${options.exclusiveMinimum}`,
      `${column} <= ${literal(options.exclusiveMinimum)}`,
    );
  if (options.exclusiveMaximum !== undefined)
    yield rule(
      "exclusiveMaximum",
      `must be less than ${options.exclusiveMaximum}`,
      `${column} >= ${literal(options.exclusiveMaximum)}`,
    );
  if (options.multipleOf !== undefined)
    yield rule("multipleOf", `must be a multiple of ${options.multipleOf}`, `${column} % ${options.multipleOf} <> 0`);
  if (options.minLength !== undefined)
    yield rule(
      "minLength",
      `must have at least ${options.minLength} characters`,
      `length(${column}) < ${options.minLength}`,
    );
  if (options.maxLength !== undefined)
    yield rule(
      "maxLength",
      `must have at most ${options.maxLength} characters`,
      `length(${column}) > ${options.maxLength}`,
    );
  const format = meaningOfFormat(property, typeOf(property) ?? "VARCHAR");
  if (format?.kind === "rule") yield rule("format", format.expectation, format.breaks(column));
  if (options.pattern !== undefined)
    yield rule("pattern", `must match ${options.pattern}`, `not ${matches(column, options.pattern)}`);
}

/** A pattern with both anchors is matched whole, which is faster and the same. */
function matches(value: string, pattern: string): string {
  const whole = /^\^([^|]*[^|\\])\$$/.exec(pattern)?.[1];
  return whole === undefined
    ? `regexp_matches(${value}, ${quoteText(pattern)})`
    : `regexp_full_match(${value}, ${quoteText(whole)})`;
}

interface RuleTarget {
  readonly column?: string;
  readonly allColumns?: readonly string[];
  readonly index: number;
  readonly rows: RowRule[];
  readonly dataset: DatasetRule[];
  readonly anomalies: AnomalyRule[];
}

function addQualityRule(rule: QualityRule, target: RuleTarget): void {
  const type = rule.type ?? "library";
  // A rule in words is for people.
  if (type === "text") return;
  const severity = rule.severity === undefined || rule.severity === "error" ? "error" : "warning";
  const id = rule.id ?? rule.name ?? `${type === "library" ? rule.metric : type}:${target.column ?? target.index}`;
  const said = rule.description ?? rule.name;
  if (isAnomalyRule(rule)) {
    target.anomalies.push(anomalyOf(rule, target));
    return;
  }
  if (!isRowRule(rule)) {
    target.dataset.push(datasetRule(rule, { id, severity, said, target }));
    return;
  }
  const { breaks, expectation } = rowCondition(rule, target.column);
  target.rows.push({
    id,
    ...(target.column === undefined ? {} : { column: target.column }),
    severity,
    expectation: said ?? expectation,
    breaks,
  });
}

/** That something is unusual is a warning, unless the contract says more. */
function anomalyOf(rule: QualityRule, { column }: RuleTarget): AnomalyRule {
  const { anomaly: measure, season, ...rest } = anomalySchema.parse(rule.implementation);
  const id = rule.id ?? rule.name ?? `anomaly:${measure}${column === undefined ? "" : `:${column}`}`;
  return { ...rest, id, measure, season, column, severity: rule.severity === "error" ? "error" : "warning" };
}

interface RuleHead {
  readonly id: string;
  readonly severity: "error" | "warning";
  readonly said: string | undefined;
  readonly target: RuleTarget;
}

function datasetRule(rule: QualityRule, { id, severity, said, target }: RuleHead): DatasetRule {
  if (rule.metric === "duplicateValues") {
    const columns =
      rule.arguments?.properties?.map((name, index) => normaliseColumnName(name, index)) ??
      (target.column === undefined ? (target.allColumns ?? []) : [target.column]);
    return { ...duplicateRule({ id, columns, rule }), severity };
  }
  const measure = measureOf(rule, target.column);
  const { condition, words } = operatorOf(rule);
  return {
    id,
    severity,
    expectation: said ?? `${rule.metric ?? "the query's result"} ${words}${rule.unit === "percent" ? " percent" : ""}`,
    measure,
    holds: condition,
  };
}

function rowCondition(rule: QualityRule, column: string | undefined): { breaks: string; expectation: string } {
  if (typeof rule.implementation === "string")
    return { breaks: `not (${rule.implementation}\n)`, expectation: `must hold: ${rule.implementation}` };
  return badValue(rule, quoteName(column ?? ""));
}

/** Condition that is true for a value that the metric counts. */
function badValue(rule: QualityRule, column: string): { breaks: string; expectation: string } {
  if (rule.metric === "nullValues") return { breaks: `${column} is null`, expectation: "must have a value" };
  if (rule.metric === "missingValues") {
    const missing = (rule.arguments?.missingValues ?? [null, ""]).filter((value) => value !== null);
    const listed = missing.map((value) => quoteText(String(value)));
    return {
      breaks:
        listed.length === 0
          ? `${column} is null`
          : `(${column} is null or ${column}::VARCHAR in (${listed.join(", ")}))`,
      expectation: "must not be missing",
    };
  }
  const { validValues, pattern } = rule.arguments ?? {};
  if (validValues !== undefined)
    return {
      breaks: `${column}::VARCHAR not in (${validValues.map((value) => quoteText(String(value))).join(", ")})`,
      expectation: `must be one of ${validValues.join(", ")}`,
    };
  return { breaks: `not ${matches(`${column}::VARCHAR`, pattern ?? "")}`, expectation: `must match ${pattern}` };
}

function measureOf(rule: QualityRule, column: string | undefined): (relation: string) => string {
  if (rule.type === "sql") {
    const query = rule.query ?? "";
    return (relation) =>
      `with "__object" as (select * from ${relation}) select (${query.replaceAll("{object}", '"__object"').replaceAll("{property}", quoteName(column ?? ""))}\n)::DOUBLE as value`;
  }
  if (rule.metric === "rowCount") return (relation) => `select count(*) as value from ${relation}`;
  const { breaks } = badValue(rule, quoteName(column ?? ""));
  const count = `count(*) filter (where ${breaks})`;
  return (relation) => `select ${share(count, rule)} as value from ${relation}`;
}

function share(count: string, rule: Pick<QualityRule, "unit">): string {
  return rule.unit === "percent" ? `coalesce(100.0 * ${count} / nullif(count(*), 0), 0)` : count;
}

function duplicateRule(duplicate: {
  readonly id: string;
  readonly columns: readonly string[];
  readonly rule: QualityRule;
}): DatasetRule {
  const list = duplicate.columns.map(quoteName).join(", ");
  const { condition, words } = operatorOf(duplicate.rule);
  const surplus = "sum(n - 1)";
  const value =
    duplicate.rule.unit === "percent"
      ? `coalesce(100.0 * ${surplus} / nullif(sum(n), 0), 0)`
      : `coalesce(${surplus}, 0)`;
  return {
    id: duplicate.id,
    severity: "error",
    expectation:
      duplicate.rule.description ??
      `duplicates over (${duplicate.columns.join(", ")}) ${words}${duplicate.rule.unit === "percent" ? " percent" : ""}`,
    measure: (relation) => `select ${value} as value from (select count(*) as n from ${relation} group by ${list})`,
    holds: condition,
  };
}

/** Bounds of mustBeBetween are included: docs/adr/0010-contract-bounds-are-included.md. */
function operatorOf(rule: QualityRule): { condition: string; words: string } {
  const operator = OPERATORS.find((candidate) => rule[candidate] !== undefined) ?? "mustBe";
  const operand = rule[operator];
  const literal = typeof operand === "string" ? quoteText(operand) : String(operand);
  const [low, high] = Array.isArray(operand) ? operand : [0, 0];
  switch (operator) {
    case "mustBe":
      return { condition: `value = ${literal}`, words: `must be ${literal}` };
    case "mustNotBe":
      return { condition: `value <> ${literal}`, words: `must not be ${literal}` };
    case "mustBeGreaterThan":
      return { condition: `value > ${literal}`, words: `must be greater than ${literal}` };
    case "mustBeGreaterOrEqualTo":
      return { condition: `value >= ${literal}`, words: `must be at least ${literal}` };
    case "mustBeLessThan":
      return { condition: `value < ${literal}`, words: `must be less than ${literal}` };
    case "mustBeLessOrEqualTo":
      return { condition: `value <= ${literal}`, words: `must be at most ${literal}` };
    case "mustBeBetween":
      return {
        condition: `value between ${low} and ${high}`,
        words: `must be between ${low} and ${high}, both included`,
      };
    case "mustNotBeBetween":
      return {
        condition: `value not between ${low} and ${high}`,
        words: `must not be between ${low} and ${high}, both included`,
      };
  }
}
