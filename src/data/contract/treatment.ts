import { z } from "zod";
import { nearestName } from "#base";
import { quoteText } from "../analytics/sql-text.ts";
import { typeOf } from "./column-type.ts";
import type { ContractProperty } from "./contract.ts";
import { isOutlier, outlierProblem, type Outliers, outliersOf, outliersSchema } from "./outliers.ts";
import { TOKEN_FORMATS, type TokenFormat } from "./token.ts";
import { conversionOf, UNITS } from "./unit-conversion.ts";

/** Name of the custom property (ODCS `customProperties`) that says how values of a column are treated. */
const PROPERTY = "treatment";

const number = z.number();
const secretName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/, "expected the name of a secret");
const treatmentSchema = z.strictObject({
  trim: z.boolean().optional(),
  keep: z.enum(["digits", "letters"]).optional(),
  case: z.enum(["lower", "upper"]).optional(),
  missing: z.array(z.string()).min(1).optional(),
  unit: z.strictObject({ from: z.string(), to: z.string() }).optional(),
  scale: z.strictObject({ multiply: number.optional(), add: number.optional() }).optional(),
  outliers: outliersSchema.optional(),
  default: z.union([z.string(), number, z.boolean()]).optional(),
  mask: z.strictObject({ first: z.int().min(0).default(0), last: z.int().min(0).default(0) }).optional(),
  hash: secretName.optional(),
  tokenise: z
    .union([
      secretName.transform((secret) => ({ secret, format: undefined })),
      z.strictObject({ secret: secretName, format: z.enum(TOKEN_FORMATS).optional() }),
    ])
    .optional(),
});

export type TreatmentDeclaration = z.infer<typeof treatmentSchema>;

/** One thing that is done to a value. SQL in, SQL out. */
interface Stage {
  readonly name: string;
  apply(value: string): string;
  /** SQL of what is counted, where that is not that the value is another one. */
  counts?(value: string): string;
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
    | { readonly kind: "tokenise"; readonly secret: string; readonly format: TokenFormat }
    | undefined;
  /** The values that one of the typed stages, or a rule, takes out. */
  readonly outliers: Outliers | undefined;
}

/** Name of the typed stage before which values are measured for {@link Treatment.outliers}. */
export const OUTLIERS_STAGE = "outliers";

/** What is wrong with the treatment that a contract declares for a column: `path` leads on from the property. */
export interface TreatmentProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint?: string;
}

/** The treatment that a property or an object declares, as written. */
export function declaredTreatment({
  customProperties,
}: {
  readonly customProperties?: unknown;
}): { readonly path: readonly (string | number)[]; readonly value: unknown } | undefined {
  const entries: readonly unknown[] = Array.isArray(customProperties) ? customProperties : [];
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
  const declared = declaredTreatment(property);
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
  const { unit } = treatment;
  const type = typeOf(property) ?? "of no declared type";
  yield* protectionProblems(treatment, type, path);
  for (const { keys, fits, what, hint } of TYPES_NEEDED)
    for (const key of keys)
      if (treatment[key] !== undefined && !fits.test(type))
        yield { path: [...path, key], message: `${key} is for ${what}, and the column is ${type}`, hint };
  const bounds = treatment.outliers === undefined ? undefined : outlierProblem(treatment.outliers);
  if (bounds !== undefined) yield { path: [...path, "outliers"], message: bounds };
  if (unit !== undefined && conversionOf(unit) === undefined)
    yield {
      path: [...path, "unit"],
      message: `${unit.from} cannot be converted to ${unit.to}`,
      hint: `Units are ${UNITS.map((names) => names.join(", ")).join("; ")}; others with scale: { multiply, add }.`,
    };
}

function* protectionProblems(
  treatment: TreatmentDeclaration,
  type: string,
  path: readonly (string | number)[],
): Generator<TreatmentProblem> {
  const { tokenise } = treatment;
  const [protection, other] = PROTECTIONS.filter((key) => treatment[key] !== undefined);
  if (protection !== undefined && other !== undefined)
    yield { path: [...path, protection], message: "A value is masked, hashed or tokenised, not both of them" };
  if (tokenise?.format !== undefined && type !== "VARCHAR")
    yield { path: [...path, "tokenise", "format"], message: `Tokens of a column that is ${type} are whole numbers` };
  if (tokenise !== undefined && treatment.outliers !== undefined)
    yield { path: [...path, "outliers"], message: "Numbers that name somebody have no outliers" };
}

const PROTECTIONS = ["mask", "hash", "tokenise"] as const;

/** Treatments whose result has a type. */
const TYPES_NEEDED = [
  { keys: ["mask", "hash"], fits: /^VARCHAR$/, what: "texts", hint: "Declare logicalType: string." },
  {
    keys: ["tokenise"],
    fits: /^(VARCHAR|BIGINT)$/,
    what: "texts and whole numbers",
    hint: "Declare logicalType: string or integer.",
  },
  {
    keys: ["unit", "scale"],
    fits: FRACTION_TYPE,
    what: "numbers with a fraction",
    hint: "Declare logicalType: number.",
  },
  { keys: ["outliers"], fits: NUMBER_TYPE, what: "numbers", hint: "Declare logicalType: number or integer." },
] as const;

/** The treatment of a column; undefined where the contract declares none. */
export function treatmentOf(property: ContractProperty): Treatment | undefined {
  const declared = declaredTreatment(property);
  const checked = declared === undefined ? undefined : treatmentSchema.safeParse(declared.value);
  if (checked?.success !== true) return undefined;
  const type = typeOf(property);
  const outliers = checked.data.outliers === undefined ? undefined : outliersOf(checked.data.outliers, property.name);
  return {
    text: textStages(checked.data),
    typed: typedStages(checked.data, { type, outliers }),
    protection: protectionOf(checked.data, type),
    outliers,
  };
}

function protectionOf(
  { mask, hash, tokenise }: TreatmentDeclaration,
  type: string | undefined,
): Treatment["protection"] {
  if (hash !== undefined) return { kind: "hash", secret: hash };
  if (mask !== undefined) return { kind: "mask", apply: (value) => maskOf(value, mask) };
  if (tokenise === undefined) return undefined;
  const { secret, format = "text" } = tokenise;
  return { kind: "tokenise", secret, format: type === "VARCHAR" ? format : "number" };
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
  { unit, scale, default: otherwise }: TreatmentDeclaration,
  { type, outliers }: { readonly type: string | undefined; readonly outliers: Outliers | undefined },
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
  if (outliers !== undefined) stages.push(outlierStage(outliers, type));
  if (otherwise !== undefined)
    stages.push({ name: "default", apply: (value) => `coalesce(${value}, ${cast(quoteText(String(otherwise)))})` });
  return stages;
}

function outlierStage(outliers: Outliers, type: string | undefined): Stage {
  const { low, high, declared } = outliers;
  // The nearest whole number may be beyond the bound.
  const isWhole = type !== undefined && !FRACTION_TYPE.test(type);
  const replaced = (bound: string, inwards: "ceil" | "floor"): string =>
    declared.action === "clip" ? `cast(${isWhole ? `${inwards}(${bound})` : bound} as ${type})` : "null";
  const counts = (value: string): string => isOutlier(outliers, `(${value})`);
  // A rule holds the row back.
  if (declared.action === "hold") return { name: OUTLIERS_STAGE, apply: (value) => value, counts };
  return {
    name: OUTLIERS_STAGE,
    counts,
    apply: (value) =>
      `case ${low === undefined ? "" : `when ${value} < ${low} then ${replaced(low, "ceil")} `}${high === undefined ? "" : `when ${value} > ${high} then ${replaced(high, "floor")} `}else ${value} end`,
  };
}

function double(value: number): string {
  return `${value}::DOUBLE`;
}

/** As many stars as letters: short values show nothing. */
function maskOf(value: string, { first, last }: { readonly first: number; readonly last: number }): string {
  const length = `length(${value})`;
  return `case when ${length} <= ${first + last} then repeat('*', ${length}) else left(${value}, ${first}) || repeat('*', ${length} - ${first + last}) || right(${value}, ${last}) end`;
}
