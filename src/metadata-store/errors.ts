import { defineError, type ErrorFactory } from "#base";

export const storeUnreachable: ErrorFactory<{ store: string; reason: string }> = defineError(
  "METADATA_STORE_UNREACHABLE",
  {
    status: 503,
    kind: "transient",
    message: ({ store, reason }) => `The metadata store ${store} cannot be opened: ${reason}`,
    hint: ({ reason }) =>
      /is full|ENOSPC|No space/i.test(reason)
        ? "The disk is full: free some space and try again."
        : "Check store.metadata in esteira.yaml (or --store), that the folder is writable and that the database answers.",
    solve:
      "Check the address in `store.metadata` or `--store`, the folder's permissions and that the database server runs.",
  },
);

export const storeTooNew: ErrorFactory<{ store: string; found: number; known: number }> = defineError(
  "METADATA_STORE_TOO_NEW",
  {
    status: 500,
    message: ({ store, found, known }) =>
      `The metadata store ${store} has schema ${found}, this program knows up to ${known}`,
    hint: () => "A newer esteira wrote this store: update esteira.",
    solve: "Use the esteira version that wrote the store, or a newer one.",
  },
);

export const storeEmpty: ErrorFactory<{ store: string }> = defineError("METADATA_STORE_EMPTY", {
  status: 409,
  message: ({ store }) => `There is no metadata store at ${store}`,
  hint: () => "Check store.metadata in esteira.yaml, or --store: nothing has run there yet.",
  solve: "Check `store.metadata` or `--store`: the place named holds no metadata store.",
});

export const storeNotEmpty: ErrorFactory<{ store: string }> = defineError("METADATA_STORE_NOT_EMPTY", {
  status: 409,
  message: ({ store }) => `The metadata store ${store} is not empty: nothing was written`,
  hint: () => "Name an empty one: another store.folder, --store DIR, or another database or ?schema=.",
  solve: "Restore into an empty store: another folder, or another database or schema of PostgreSQL.",
});

export const writeFailed: ErrorFactory<{ reason: string }> = defineError("METADATA_STORE_WRITE_FAILED", {
  status: 503,
  kind: "transient",
  message: ({ reason }) => `The metadata store could not commit: ${reason}; nothing of this change was kept`,
  hint: ({ reason }) =>
    /full|ENOSPC/i.test(reason)
      ? "The disk is full: free some space and try again."
      : "Try again; if it stays, check the disk and the database's log.",
  solve: "Free disk space or repair the database, then try again: the change was rolled back as a whole.",
});

export const readTooLong: ErrorFactory<{ seconds: number; sql: string }> = defineError("METADATA_STORE_READ_TOO_LONG", {
  status: 503,
  kind: "transient",
  message: ({ seconds, sql }) =>
    `A read of the metadata store did not answer within ${seconds} seconds and was given up: ${sql.slice(0, 120)}`,
  hint: () => "Ask for less: a shorter time range, a smaller page, a narrower filter.",
  solve:
    "Ask for less at once. If it happens with small pages, the disk is slow or busy, or the store is on a network.",
});

export const readerEnded: ErrorFactory<{ reason: string }> = defineError("METADATA_STORE_READER_ENDED", {
  status: 503,
  kind: "transient",
  message: ({ reason }) => `The thread that read the metadata store ended: ${reason}; the next read starts another`,
  hint: () => "Try again; if it ends with the same read, ask for less at once.",
  solve: "Try again. A read whose rows do not fit the thread's memory ends it each time: ask for less at once.",
});

export const notDurable: ErrorFactory<{ reason: string }> = defineError("METADATA_STORE_NOT_DURABLE", {
  status: 503,
  kind: "transient",
  message: ({ reason }) =>
    `The change is in the metadata store, but the disk did not confirm it: ${reason}; it may be lost when the machine stops`,
  hint: () => "Look whether the change is there before you try again, and check the disk.",
  solve: "Check the disk and its log. Look whether the change is there before trying again.",
});
