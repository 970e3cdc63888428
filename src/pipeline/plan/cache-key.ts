import { canonicalJson, type Digest, digestOfJson, type Json } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { PastResult } from "./past-runs.ts";
import { digestOfRecipe, type StepRecipe } from "./recipe.ts";

/** What a cache key is made of, part by part. Equal parts, equal key: here and on any other machine. */
export interface KeyParts extends Omit<StepRecipe, "format"> {
  readonly format: "key/2";
  /** Asset and role → digest of its content; null for an optional input without a version. */
  readonly inputs: Readonly<Record<string, Digest | null>>;
  readonly fingerprint: Json;
}

/** A key with what a reader wants to see beside it. */
export interface CacheKey {
  readonly key: Digest;
  /** Keys that earlier releases gave the same step, the newest first. */
  readonly earlierKeys: readonly Digest[];
  /** Assets that the step makes. */
  readonly makes: readonly string[];
  readonly parts: KeyParts;
  /** The step's own part of the recipe, and its digest: the code part of the key. */
  readonly recipe: StepRecipe;
  readonly recipeDigest: Digest;
  /** Version numbers of the inputs, for explaining; not part of the key. */
  readonly versions: Readonly<Record<string, number>>;
}

export function computeCacheKey(facts: {
  readonly recipe: StepRecipe;
  readonly inputs: readonly {
    readonly asset: string;
    readonly role: string;
    readonly version: AssetVersion | undefined;
  }[];
  readonly fingerprint: Json | undefined;
  /** Assets that the step makes: one that is alike makes others. */
  readonly makes: readonly string[];
  /** What a `key/1` had in other places. */
  readonly earlier: { readonly fingerprint: Json | undefined; readonly counted: readonly string[] };
}): CacheKey {
  const nameOf = (input: { readonly asset: string; readonly role: string }): string =>
    input.role === "input" ? input.asset : `${input.asset} (${input.role})`;
  const { recipe } = facts;
  const recipeDigest = digestOfRecipe(recipe);
  const read = {
    inputs: Object.fromEntries(facts.inputs.map((input) => [nameOf(input), input.version?.digest ?? null])),
    fingerprint: facts.fingerprint ?? null,
  };
  const parts: KeyParts = { ...recipe, ...read, format: "key/2" };
  const versions = Object.fromEntries(
    facts.inputs.flatMap((input) =>
      input.version === undefined ? [] : [[nameOf(input), input.version.version] as const],
    ),
  );
  // The first keys knew neither what a step reaches nor which secrets it gets.
  const isOpen = recipe.network === undefined && recipe.secrets === undefined;
  const first = isOpen ? [earlierKeyOf(recipe, read, facts.earlier)] : [];
  const second = digestOfJson({ format: parts.format, recipe: recipeDigest, ...read });
  const makes = [...facts.makes].sort();
  return {
    // Of a step that makes nothing, the key stays what it was.
    key: makes.length === 0 ? second : digestOfJson({ format: "key/3", recipe: recipeDigest, ...read, makes }),
    parts,
    makes,
    earlierKeys: makes.length === 0 ? first : [second, ...first],
    recipe,
    recipeDigest,
    versions,
  };
}

/** The key of the same step before there were recipes: the results of earlier releases are found by it. */
function earlierKeyOf(
  { kind, declaration, params, env, files }: StepRecipe,
  { inputs, fingerprint }: Pick<KeyParts, "inputs" | "fingerprint">,
  earlier: { readonly fingerprint: Json | undefined; readonly counted: readonly string[] },
): Digest {
  return digestOfJson({
    format: "key/1",
    kind,
    declaration,
    params,
    env,
    files: Object.fromEntries(Object.entries(files).filter(([path]) => !earlier.counted.includes(path))),
    inputs,
    fingerprint: earlier.fingerprint ?? fingerprint,
  });
}

/** What is stored beside a result: the parts, and version numbers for reading. */
export type StoredParts = Omit<KeyParts, "format" | "code"> & {
  /** `key/1`, made before recipes, had what is `code` now in its fingerprint. */
  readonly format: KeyParts["format"] | "key/1";
  readonly code?: Json;
  readonly versions?: Readonly<Record<string, number>>;
};

/** In words: which parts differ from those of an earlier result. Empty when none does. */
export function explainDifference(before: StoredParts, now: CacheKey): readonly string[] {
  const changes: string[] = [];
  if (before.kind !== now.parts.kind) changes.push(`kind: ${before.kind} → ${now.parts.kind}`);
  changes.push(
    ...differences(
      before.files,
      now.parts.files,
      (path, was, is) =>
        `file ${path} ${is === null ? "is gone" : was === undefined || was === null ? "is new" : "changed"}`,
    ),
  );
  changes.push(
    ...differences(before.inputs, now.parts.inputs, (name) => {
      const was = before.versions?.[name];
      const is = now.versions[name];
      return `input ${name}: version ${was ?? "none"} → ${is ?? "none"}`;
    }),
  );
  changes.push(
    ...differences(before.params, now.parts.params, (name, was, is) => `param ${name}: ${show(was)} → ${show(is)}`),
  );
  changes.push(...differences(before.env, now.parts.env, (name, was, is) => `env ${name}: ${show(was)} → ${show(is)}`));
  changes.push(...declarationDifferences(before.declaration, now.parts.declaration));
  if (before.format === "key/1") return changes.length === 0 ? ["its result is of an older form"] : changes;
  if (canonicalJson(before.code ?? null) !== canonicalJson(now.parts.code)) changes.push("code that it names changed");
  for (const part of ["network", "secrets"] as const)
    if (canonicalJson(before[part] ?? null) !== canonicalJson(now.parts[part] ?? null)) changes.push(`${part} changed`);
  if (canonicalJson(before.fingerprint) !== canonicalJson(now.parts.fingerprint))
    changes.push("what it reads from outside changed");
  return changes;
}

function declarationDifferences(before: Json, now: Json): readonly string[] {
  if (isMap(before) && isMap(now))
    return differences(before, now, (key, was, is) => `${key}: ${show(was)} → ${show(is)}`);
  return canonicalJson(before) === canonicalJson(now) ? [] : ["declaration changed"];
}

function isMap(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function differences<Value extends Json>(
  before: Readonly<Record<string, Value>>,
  now: Readonly<Record<string, Value>>,
  say: (key: string, was: Value | undefined, is: Value | undefined) => string,
): readonly string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return keys
    .filter(
      (key) => canonicalJson(before[key] ?? null) !== canonicalJson(now[key] ?? null) || key in before !== key in now,
    )
    .map((key) => say(key, before[key], now[key]));
}

function show(value: Json | undefined): string {
  const text = value === undefined ? "none" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Why a step runs although the cache was asked: in one line. */
export function explainMiss(latest: PastResult | undefined, now: CacheKey): string {
  if (latest === undefined) return "it has not run before";
  const before = latest.parts as StoredParts;
  if (before.env["ESTEIRA_PARTITION"] !== now.parts.env["ESTEIRA_PARTITION"])
    return "this partition was not made from what is there now";
  const changes = explainDifference(before, now);
  return changes.length === 0
    ? "its earlier result is no longer the latest version"
    : changes.slice(0, 5).join("; ") + (changes.length > 5 ? `; and ${changes.length - 5} more` : "");
}
