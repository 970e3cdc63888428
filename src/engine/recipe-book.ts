import type { Digest } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { Blobs } from "#storage";
import {
  digestOfRecipe,
  formatRecipe,
  parseRecipe,
  type Recipe,
  type RecipeInput,
  recipeOf,
  type ReadSources,
} from "#pipeline";

const REMEMBERED = 2000;
/** What nobody names in the end may be collected after a day: later it is stored again. */
const KEPT_MS = 3600_000;

/** Recipes as objects: an object's digest is that of the recipe in it. */
export interface RecipeBook {
  /** What a version stands for in the recipe of what reads it. */
  inputOf(version: AssetVersion): Promise<RecipeInput>;
  /** Keeps a recipe, its own step, and the files that this was made of. */
  keep(recipe: Recipe, sources: ReadSources, counted: Readonly<Record<string, string>>): Promise<void>;
}

export function createRecipeBook(objects: Blobs): RecipeBook {
  const recipes = new Map<Digest, Promise<Recipe>>();
  const kept = new Map<Digest, number>();

  async function put(digest: Digest, content: Buffer | string): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - (kept.get(digest) ?? -Infinity) < KEPT_MS) return;
    await objects.put(content);
    kept.delete(digest);
    kept.set(digest, nowMs);
    if (kept.size > REMEMBERED) kept.delete(kept.keys().next().value ?? digest);
  }

  function read(digest: Digest): Promise<Recipe> {
    const known = recipes.get(digest) ?? objects.get(digest).then((content) => parseRecipe(content.toString("utf8")));
    recipes.set(digest, known);
    known.catch(() => recipes.delete(digest));
    if (recipes.size > REMEMBERED) recipes.delete(recipes.keys().next().value ?? digest);
    return known;
  }

  return {
    async inputOf(version) {
      const digest = recipeOf(version);
      return digest === undefined
        ? { asset: version.asset, version: version.digest }
        : { asset: version.asset, recipe: await read(digest) };
    },
    async keep(recipe, { recipe: step, contents }, counted) {
      for (const [path, content] of [...contents, ...Object.entries(counted)]) {
        const digest = step.files[path];
        if (digest !== undefined && digest !== null) await put(digest, content);
      }
      await put(digestOfRecipe(step), formatRecipe(step));
      const digest = digestOfRecipe(recipe);
      recipes.set(digest, Promise.resolve(recipe));
      await put(digest, formatRecipe(recipe));
    },
  };
}
