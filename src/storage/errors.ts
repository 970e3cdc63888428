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

export const pathInvalid: ErrorFactory<{ path: string; reason: string }> = defineError("STORAGE_PATH_INVALID", {
  status: 400,
  message: ({ path, reason }) => `${JSON.stringify(path)} cannot be the path of a stored file: ${reason}`,
  hint: () => "Use names of up to 255 bytes joined by /, without . and .. among them.",
  solve: "Use shorter names, without `.`, `..`, control characters and backslashes.",
});

export const pathTaken: ErrorFactory<{ path: string; reason: string }> = defineError("STORAGE_PATH_TAKEN", {
  status: 409,
  message: ({ path, reason }) => `${path} cannot be stored: ${reason}`,
  hint: () => "Choose another path, or remove what is in the way.",
  solve: "Choose another path, or remove what is in the way.",
});

export const fileMissing: ErrorFactory<{ path: string; place: string }> = defineError("STORAGE_FILE_MISSING", {
  status: 404,
  message: ({ path, place }) => `There is no file ${path} in ${place}`,
  hint: () => "Was it removed, or does the store point at another place (store in esteira.yaml, or --store)?",
  solve: "Check that the store in use is the one that made the record; restore the file from a backup.",
});

export const fileDamaged: ErrorFactory<{ path: string; place: string; problem: string }> = defineError(
  "STORAGE_FILE_DAMAGED",
  {
    status: 500,
    message: ({ path, place, problem }) => `The file ${path} in ${place} is damaged: ${problem}. It is not used`,
    hint: () => "esteira verify names what is affected. Restore the file from a backup.",
    solve: "Run `esteira verify` to see what is affected, and restore the file from a backup.",
  },
);

export const bucketMissing: ErrorFactory<{ bucket: string; endpoint: string }> = defineError("STORAGE_BUCKET_MISSING", {
  status: 503,
  message: ({ bucket, endpoint }) => `There is no bucket "${bucket}" at ${endpoint}`,
  hint: () => "Make the bucket, or correct store.storage, store.endpoint or store.region in esteira.yaml.",
  solve:
    "Make the bucket, which is not made by itself. Or correct `store.storage` and `store.endpoint` in esteira.yaml.",
});

export const accessDenied: ErrorFactory<{ operation: string; place: string; reason: string }> = defineError(
  "STORAGE_ACCESS_DENIED",
  {
    status: 503,
    message: ({ operation, place, reason }) => `The storage refused to ${operation} ${place}: ${reason}`,
    hint: ({ reason }) =>
      /SignatureDoesNotMatch|InvalidAccessKeyId|ExpiredToken|InvalidToken/.test(reason)
        ? "The keys are not those of the storage: see the environment variables that store.credentials names."
        : "The keys need the rights GetObject, PutObject, DeleteObject, ListBucket and AbortMultipartUpload.",
    solve:
      "Check the environment variables that `store.credentials` names, and that they may get, put, list and delete objects below the prefix.",
  },
);

export const regionWrong: ErrorFactory<{ bucket: string; region: string; expected: string }> = defineError(
  "STORAGE_REGION_WRONG",
  {
    status: 503,
    message: ({ bucket, region, expected }) =>
      `The bucket "${bucket}" is not in region ${region}${expected === "" ? "" : `, but in ${expected}`}`,
    hint: ({ expected }) =>
      expected === "" ? "Set store.region in esteira.yaml." : `Set store.region: ${expected} in esteira.yaml.`,
    solve: "Set `store.region` in esteira.yaml to the region of the bucket.",
  },
);

export const clockSkewed: ErrorFactory<{ here: string; there: string }> = defineError("STORAGE_CLOCK_SKEWED", {
  status: 503,
  message: ({ here, there }) => `The storage refuses requests of ${here}: its clock says ${there}`,
  hint: () => "Set this machine's clock (NTP).",
  solve: "Set the clock of the machine, for instance with NTP: S3 takes requests of the last 15 minutes.",
});

export const credentialsMissing: ErrorFactory<{ variable: string }> = defineError("STORAGE_CREDENTIALS_MISSING", {
  status: 503,
  message: ({ variable }) => `The storage needs credentials, and the environment variable ${variable} is not set`,
  hint: ({ variable }) =>
    `Set ${variable}, or name other variables under store.credentials (key, secret) in esteira.yaml.`,
  solve:
    "Set the environment variables that `store.credentials` names; default `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.",
});
