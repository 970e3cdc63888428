import { z } from "zod";
import { canonicalJson, type Digest, digestOf, digestOfJson, isDigest, type Json } from "#base";
import { recipeInvalid } from "../errors.ts";

const STEP_FORMAT = "step-recipe/1";
const FORMAT = "recipe/1";

/** One step of a recipe: all that decides what it does, but the data it reads. The code part of its cache key. */
export interface StepRecipe {
  readonly format: typeof STEP_FORMAT;
  readonly kind: string;
  /** The kind's own keys, expressions replaced. */
  readonly declaration: Json;
  readonly params: Readonly<Record<string, Json>>;
  readonly env: Readonly<Record<string, string>>;
  /** Project file → digest of what counts of it; null for a file that is not there. */
  readonly files: Readonly<Record<string, Digest | null>>;
  /** What the kind resolved from files of the project that are not named above: the views of a join. */
  readonly code: Json;
  /** What its processes reach, where the step says it. */
  readonly network?: Json | undefined;
  /** Names of the secrets that its processes get; missing for none. */
  readonly secrets?: readonly string[] | undefined;
}

/** What was installed for a step's processes, and for which platform. */
export interface RecipeEnvironment {
  readonly lock: Digest;
  /** `linux-x64` */
  readonly platform: string;
}

/** How a release leaves the recipe of its model: by which gate, to what. */
export interface RecipeRelease {
  readonly asset: string;
  /** Name of the step that judged it, one of `steps`. */
  readonly gate: string;
  readonly deploy: Json;
}

/** Everything that influences a result, down to the captures; not the data. Its digest is what is approved. */
export interface Recipe {
  readonly format: typeof FORMAT;
  /** Asset → digests of the `StepRecipe`s that made the versions of it that were read: one, as a rule. Sorted. */
  readonly steps: Readonly<Record<string, readonly Digest[]>>;
  /** Asset → what was installed for the step that made it. Sorted by lock. */
  readonly environments: Readonly<Record<string, readonly RecipeEnvironment[]>>;
  /** Asset → versions whose recipe is not known: they stand for themselves. */
  readonly versions: Readonly<Record<string, readonly Digest[]>>;
  readonly release?: RecipeRelease | undefined;
}

const digest = z.custom<Digest>((value) => typeof value === "string" && isDigest(value), "is no digest");
const byAsset = z.record(z.string(), z.array(digest));

const stepSchema: z.ZodType<StepRecipe> = z.strictObject({
  format: z.literal(STEP_FORMAT),
  kind: z.string(),
  declaration: z.json(),
  params: z.record(z.string(), z.json()),
  env: z.record(z.string(), z.string()),
  files: z.record(z.string(), digest.nullable()),
  code: z.json(),
  network: z.json().optional(),
  secrets: z.array(z.string()).optional(),
});

const recipeSchema: z.ZodType<Recipe> = z.strictObject({
  format: z.literal(FORMAT),
  steps: byAsset,
  environments: z.record(z.string(), z.array(z.strictObject({ lock: digest, platform: z.string() }))),
  versions: byAsset,
  release: z.strictObject({ asset: z.string(), gate: z.string(), deploy: z.json() }).optional(),
});

/** Makes the recipe of one step from what its analysis found. */
export function toStepRecipe(
  facts: Omit<StepRecipe, "format" | "code"> & { readonly code: Json | undefined },
): StepRecipe {
  return { ...facts, format: STEP_FORMAT, code: facts.code ?? null };
}

/** What a step read, as its recipe sees it: the recipe of the version, or the version where none is known. */
export type RecipeInput = { readonly asset: string } & ({ readonly recipe: Recipe } | { readonly version: Digest });

/**
 * The recipe of what a step makes. An earlier version of the same asset, which came back to it through its inputs, is
 * data of the past and no part of it.
 */
export function combineRecipes(
  own: { readonly asset: string; readonly step: Digest; readonly environment?: RecipeEnvironment | undefined },
  inputs: readonly RecipeInput[],
): Recipe {
  const { steps, environments, versions } = mergeInputs(inputs);
  return {
    format: FORMAT,
    steps: { ...steps, [own.asset]: [own.step] },
    environments:
      own.environment === undefined
        ? without(environments, own.asset)
        : { ...environments, [own.asset]: [own.environment] },
    versions: without(versions, own.asset),
  };
}

/** The recipe of a release: the model's, with what judged it and how it is deployed. */
export function releaseRecipe(model: Recipe, gate: Recipe, release: RecipeRelease): Recipe {
  return {
    format: FORMAT,
    ...mergeInputs([
      { asset: release.asset, recipe: model },
      { asset: release.gate, recipe: gate },
    ]),
    release,
  };
}

export function formatRecipe(recipe: Recipe | StepRecipe): string {
  return canonicalJson(recipe);
}

export function digestOfRecipe(recipe: Recipe | StepRecipe): Digest {
  return digestOfJson(recipe);
}

/** @throws PIPELINE_RECIPE_INVALID */
export function parseRecipe(text: string): Recipe {
  return parse(text, recipeSchema, FORMAT);
}

/** @throws PIPELINE_RECIPE_INVALID */
export function parseStepRecipe(text: string): StepRecipe {
  return parse(text, stepSchema, STEP_FORMAT);
}

function parse<Value>(text: string, schema: z.ZodType<Value>, expected: string): Value {
  const read = schema.safeParse(JSON.parse(text));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const found = `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`;
  throw recipeInvalid({ digest: digestOf(text), found, expected });
}

/** Digest of the recipe that an asset version's content names; undefined for versions made before there were any. */
export function recipeOf(version: { readonly content: object }): Digest | undefined {
  const { content } = version;
  return "recipe" in content && typeof content.recipe === "string" && isDigest(content.recipe)
    ? content.recipe
    : undefined;
}

function mergeInputs(inputs: readonly RecipeInput[]): Pick<Recipe, "steps" | "environments" | "versions"> {
  const recipes = inputs.flatMap((input) => ("recipe" in input ? [input.recipe] : []));
  const unknown = inputs.flatMap((input) => ("version" in input ? [{ [input.asset]: [input.version] }] : []));
  return {
    steps: merge(recipes.map(({ steps }) => steps)),
    environments: merge(recipes.map(({ environments }) => environments)),
    versions: merge([...recipes.map(({ versions }) => versions), ...unknown]),
  };
}

function merge<Value>(maps: readonly Readonly<Record<string, readonly Value[]>>[]): Record<string, readonly Value[]> {
  const merged = new Map<string, Map<string, Value>>();
  for (const [asset, values] of maps.flatMap((map) => Object.entries(map))) {
    const known = merged.get(asset) ?? new Map<string, Value>();
    for (const value of values) known.set(canonicalJson(value), value);
    merged.set(asset, known);
  }
  return Object.fromEntries([...merged].map(([asset, values]) => [asset, sortedValues(values)]));
}

function sortedValues<Value>(values: ReadonlyMap<string, Value>): readonly Value[] {
  const order = [...values.keys()].toSorted();
  return order.flatMap((key) => values.get(key) ?? []);
}

function without<Value>(map: Readonly<Record<string, Value>>, name: string): Record<string, Value> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== name));
}
