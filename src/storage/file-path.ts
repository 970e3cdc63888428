import { pathInvalid } from "./errors.ts";

/** What file systems take as one name, and S3 as a whole key with a prefix before it. */
const LONGEST_SEGMENT_BYTES = 255;
const LONGEST_PATH_BYTES = 900;

/** Where what is not whole yet is kept, at the root. */
export const INCOMING_FOLDER = ".incoming";

/**
 * Segments of a path of {@link Files}, at least one: no driver is ever asked for another. @throws STORAGE_PATH_INVALID
 */
export function fileSegments(path: string): readonly string[] {
  const segments = path.split("/");
  for (const segment of segments) {
    if (segment === "" || segment === "." || segment === "..") throw refused(path, "a part of it is empty, . or ..");
    if (Buffer.byteLength(segment) > LONGEST_SEGMENT_BYTES)
      throw refused(path, `a part of it is longer than ${LONGEST_SEGMENT_BYTES} bytes`);
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(path) || !path.isWellFormed())
    throw refused(path, "it holds a control character, a backslash or half a character");
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES)
    throw refused(path, `it is longer than ${LONGEST_PATH_BYTES} bytes`);
  return segments;
}

/** Segments of a folder; none for the root, `""`. */
export function folderSegments(path: string): readonly string[] {
  return path === "" ? [] : fileSegments(path);
}

function refused(path: string, reason: string): Error {
  return pathInvalid({ path: path.length > 200 ? `${path.slice(0, 200)}…` : path, reason });
}
