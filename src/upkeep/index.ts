export { type AppliedRetention, applyRetention, type Expired, type Retention } from "./apply-retention.ts";
export { collectGarbage, type Garbage } from "./collect-garbage.ts";
export { findLastVerification, type LastVerification, scrubStore } from "./scrub-store.ts";
export { type Damage, type StoreVerification, verifyStore, type VerifyProgress } from "./verify-store.ts";
export { readStoreFacts } from "./store-facts.ts";
