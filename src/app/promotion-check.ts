import type { PromotionCheck } from "#registry";

/** `PromotionCheck` of `models`, by `governance`, which is loaded when the first protected alias moves. */
export const promotionCheck: PromotionCheck = {
  async protects(transaction, alias) {
    const { createPromotionCheck } = await import("#governance");
    return createPromotionCheck().protects(transaction, alias);
  },
  async refuse(transaction, promotion) {
    const { createPromotionCheck } = await import("#governance");
    return createPromotionCheck().refuse(transaction, promotion);
  },
};
