import { z } from "zod";
import { nearestName } from "#base";
import { quoteText } from "../analytics/sql-text.ts";
import { typeOf } from "./column-type.ts";
import type { ContractProperty } from "./contract.ts";
import { conversionOf, UNITS } from "./unit-conversion.ts";

/** Name of the custom property (ODCS `customProperties`) that says how values of a column are treated. */
const PROPERTY = "treatment";

const number = z.number();
const treatmentSchema = z.strictObject({
  trim: z.boolean().optional(),
  keep: z.enum(["digits", "letters"]).optional(),
  case: z.enum(["lower", "upper"]).optional(),
  missing: z.array(z.string()).min(1).optional(),
  unit: z.strictObject({ from: z.string(), to: z.string() }).optional(),
  scale: z.strictObject({ multiply: number.optional(), add: number.optional() }).optional(),
  outliers: z
    .strictObject({ low: number.optional(), high: number.optional(), action: z.enum(["clip", "missing"]) })
    .optional(),
  default: z.union([z.string(), number, z.boolean()]).optional(),
  mask: z.strictObject({ first: z.int().min(0).default(0), last: z.int().min(0).default(0) }).optional(),
  hash: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, "expected the name of a secret")
    .optional(),
});

export type TreatmentDeclaration = z.infer<typeof treatmentSchema>;

/** One thing that is done to a value. SQL in, SQL out. */
interface Stage {
  readonly name: string;
  apply(value: string): string;
}

/** How values of one column are treated between the source and the dataset. */
export interface Treatment {
  /** Before a text is read as the column's type. */
  readonly text: readonly Stage[];
  /** Of what was read, before the rules. */
  readonly typed: readonly Stage[];
  /** After the rules, so that what is stored does not say whose it is. */
  readonly protection:
    | { readonly kind: "mask"; apply(value: string): string }
    | { readonly kind: "hash"; readonly secret: string }
    | undefined;
}

/** What is wrong with the treatment that a contract declares for a column: `path` leads on from the property. */
export interface TreatmentProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint?: string;
}

function declarationOf(
  property: ContractProperty,
): { readonly path: readonly (string | number)[]; readonly value: unknown } | undefined {
  const entries: readonly unknown[] = Array.isArray(property.customProperties) ? property.customProperties : [];
  const index = entries.findIndex((entry) => isObject(entry) && entry["property"] === PROPERTY);
  const entry = entries[index];
  return isObject(entry) ? { path: ["customProperties", index, "value"], value: entry["value"] } : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const NUMBER_TYPE = /^(TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL.*)$/;
const FRACTION_TYPE = /^(FLOAT|DOUBLE|DECIMAL.*)$/;

export function* treatmentProblems(property: ContractProperty): Generator<TreatmentProblem> {
  const declared = declarationOf(property);
  if (declared === undefined) return;
  const checked = treatmentSchema.safeParse(declared.value);
  if (!checked.success) {
    for (const issue of checked.error.issues) yield* shapeProblems(issue, declared.path);
    return;
  }
  yield* meaningProblems(checked.data, property, declared.path);
}

function* shapeProblems(issue: z.core.$ZodIssue, path: readonly (string | number)[]): Generator<TreatmentProblem> {
  const at = [...path, ...issue.path.filter((part) => typeof part !== "symbol")];
  if (issue.code !== "unrecognized_keys" || issue.path.length > 0) {
    yield { path: at, message: `The treatment is not understood: ${issue.message}` };
    return;
  }
  const known = Object.keys(treatmentSchema.shape);
  for (const key of issue.keys) {
    const near = nearestName(key, known);
    yield {
      path: [...path, key],
      message: `There is no treatment "${key}"`,
      hint: near === undefined ? `There are ${known.join(", ")}.` : `Did you mean "${near}"?`,
    };
  }
}

function* meaningProblems(
  treatment: TreatmentDeclaration,
  property: ContractProperty,
  path: readonly (string | number)[],
): Generator<TreatmentProblem> {
  const { unit, mask, hash } = treatment;
  const type = typeOf(property) ?? "of no declared type";
  if (mask !== undefined && hash !== undefined)
    yield { path: [...path, "mask"], message: "A value is masked or hashed, not both" };
  for (const { keys, fits, what, hint } of TYPES_NEEDED)
    for (const key of keys)
      if (treatment[key] !== undefined && !fits.test(type))
        yield { path: [...path, key], message: `${key} is for ${what}, and the column is ${type}`, hint };
  yield* boundProblems(treatment, [...path, "outliers"]);
  if (unit !== undefined && conversionOf(unit) === undefined)
    yield {
      path: [...path, "unit"],
      message: `${unit.from} cannot be converted to ${unit.to}`,
      hint: `Units are ${UNITS.map((names) => names.join(", ")).join("; ")}; others with scale: { multiply, add }.`,
    };
}

/** Treatments whose result has a type. */
const TYPES_NEEDED = [
  { keys: ["mask", "hash"], fits: /^VARCHAR$/, what: "texts", hint: "Declare logicalType: string." },
  {
    keys: ["unit", "scale"],
    fits: FRACTION_TYPE,
    what: "numbers with a fraction",
    hint: "Declare logicalType: number.",
  },
  { keys: ["outliers"], fits: NUMBER_TYPE, what: "numbers", hint: "Declare logicalType: number or integer." },
] as const;

function* boundProblems(
  { outliers }: TreatmentDeclaration,
  path: readonly (string | number)[],
): Generator<TreatmentProblem> {
  if (outliers === undefined) return;
  const { low, high } = outliers;
  if ((low === undefined && high === undefined) || (low ?? -Infinity) > (high ?? Infinity))
    yield { path, message: "outliers needs low, high, or both, low below high" };
}

/** The treatment of a column; undefined where the contract declares none. */
export function treatmentOf(property: ContractProperty): Treatment | undefined {
  const declared = declarationOf(property);
  const checked = declared === undefined ? undefined : treatmentSchema.safeParse(declared.value);
  if (checked?.success !== true) return undefined;
  const { mask, hash } = checked.data;
  return {
    text: textStages(checked.data),
    typed: typedStages(checked.data, typeOf(property)),
    protection:
      hash !== undefined
        ? { kind: "hash", secret: hash }
        : mask === undefined
          ? undefined
          : { kind: "mask", apply: (value) => maskOf(value, mask) },
  };
}

function textStages({ trim, keep, case: letters, missing }: TreatmentDeclaration): readonly Stage[] {
  const stages: Stage[] = [];
  if (trim === true)
    stages.push({
      name: "trim",
      apply: (value) =>
        `nullif(regexp_replace(${value}, '^[\\s\\x{00a0}\\x{200b}\\x{feff}]+|[\\s\\x{00a0}\\x{200b}\\x{feff}]+$', '', 'g'), '')`,
    });
  if (missing !== undefined)
    stages.push({
      name: "missing",
      apply: (value) => `case when ${value} in (${missing.map(quoteText).join(", ")}) then null else ${value} end`,
    });
  if (keep !== undefined)
    stages.push({
      name: "keep",
      apply: (value) => `nullif(regexp_replace(${value}, '${keep === "digits" ? "[^0-9]" : "[^\\pL]"}', '', 'g'), '')`,
    });
  if (letters !== undefined) stages.push({ name: "case", apply: (value) => `${letters}(${value})` });
  return stages;
}

function typedStages(
  { unit, scale, outliers, default: otherwise }: TreatmentDeclaration,
  type: string | undefined,
): readonly Stage[] {
  const cast = (value: string): string => (type === undefined ? value : `cast(${value} as ${type})`);
  const stages: Stage[] = [];
  const conversion = unit === undefined ? undefined : conversionOf(unit);
  const linear = (
    name: string,
    { multiply = 1, add = 0 }: { multiply?: number | undefined; add?: number | undefined },
  ): void => void stages.push({ name, apply: (value) => cast(`(${value} * ${double(multiply)} + ${double(add)})`) });
  if (conversion !== undefined) linear("unit", conversion);
  if (scale !== undefined) linear("scale", scale);
  if (outliers !== undefined) {
    const { low, high, action } = outliers;
    const replaced = (bound: number): string => (action === "clip" ? cast(String(bound)) : "null");
    stages.push({
      name: "outliers",
      apply: (value) =>
        `case ${low === undefined ? "" : `when ${value} < ${low} then ${replaced(low)} `}${high === undefined ? "" : `when ${value} > ${high} then ${replaced(high)} `}else ${value} end`,
    });
  }
  if (otherwise !== undefined)
    stages.push({ name: "default", apply: (value) => `coalesce(${value}, ${cast(quoteText(String(otherwise)))})` });
  return stages;
}

function double(value: number): string {
  return `${value}::DOUBLE`;
}

/** As many stars as letters: short values show nothing. */
function maskOf(value: string, { first, last }: { readonly first: number; readonly last: number }): string {
  const length = `length(${value})`;
  return `case when ${length} <= ${first + last} then repeat('*', ${length}) else left(${value}, ${first}) || repeat('*', ${length} - ${first + last}) || right(${value}, ${last}) end`;
}
