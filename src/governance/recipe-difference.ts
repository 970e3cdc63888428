import { canonicalJson, type Digest, isDigest, isEsteiraError, type Json } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { listDeployed } from "#metadata-store/delivery";
import type { Blobs } from "#storage";
import { parseRecipe, parseStepRecipe, type Recipe, recipeOf, type StepRecipe } from "#pipeline";
import { recipeUnknown } from "./errors.ts";
import { listReleaseRecipes } from "./recipe-approval.ts";
import { diffTexts } from "./text-difference.ts";

/** What of a recipe differs. */
export type RecipePart = "step" | "key" | "param" | "variable" | "file" | "code" | "environment" | "version" | "deploy";

/** One thing that is another in the second recipe; a side on which it is not there is undefined. */
export interface RecipeChange {
  /** Asset that the step makes. */
  readonly step: string;
  readonly part: RecipePart;
  readonly name: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** Of a file that is text: the hunks of a unified diff, at most 400 lines. */
  readonly lines?: string | undefined;
}

/** A recipe and how it was found: `approved`, `waiting`, `live`, or the number of a version. */
export interface NamedRecipe {
  readonly label: string;
  readonly digest: Digest;
}

/** Two recipes of one asset, and what differs, by step. */
export interface RecipeDifference {
  readonly asset: string;
  readonly before: NamedRecipe | undefined;
  readonly after: NamedRecipe;
  readonly changes: readonly RecipeChange[];
}

type Found = NamedRecipe & { readonly recipe: Recipe };

/**
 * Compares two recipes of an asset. `before` is by default the approved one, `none` to show the whole other; `after` is
 * by default what waits for approval, else the latest version's. In an `environment`, `before` is by default what is
 * approved for it, else what is live there.
 *
 * @throws GOVERNANCE_RECIPE_UNKNOWN
 */
export async function compareRecipes(
  store: MetadataStore,
  objects: Blobs,
  query: {
    readonly project: string;
    readonly asset: string;
    readonly before?: string | undefined;
    /** A digest is that of a recipe that waits, or was decided over. */
    readonly after?: string | undefined;
    readonly environment?: string | undefined;
  },
): Promise<RecipeDifference> {
  const releases = await listReleaseRecipes(store, objects, query);
  const find = async (wanted: string): Promise<Found | undefined> => {
    const release = releases.find(({ approved, digest }) =>
      isDigest(wanted) ? digest === wanted : wanted === "approved" ? approved : wanted === "waiting" && !approved,
    );
    if (release !== undefined) return { ...release, label: isDigest(wanted) ? "waiting" : wanted };
    return /^\d+$|^latest$/.test(wanted) ? findVersion(store, objects, { ...query, wanted }) : undefined;
  };
  const after =
    query.after === undefined ? ((await find("waiting")) ?? (await find("latest"))) : await find(query.after);
  if (after === undefined) throw recipeUnknown({ asset: query.asset, wanted: query.after ?? "latest" });
  const before =
    query.before === "none"
      ? undefined
      : ((await find(query.before ?? "approved")) ??
        (query.before === undefined ? await findLive(store, objects, query) : undefined));
  if (before === undefined && query.before !== undefined && query.before !== "none")
    throw recipeUnknown({ asset: query.asset, wanted: query.before });
  return {
    asset: query.asset,
    before: before === undefined ? undefined : { label: before.label, digest: before.digest },
    after: { label: after.label, digest: after.digest },
    changes: await diffRecipes(objects, before?.recipe, after.recipe),
  };
}

/** What differs between the recipes of two versions; undefined when one of them has none. */
export async function compareVersionRecipes(
  objects: Blobs,
  before: Pick<AssetVersion, "content">,
  after: Pick<AssetVersion, "content">,
): Promise<readonly RecipeChange[] | undefined> {
  const [left, right] = [recipeOf(before), recipeOf(after)];
  if (left === undefined || right === undefined) return undefined;
  if (left === right) return [];
  const read = async (digest: Digest): Promise<Recipe> => parseRecipe((await objects.get(digest)).toString("utf8"));
  return diffRecipes(objects, await read(left), await read(right));
}

/** What runs in an environment, however it got there: of what is bound to versions there is no approved recipe. */
async function findLive(
  store: MetadataStore,
  objects: Blobs,
  query: { readonly project: string; readonly asset: string; readonly environment?: string | undefined },
): Promise<Found | undefined> {
  const { project, asset, environment } = query;
  if (environment === undefined) return undefined;
  const version = await store.read(async (transaction) => {
    const deployed = await listDeployed(transaction, { project, environment });
    const live = deployed.find((each) => each.asset === asset);
    return live === undefined ? undefined : getAssetVersion(transaction, { id: live.versionId });
  });
  const digest = version === undefined ? undefined : recipeOf(version);
  return digest === undefined ? undefined : { ...(await readFound(objects, digest)), label: "live" };
}

async function readFound(objects: Blobs, digest: Digest): Promise<Omit<Found, "label">> {
  return { digest, recipe: parseRecipe((await objects.get(digest)).toString("utf8")) };
}

async function findVersion(
  store: MetadataStore,
  objects: Blobs,
  { project, asset, wanted }: { readonly project: string; readonly asset: string; readonly wanted: string },
): Promise<Found | undefined> {
  const number = wanted === "latest" ? {} : { version: Number(wanted) };
  const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset, ...number }));
  const digest = version === undefined ? undefined : recipeOf(version);
  if (version === undefined || digest === undefined) return undefined;
  return { ...(await readFound(objects, digest)), label: String(version.version) };
}

/** What differs, by step. Of a release and a version, the steps of the version are compared. */
async function diffRecipes(
  objects: Blobs,
  before: Recipe | undefined,
  after: Recipe,
): Promise<readonly RecipeChange[]> {
  const sides = before === undefined ? [after] : [before, after];
  const isWhole = new Set(sides.map(({ release }) => release === undefined)).size === 1;
  const steps = [...new Set(sides.flatMap(namesIn))]
    .toSorted()
    .filter((step) => isWhole || sides.every((recipe) => Object.hasOwn(recipe.steps, step)));
  const changes = await Promise.all(
    steps.map(async (step) =>
      diffParts(step, await readParts(objects, before, step), await readParts(objects, after, step)),
    ),
  );
  // Without another side everything is new: its digests name it.
  const shown = before === undefined ? changes.flat() : await withLines(objects, changes.flat());
  if (!isWhole) return shown;
  const deploy = (recipe: Recipe | undefined): Parts => new Map(textOf("deploy", recipe?.release?.deploy));
  return [...shown, ...diffParts(after.release?.asset ?? "", deploy(before), deploy(after))];
}

/** Files that are compared line by line; of more, the digests tell. */
const MOST_FILES = 50;

/** The files of recipes are kept with them; one that was not read anew since may have been collected. */
async function withLines(objects: Blobs, changes: readonly RecipeChange[]): Promise<readonly RecipeChange[]> {
  const read = async (digest: string | undefined): Promise<Buffer | undefined> =>
    digest === undefined || !isDigest(digest) ? undefined : objects.get(digest);
  let left = MOST_FILES;
  const shown: RecipeChange[] = [];
  for (const change of changes) {
    if (change.part !== "file" || left-- <= 0) {
      shown.push(change);
      continue;
    }
    const lines = await Promise.all([read(change.before), read(change.after)]).then(
      ([before, after]) => diffTexts(before, after),
      (error: unknown) => {
        if (isEsteiraError(error) && error.status === 404) return undefined;
        throw error;
      },
    );
    shown.push(lines === undefined ? change : { ...change, lines });
  }
  return shown;
}

function namesIn({ steps, versions }: Recipe): readonly string[] {
  return [...Object.keys(steps), ...Object.keys(versions)];
}

type Parts = ReadonlyMap<string, { readonly part: RecipePart; readonly name: string; readonly text: string }>;

function textOf(
  part: RecipePart,
  value: unknown,
): readonly [string, { part: RecipePart; name: string; text: string }][] {
  return value === undefined ? [] : [[part, { part, name: part, text: canonicalJson(value) }]];
}

function diffParts(step: string, before: Parts, after: Parts): readonly RecipeChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    const { part, name } = is ?? was ?? { part: "step", name: step };
    return was?.text === is?.text ? [] : [{ step, part, name, before: was?.text, after: is?.text }];
  });
}

/** Of one asset: the parts of the step recipes that made it, one as a rule, and what else its recipe knows. */
async function readParts(objects: Blobs, whole: Recipe | undefined, step: string): Promise<Parts> {
  const parts = new Map([
    ...textOf("environment", own(whole?.environments, step)),
    ...textOf("version", own(whole?.versions, step)),
  ]);
  for (const [index, digest] of (own(whole?.steps, step) ?? []).entries()) {
    const recipe = parseStepRecipe((await objects.get(digest)).toString("utf8"));
    for (const [part, name, text] of partsOf(recipe)) parts.set(`${index}:${part}:${name}`, { part, name, text });
  }
  return parts;
}

function partsOf({
  kind,
  declaration,
  params,
  env,
  files,
  code,
  network,
  secrets,
}: StepRecipe): readonly [RecipePart, string, string][] {
  const named = (part: RecipePart, values: Readonly<Record<string, Json>>): [RecipePart, string, string][] =>
    Object.entries(values).map(([name, value]) => [
      part,
      name,
      typeof value === "string" ? value : canonicalJson(value),
    ]);
  return [
    ["step", "kind", kind],
    ...named("key", isMap(declaration) ? declaration : { declaration }),
    ...named("key", {
      ...(network === undefined ? {} : { network }),
      ...(secrets === undefined ? {} : { secrets }),
    }),
    ...named("param", params),
    ...named("variable", env),
    ...named("file", files),
    ...(code === null ? [] : named("code", { code })),
  ];
}

/** Steps may be called what every object has: `constructor`. */
function own<Value>(map: Readonly<Record<string, Value>> | undefined, name: string): Value | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}

function isMap(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
