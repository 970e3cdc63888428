export { type Damage, type StoreVerification, verifyStore, type VerifyProgress } from "./verify-store.ts";
