import { z } from "zod";
import { type LocatedProblem, readYaml, type YamlDocument } from "#base";
import { typeOf } from "./column-type.ts";
import { anomalySchema } from "./anomaly.ts";
import { readReferences } from "./reference.ts";
import { tableTreatmentProblems } from "./deduplicate.ts";
import { serviceLevelProblems } from "./service-level.ts";
import { treatmentProblems } from "./treatment.ts";
import { meaningOfFormat } from "./value-format.ts";

/** Operators of ODCS library and SQL rules; exactly one per rule. */
export const OPERATORS = [
  "mustBe",
  "mustNotBe",
  "mustBeGreaterThan",
  "mustBeGreaterOrEqualTo",
  "mustBeLessThan",
  "mustBeLessOrEqualTo",
  "mustBeBetween",
  "mustNotBeBetween",
] as const;

const LOGICAL_TYPES = [
  "string",
  "date",
  "timestamp",
  "time",
  "number",
  "integer",
  "object",
  "array",
  "boolean",
] as const;
const METRICS = ["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"] as const;
const SEVERITIES = ["info", "warning", "error"] as const;

const text = z.string();
const free = z.unknown();
const bound = z.union([z.number(), z.string()]);
const range = z.tuple([z.number(), z.number()]);

const documented = {
  id: text.optional(),
  name: text.optional(),
  description: text.optional(),
  tags: z.array(text).optional(),
  customProperties: free.optional(),
  authoritativeDefinitions: free.optional(),
};

const quality = z
  .strictObject({
    ...documented,
    type: z.enum(["library", "sql", "text", "custom"]).optional(),
    metric: z.enum(METRICS).optional(),
    arguments: z
      .strictObject({
        missingValues: z.array(z.union([text, z.number(), z.null()])).optional(),
        validValues: z.array(z.union([text, z.number()])).optional(),
        pattern: text.optional(),
        properties: z.array(text).optional(),
      })
      .optional(),
    query: text.optional(),
    engine: text.optional(),
    implementation: z.union([text, z.record(text, free)]).optional(),
    dimension: z
      .enum(["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"])
      .optional(),
    severity: z.enum(SEVERITIES).optional(),
    businessImpact: text.optional(),
    unit: z.enum(["rows", "percent"]).optional(),
    scheduler: text.optional(),
    schedule: text.optional(),
    method: text.optional(),
    mustBe: z.union([z.number(), text, z.boolean()]).optional(),
    mustNotBe: z.union([z.number(), text, z.boolean()]).optional(),
    mustBeGreaterThan: z.number().optional(),
    mustBeGreaterOrEqualTo: z.number().optional(),
    mustBeLessThan: z.number().optional(),
    mustBeLessOrEqualTo: z.number().optional(),
    mustBeBetween: range.optional(),
    mustNotBeBetween: range.optional(),
  })
  .describe("A quality rule (ODCS quality).");

const ends = z.union([text, z.array(text).min(1)]);
const relationship = z
  .strictObject({
    ...documented,
    type: text.optional(),
    from: ends.optional(),
    to: ends,
    customProperties: z.array(z.looseObject({ property: text, value: free })).optional(),
  })
  .describe("Rows refer to others by their keys (ODCS relationships).");

const property = z.strictObject({
  ...documented,
  name: text,
  businessName: text.optional(),
  logicalType: z.enum(LOGICAL_TYPES).optional(),
  logicalTypeOptions: z
    .strictObject({
      minLength: z.number().optional(),
      maxLength: z.number().optional(),
      pattern: text.optional(),
      format: text.optional(),
      minimum: bound.optional(),
      maximum: bound.optional(),
      exclusiveMinimum: bound.optional(),
      exclusiveMaximum: bound.optional(),
      multipleOf: z.number().optional(),
      timezone: z.boolean().optional(),
      defaultTimezone: text.optional(),
      minItems: z.number().optional(),
      maxItems: z.number().optional(),
      uniqueItems: z.boolean().optional(),
      minProperties: z.number().optional(),
      maxProperties: z.number().optional(),
      required: z.array(text).optional(),
    })
    .optional(),
  physicalType: text.optional(),
  physicalName: text.optional(),
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  primaryKey: z.boolean().optional(),
  primaryKeyPosition: z.number().optional(),
  partitioned: z.boolean().optional(),
  partitionKeyPosition: z.number().optional(),
  classification: text.optional(),
  encryptedName: text.optional(),
  criticalDataElement: z.boolean().optional(),
  transformSourceObjects: z.array(text).optional(),
  transformLogic: text.optional(),
  transformDescription: text.optional(),
  examples: z.array(free).optional(),
  relationships: z.array(relationship).optional(),
  properties: free.optional(),
  items: free.optional(),
  quality: z.array(quality).optional(),
});

const table = z.strictObject({
  ...documented,
  name: text,
  physicalName: text.optional(),
  physicalType: text.optional(),
  businessName: text.optional(),
  logicalType: z.literal("object").optional(),
  dataGranularityDescription: text.optional(),
  properties: z.array(property).min(1),
  relationships: z.array(relationship).optional(),
  quality: z.array(quality).optional(),
});

const document = z.strictObject({
  apiVersion: text.regex(/^v3\.[01]\.\d+$/, "expected v3.1.0 (or another v3.0.x, v3.1.x)"),
  kind: z.literal("DataContract"),
  id: text,
  version: text,
  status: z.enum(["proposed", "draft", "active", "deprecated", "retired"]),
  name: text.optional(),
  tenant: text.optional(),
  domain: text.optional(),
  dataProduct: text.optional(),
  description: z.union([text, z.record(text, free)]).optional(),
  tags: z.array(text).optional(),
  servers: z.array(free).optional(),
  schema: z.array(table).min(1),
  support: free.optional(),
  price: free.optional(),
  team: free.optional(),
  roles: free.optional(),
  slaDefaultElement: text.optional(),
  slaProperties: z
    .array(
      z.looseObject({
        property: text,
        value: z.union([z.number(), text]),
        unit: text.optional(),
        element: text.optional(),
        id: text.optional(),
        severity: free.optional(),
      }),
    )
    .optional(),
  authoritativeDefinitions: free.optional(),
  customProperties: free.optional(),
  contractCreatedTs: z.union([text, z.date()]).optional(),
});

/** A data contract (Open Data Contract Standard 3.1), as written. */
export type Contract = z.infer<typeof document>;
export type ContractTable = Contract["schema"][number];
export type ContractProperty = ContractTable["properties"][number];
export type Relationship = NonNullable<ContractTable["relationships"]>[number];
export type QualityRule = NonNullable<ContractTable["quality"]>[number];

/** What was understood of a contract file. `contract` is there exactly when `problems` is empty. */
export interface ReadContract {
  readonly contract: Contract | undefined;
  readonly problems: readonly LocatedProblem[];
  /** Where something stands in the file. */
  at(path: readonly (string | number)[]): ReturnType<YamlDocument["at"]>;
}

/**
 * Reads and checks a contract; every mistake comes with its place. Patterns that DuckDB's engine (RE2) cannot run are
 * mistakes too.
 *
 * @param text content of the file
 * @param file its name, for the problems
 */
export function readContract(text: string, file: string): ReadContract {
  const read = readYaml(text, file, document);
  const at: ReadContract["at"] = (path) => read.document.at(path);
  if (read.value === undefined) return { contract: undefined, problems: read.problems, at };
  const problems = [...ruleProblems(read.value, read.document)];
  return { contract: problems.length === 0 ? read.value : undefined, problems, at };
}

/** The table of a contract that describes a dataset: the one of its name, or the only one. */
export function tableOf(contract: Contract, dataset: string): ContractTable | undefined {
  return (
    contract.schema.find(({ name, physicalName }) => name === dataset || physicalName === dataset) ??
    (contract.schema.length === 1 ? contract.schema[0] : undefined)
  );
}

/** True for a rule that compares with the versions before. */
export function isAnomalyRule({ type, implementation }: QualityRule): boolean {
  return type === "custom" && typeof implementation === "object" && "anomaly" in implementation;
}

/** True for the metrics that are a statement about each single row. */
export function isRowRule(rule: QualityRule): boolean {
  if (rule.type === "custom") return true;
  const rowMetric = rule.metric === "nullValues" || rule.metric === "missingValues" || rule.metric === "invalidValues";
  return (rule.type ?? "library") === "library" && rowMetric && rule.mustBe === 0;
}

function* ruleProblems(contract: Contract, yaml: YamlDocument): Generator<LocatedProblem> {
  for (const { path, ...problem } of serviceLevelProblems(contract))
    yield { ...yaml.at(["slaProperties", ...path]), ...problem };
  for (const [tableIndex, table] of contract.schema.entries()) {
    const { properties, quality: rules } = table;
    for (const { path, ...problem } of readReferences(contract, table).problems)
      yield { ...yaml.at(["schema", tableIndex, ...path]), ...problem };
    for (const { path, ...problem } of tableTreatmentProblems(table))
      yield { ...yaml.at(["schema", tableIndex, ...path]), ...problem };
    const columns = new Set(properties.map(({ name }) => name));
    for (const [index, rule] of (rules ?? []).entries())
      yield* qualityProblems(rule, undefined, columns, (...path) =>
        yaml.at(["schema", tableIndex, "quality", index, ...path]),
      );
    for (const [columnIndex, column] of properties.entries()) {
      const at = (...path: (string | number)[]): ReturnType<YamlDocument["at"]> =>
        yaml.at(["schema", tableIndex, "properties", columnIndex, ...path]);
      const pattern = column.logicalTypeOptions?.pattern;
      if (pattern !== undefined) yield* patternProblems(pattern, at("logicalTypeOptions", "pattern"));
      yield* formatProblems(column, at);
      for (const { path, ...problem } of treatmentProblems(column)) yield { ...at(...path), ...problem };
      for (const [index, rule] of (column.quality ?? []).entries())
        yield* qualityProblems(rule, column.name, columns, (...path) => at("quality", index, ...path));
    }
  }
}

function* formatProblems(column: ContractProperty, at: PlaceOf): Generator<LocatedProblem> {
  const meaning = meaningOfFormat(column, typeOf(column) ?? "VARCHAR");
  if (meaning?.kind === "refused")
    yield { ...at("logicalTypeOptions", "format"), message: meaning.message, hint: meaning.hint };
  const zone = column.logicalTypeOptions?.defaultTimezone;
  if (zone !== undefined && !isTimeZone(zone))
    yield {
      ...at("logicalTypeOptions", "defaultTimezone"),
      message: `There is no time zone ${JSON.stringify(zone)}`,
      hint: "Name it as the IANA does: America/Sao_Paulo, Etc/UTC.",
    };
}

function isTimeZone(name: string): boolean {
  try {
    void new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

type PlaceOf = (...path: (string | number)[]) => ReturnType<YamlDocument["at"]>;

function* qualityProblems(
  rule: QualityRule,
  column: string | undefined,
  columns: ReadonlySet<string>,
  at: PlaceOf,
): Generator<LocatedProblem> {
  const type = rule.type ?? "library";
  if (type === "text") return;
  if (type === "custom") {
    if (rule.engine !== "esteira")
      yield {
        ...at("engine"),
        message: `The engine "${rule.engine ?? ""}" of this custom rule is not known here`,
        hint: "With `engine: esteira` the implementation is a condition over the columns of one row.",
      };
    else if (isAnomalyRule(rule)) yield* anomalyProblems(rule, column, at);
    else if (typeof rule.implementation !== "string")
      yield {
        ...at("implementation"),
        message: "A custom rule needs an implementation: a condition that holds for every good row",
      };
    return;
  }
  yield* operatorProblems(rule, at);
  if (type === "sql") yield* queryProblems(rule, at);
  else yield* metricProblems(rule, column, columns, at);
}

function* anomalyProblems(rule: QualityRule, column: string | undefined, at: PlaceOf): Generator<LocatedProblem> {
  const checked = anomalySchema.safeParse(rule.implementation);
  if (!checked.success) {
    for (const issue of checked.error.issues)
      yield { ...at("implementation"), message: `The anomaly rule is not understood: ${issue.message}` };
    return;
  }
  const { anomaly } = checked.data;
  if ((anomaly === "rows") !== (column === undefined))
    yield {
      ...at("implementation", "anomaly"),
      message:
        anomaly === "rows"
          ? "rows belongs to the whole object"
          : `${anomaly} belongs to a property, not to the whole object`,
    };
  const operator = OPERATORS.find((one) => rule[one] !== undefined);
  if (operator !== undefined)
    yield { ...at(operator), message: "An anomaly rule needs no figures: it compares with the versions before" };
}

function* operatorProblems(rule: QualityRule, at: PlaceOf): Generator<LocatedProblem> {
  const operators = OPERATORS.filter((operator) => rule[operator] !== undefined);
  if (operators.length !== 1)
    yield {
      ...at(),
      message: `A rule has exactly one of ${OPERATORS.join(", ")}; this one has ${operators.length === 0 ? "none" : operators.join(" and ")}`,
    };
}

function* queryProblems(rule: QualityRule, at: PlaceOf): Generator<LocatedProblem> {
  if (rule.query === undefined) yield { ...at(), message: "A rule of type sql needs a query that gives one number" };
  const foreign = /\{(?!object\}|property\})\w+\}/.exec(rule.query ?? "")?.[0];
  if (foreign !== undefined)
    yield {
      ...at("query"),
      message: `The placeholder ${foreign} is not known`,
      hint: "Use {object} for the table and {property} for the column.",
    };
}

function* metricProblems(
  rule: QualityRule,
  column: string | undefined,
  columns: ReadonlySet<string>,
  at: PlaceOf,
): Generator<LocatedProblem> {
  if (rule.metric === undefined) yield { ...at(), message: `A library rule needs a metric: ${METRICS.join(", ")}` };
  const needsColumn =
    rule.metric === "nullValues" || rule.metric === "missingValues" || rule.metric === "invalidValues";
  if (needsColumn && column === undefined)
    yield { ...at("metric"), message: `${rule.metric} belongs to a property, not to the whole object` };
  yield* argumentProblems(rule, columns, at);
}

function* argumentProblems(rule: QualityRule, columns: ReadonlySet<string>, at: PlaceOf): Generator<LocatedProblem> {
  const isInvalid =
    rule.metric === "invalidValues" &&
    rule.arguments?.validValues === undefined &&
    rule.arguments?.pattern === undefined;
  if (isInvalid) yield { ...at(), message: "invalidValues needs arguments.validValues or arguments.pattern" };
  if (rule.arguments?.pattern !== undefined) yield* patternProblems(rule.arguments.pattern, at("arguments", "pattern"));
  for (const [index, name] of (rule.arguments?.properties ?? []).entries()) {
    if (!columns.has(name))
      yield {
        ...at("arguments", "properties", index),
        message: `The object has no property "${name}"; it has ${[...columns].join(", ")}`,
      };
  }
}

function* patternProblems(pattern: string, place: ReturnType<YamlDocument["at"]>): Generator<LocatedProblem> {
  const unsupported = /\(\?<?[=!]|\\[1-9]/.exec(pattern)?.[0];
  if (unsupported !== undefined)
    yield {
      ...place,
      message: `The pattern uses ${unsupported} (look-around or a back-reference), which the data engine cannot run`,
      hint: "Write the condition without it, or as a custom rule.",
    };
  try {
    void new RegExp(pattern);
  } catch (error) {
    yield { ...place, message: `The pattern is not a regular expression: ${(error as Error).message}` };
  }
}
