import { defineError, type ErrorFactory } from "#base";

export const backupNotOne: ErrorFactory<{ folder: string; reason: string }> = defineError("BACKUP_FOLDER_UNKNOWN", {
  status: 400,
  message: ({ folder, reason }) => `${folder} is no backup: ${reason}`,
  hint: () => "Name the folder that `esteira backup FOLDER` wrote; a backup that was cut short has no backup.json.",
  solve: "Name a folder that `esteira backup` has finished.",
});

export const backupFolderTaken: ErrorFactory<{ folder: string }> = defineError("BACKUP_FOLDER_TAKEN", {
  status: 409,
  message: ({ folder }) => `${folder} holds other files than a backup of this store`,
  hint: () => "Name a new or empty folder, or that of an earlier backup of the same store.",
  solve: "Back up into a new or empty folder, or into an earlier backup of the same store.",
});

export const backupFolderInside: ErrorFactory<{ folder: string; store: string }> = defineError("BACKUP_FOLDER_INSIDE", {
  status: 400,
  message: ({ folder, store }) => `${folder} is in the store ${store}: what is lost with the store is no backup`,
  hint: () => "Name a folder outside the store, best on another disk.",
  solve: "Back up into a folder outside the store, best on another disk.",
});

export const backupDamaged: ErrorFactory<{ file: string; problem: string }> = defineError("BACKUP_DAMAGED", {
  status: 409,
  message: ({ file, problem }) => `The backup is damaged: ${file} ${problem}; nothing was restored`,
  hint: () => "Take another backup; `esteira backup --check FOLDER` names everything that is damaged in one.",
  solve: "Use another backup, or take the damaged file from another copy of this one.",
});

export const backupTooNew: ErrorFactory<{ folder: string; found: string; known: string }> = defineError(
  "BACKUP_TOO_NEW",
  {
    status: 409,
    message: ({ folder, found, known }) => `${folder} is a backup of form ${found}, this program knows ${known}`,
    hint: () => "A newer esteira wrote it: update esteira.",
    solve: "Restore with the esteira version that wrote the backup, or a newer one.",
  },
);

export const storeChanging: ErrorFactory<{ file: string; tries: number }> = defineError("BACKUP_STORE_CHANGING", {
  status: 503,
  kind: "transient",
  message: ({ file, tries }) =>
    `Files of the store were removed while it was copied, ${tries} times: ${file} is gone; the backup is not finished`,
  hint: () => "Try again when no vacuum, drop or purge is at work.",
  solve: "Back up while no `dataset vacuum`, `dataset drop` or `purge` is at work.",
});

export const storeFolderTaken: ErrorFactory<{ folder: string }> = defineError("BACKUP_STORE_TAKEN", {
  status: 409,
  message: ({ folder }) => `The store's folder ${folder} is not empty: nothing was restored`,
  hint: () => "Move it away, or restore into another one: esteira restore BACKUP --store DIR",
  solve: "Restore into an empty or missing folder.",
});

export const bucketNotBackedUp: ErrorFactory<{ bucket: string }> = defineError("BACKUP_STORE_IN_BUCKET", {
  status: 409,
  message: ({ bucket }) => `The store keeps its bytes in the bucket "${bucket}", which this command does not copy`,
  hint: () =>
    "Copy the database and the bucket with their own tools, the database first: content is never overwritten.",
  solve: "Copy the database first, then the bucket, each with its own tools; or turn on versions of the bucket.",
});
