export { bucketNotBackedUp } from "./errors.ts";
export { backUpStore, type FinishedBackup } from "./back-up-store.ts";
export type { BackupProgress } from "./copy-files.ts";
export { type BackupCheck, checkBackup, type RestoredStore, restoreStore } from "./restore-store.ts";
