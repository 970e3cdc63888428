import type { Platform } from "#app";
import { compareRecipes } from "#governance";
import type { ApiHandlers } from "../api/api-mounts.ts";

/** Recipes, and what differs between two. */
export function createRecipeHandlers({ store, objects, project }: Platform): Pick<ApiHandlers, "getRecipe"> {
  return {
    getRecipe: ({ params, query }) => compareRecipes(store, objects, { project, asset: params.name, ...query }),
  };
}
