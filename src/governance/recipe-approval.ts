import type { Digest } from "#base";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import { listApprovalRequests, listApprovalRows } from "#metadata-store/governance";
import type { Blobs } from "#storage";
import { parseRecipe, type Recipe, recipeOf } from "#pipeline";

/** Decisions and requests that are looked through for one model. */
const LOOKED_THROUGH = 500;

/** The recipe of a release that somebody decided over, or that waits for it. */
export interface ReleaseRecipe {
  readonly digest: Digest;
  readonly recipe: Recipe;
  readonly approved: boolean;
}

/**
 * Recipes of releases of one model: what waits first, then what was decided over (for one environment, or any), newest
 * first.
 */
export async function listReleaseRecipes(
  store: MetadataStore,
  objects: Blobs,
  query: { readonly project: string; readonly asset: string; readonly environment?: string | undefined },
): Promise<readonly ReleaseRecipe[]> {
  const { project, asset } = query;
  const environment = query.environment === undefined ? {} : { environment: query.environment };
  const { requests, decisions } = await store.read(async (transaction) => ({
    requests: await listApprovalRequests(transaction, { project, limit: LOOKED_THROUGH }),
    decisions: await listApprovalRows(transaction, { project, ...environment, standing: true, limit: LOOKED_THROUGH }),
  }));
  const known = [...requests, ...decisions].filter(({ subjectKind }) => subjectKind === "recipe");
  const approved = new Set(decisions.flatMap(({ decision, digest }) => (decision === "approved" ? [digest] : [])));
  const found: ReleaseRecipe[] = [];
  for (const digest of new Set(known.map((each) => each.digest))) {
    const recipe = parseRecipe((await objects.get(digest)).toString("utf8"));
    if (recipe.release?.asset === asset) found.push({ digest, recipe, approved: approved.has(digest) });
  }
  return found;
}

/** Digests of the recipes of releases that one version would be, or is, part of. */
export async function findRecipesOf(
  store: MetadataStore,
  objects: Blobs,
  version: AssetVersion,
): Promise<readonly Digest[]> {
  const own = recipeOf(version);
  if (own === undefined) return [];
  const { steps } = parseRecipe((await objects.get(own)).toString("utf8"));
  const releases = await listReleaseRecipes(store, objects, version);
  return releases
    .filter(({ recipe }) =>
      Object.entries(steps).every(([asset, made]) =>
        made.every((step) => Object.hasOwn(recipe.steps, asset) && recipe.steps[asset]?.includes(step) === true),
      ),
    )
    .map(({ digest }) => digest);
}
