import { artifactPathInvalid } from "./errors.ts";

const MOST_DECODINGS = 6;
const DRIVE = /^[A-Za-z]:/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\//;

/**
 * A path below the artifact root as its segments, or below a folder of it.
 *
 * Refused, however often it is percent-encoded: `..` and `.` as segments, absolute paths, backslashes, drive letters,
 * schemes, `#` and control characters. What is left names at most one file, and that file is below the root.
 *
 * @param path decoded once, as the router hands it over
 * @throws TRACKING_ARTIFACT_PATH_INVALID
 */
export function artifactSegments(path: string): readonly string[] {
  let text = path;
  for (let times = 0; times < MOST_DECODINGS; times++) {
    assertPlain(text);
    const decoded = decode(text);
    if (decoded === text) return path.split("/").filter((segment) => segment !== "");
    text = decoded;
  }
  throw artifactPathInvalid({ path });
}

/** True when a text, however often it is percent-encoded, has a `..` segment: for locations that are only stored. */
export function hasParentSegment(text: string): boolean {
  let current = text;
  for (let times = 0; times < MOST_DECODINGS; times++) {
    if (current.split(/[/\\?#&=]/).includes("..")) return true;
    const decoded = decode(current);
    if (decoded === current) return false;
    current = decoded;
  }
  return true;
}

/** True when a text, however often it is percent-encoded, holds a NUL: programs in C would see it end there. */
export function hasNul(text: string): boolean {
  let current = text;
  for (let times = 0; times < MOST_DECODINGS; times++) {
    if (current.includes("\u0000")) return true;
    const decoded = decode(current);
    if (decoded === current) return false;
    current = decoded;
  }
  return true;
}

function assertPlain(text: string): void {
  const bad =
    text.startsWith("/") ||
    text.includes("\\") ||
    text.includes("#") ||
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    /[\u0000-\u001f\u007f]/.test(text) ||
    DRIVE.test(text) ||
    SCHEME.test(text) ||
    text.split("/").some((segment) => segment === ".." || segment === ".");
  if (bad) throw artifactPathInvalid({ path: text });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone `%` is a letter like any other.
    return text;
  }
}
