import { isEsteiraError } from "#base";
import { artifactStorageFailed, artifactStorageFull } from "./errors.ts";

/** A full disk, a quota, the largest file of a process or a file system. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
/** What a disk or its permissions say; anything else that a stream throws is not the storage's. */
const FAILED = new Set(["EACCES", "EPERM", "EROFS", "EIO", "EMFILE", "ENFILE", "ENODEV", "ESTALE"]);

/** The error to throw for what a file operation threw: the storage's with its cure, everything else as it was. */
export function toStorageError(error: unknown, path: string): unknown {
  if (isEsteiraError(error)) return error;
  const { code = "", message } = error as NodeJS.ErrnoException;
  // The system's sentence names the file on the server: clients are told the reason alone.
  const reason = message.replace(/, \w+( '.*)?$/s, "");
  if (FULL.has(code)) return artifactStorageFull({ path, reason }, error);
  return FAILED.has(code) ? artifactStorageFailed({ path, reason }, error) : error;
}
