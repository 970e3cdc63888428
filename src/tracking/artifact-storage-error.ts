import { isEsteiraError } from "#base";
import {
  artifactMissing,
  artifactNotWritable,
  artifactPathInvalid,
  artifactStorageFailed,
  artifactStorageFull,
} from "./errors.ts";

/** What a full disk, a quota, the largest file of a process or a file system say. */
const FULL = /ENOSPC|EDQUOT|EFBIG/;

/** The error to throw for what the storage threw: that of artifacts with its cure, everything else as it was. */
export function toArtifactError(error: unknown, path: string, purpose: "read" | "write"): unknown {
  if (!isEsteiraError(error)) return error;
  const said = error.context["reason"];
  const reason = typeof said === "string" ? said : error.message;
  switch (error.code) {
    case "STORAGE_FILE_MISSING":
      return artifactMissing({ path }, error);
    case "STORAGE_PATH_TAKEN":
      return artifactNotWritable({ path, reason }, error);
    case "STORAGE_PATH_INVALID":
      if (!reason.includes("longer")) return artifactPathInvalid({ path }, error);
      return purpose === "read"
        ? artifactMissing({ path }, error)
        : artifactNotWritable({ path, reason: "a part of the path is too long" }, error);
    case "STORAGE_FAILED": {
      // The system's sentence names the file on the server: clients are told the reason alone.
      const told = reason.replace(/, \w+( '.*)?$/s, "");
      return FULL.test(reason)
        ? artifactStorageFull({ path, reason: told }, error)
        : artifactStorageFailed({ path, reason: told }, error);
    }
    default:
      return error;
  }
}
