import { fileURLToPath } from "node:url";
import { relative, sep } from "node:path";
import { artifactSegments } from "./artifact-path.ts";
import { artifactPathInvalid } from "./errors.ts";

/**
 * Segments of `mlflow-artifacts:/a/b` (a host is not looked at); undefined for any other scheme. @throws
 * TRACKING_ARTIFACT_PATH_INVALID
 */
export function proxiedSegments(location: string): readonly string[] | undefined {
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?(?:\/([^?]*))?(?:\?.*)?$/s.exec(location);
  return proxied === null ? undefined : artifactSegments(decodeOnce(proxied[1] ?? ""));
}

/**
 * Segments of a local location strictly below a root; undefined for the root itself and all else. @throws
 * TRACKING_ARTIFACT_PATH_INVALID
 */
export function localSegments(location: string, root: string): readonly string[] | undefined {
  const path = localPath(location);
  if (path === undefined) return undefined;
  const below = relative(root, path);
  if (below === "" || below.startsWith("..") || below.startsWith(sep)) return undefined;
  return artifactSegments(below.split(sep).join("/"));
}

/** The path of a local location, `file:` or absolute; undefined for any other scheme. */
export function localPath(location: string): string | undefined {
  if (location.startsWith("/")) return location;
  if (!/^file:/i.test(location)) return undefined;
  try {
    return fileURLToPath(location);
  } catch {
    throw artifactPathInvalid({ path: location });
  }
}

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
