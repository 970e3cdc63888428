import { defineError, type ErrorFactory } from "#base";

export const objectMissing: ErrorFactory<{ digest: string }> = defineError("STORAGE_OBJECT_MISSING", {
  status: 404,
  message: ({ digest }) => `The object store holds no object ${digest}`,
  hint: () =>
    "Was it removed by garbage collection, or does the store point at another folder (store.folder in esteira.yaml, or --store)?",
  solve: "Check that the store in use is the one that made the record; restore the object from a backup.",
});

export const digestMismatch: ErrorFactory<{ expected: string; found: string }> = defineError(
  "STORAGE_DIGEST_MISMATCH",
  {
    status: 400,
    message: ({ expected, found }) =>
      `The content has digest ${found}, but ${expected} was announced; nothing was stored`,
    hint: () => "Send the content again: it changed on the way or while it was read.",
    solve: "Send the content again; if it happens twice, the source file changes while it is read.",
  },
);

export const objectDamaged: ErrorFactory<{ digest: string; found: string; path: string }> = defineError(
  "STORAGE_OBJECT_DAMAGED",
  {
    status: 500,
    message: ({ digest, found, path }) =>
      `The object ${digest} is damaged: the file ${path} has digest ${found}. It is not used`,
    hint: () =>
      "esteira verify names what is affected. Restore the file from a backup, or run again the step that made it: storing the same content heals it.",
    solve:
      "Run `esteira verify` to see what is affected. Restore the file from a backup, or run the step that made it again; storing the same content heals the object.",
  },
);

export const storageFailed: ErrorFactory<{ operation: string; path: string; reason: string }> = defineError(
  "STORAGE_FAILED",
  {
    status: 503,
    kind: "transient",
    message: ({ operation, path, reason }) => `The object store could not ${operation} ${path}: ${reason}`,
    hint: ({ reason }) =>
      /ENOSPC/.test(reason)
        ? "The disk is full: free some space; nothing half-written was kept."
        : "Check the folder's permissions and the disk.",
    solve:
      "Free disk space or repair the permissions of the store's folder, then try again. Nothing half-written is kept.",
  },
);

export const unsupportedFile: ErrorFactory<{ path: string }> = defineError("STORAGE_FILE_UNSUPPORTED", {
  status: 400,
  message: ({ path }) => `${path} is neither a file nor a folder; links, sockets and devices cannot be stored`,
  hint: () => "Replace the link by a copy of what it points at, or leave it out of the folder.",
  solve: "Replace links by copies before the folder is stored.",
});

export const pathOutsideTree: ErrorFactory<{ path: string }> = defineError("STORAGE_PATH_OUTSIDE", {
  status: 400,
  message: ({ path }) => `The path ${JSON.stringify(path)} leads out of its folder`,
  hint: () => "Paths inside a tree are relative and hold no '..'.",
  solve: "Use relative paths without `..`.",
});
