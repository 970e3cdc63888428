import type { WriteTransaction } from "#metadata-store";
import { getModelVersion, getRegisteredModel, isPipelineModel } from "#metadata-store/registry";
import { promotionRefused } from "./errors.ts";
import type { PromotionCheck } from "./ports.ts";

/**
 * Lets a client move an alias, or refuses. Only protected aliases of models that a pipeline made are looked at; where
 * nobody decides about them, they do not move.
 *
 * @throws MODELS_PROMOTION_REFUSED, METADATA_STORE_REGISTERED_MODEL_MISSING, METADATA_STORE_MODEL_VERSION_MISSING
 */
export async function assertPromotion(
  rules: { readonly protectedAliases: readonly string[]; readonly promotion?: PromotionCheck },
  transaction: WriteTransaction,
  move: { readonly name: string; readonly alias: string; readonly version: number | undefined; readonly actor: string },
): Promise<void> {
  const { name, alias, actor } = move;
  if (!rules.protectedAliases.includes(alias) && !((await rules.promotion?.protects(transaction, alias)) ?? false))
    return;
  const { aliases } = await getRegisteredModel(transaction, name);
  const version =
    move.version === undefined ? undefined : await getModelVersion(transaction, { name, version: move.version });
  const current = aliases.find((entry) => entry.alias === alias)?.version;
  if (current === move.version) return;
  if (!(await isPipelineModel(transaction, name))) return;
  const refusal =
    rules.promotion === undefined
      ? {
          reason: "no approval of this version is known to this server.",
          hint: "Approve the version (esteira approve) and deploy it: the deployment moves the alias.",
        }
      : await rules.promotion.refuse(transaction, { name, alias, version, actor });
  if (refusal !== undefined) throw promotionRefused({ name, alias, version: move.version, ...refusal });
}

/** Alias of the version that production runs. */
export const CHAMPION_ALIAS = "champion";
