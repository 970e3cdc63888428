import { fileURLToPath } from "node:url";
import { relative, sep } from "node:path";
import { artifactSegments } from "./artifact-path.ts";
import { artifactLocationForeign, artifactPathInvalid } from "./errors.ts";

/**
 * Segments, below the artifact root, of a location that this server keeps.
 *
 * `mlflow-artifacts:/a/b` (a host is not looked at), and `file:` locations that lie inside the root.
 *
 * @throws TRACKING_ARTIFACT_LOCATION_FOREIGN for locations that clients read themselves, TRACKING_ARTIFACT_PATH_INVALID
 */
export function locationSegments(location: string, root: string): readonly string[] {
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?(?:\/([^?]*))?(?:\?.*)?$/s.exec(location);
  if (proxied !== null) return artifactSegments(decodeOnce(proxied[1] ?? ""));
  const path = localPath(location);
  if (path === undefined) throw artifactLocationForeign({ location });
  const below = relative(root, path);
  if (below.startsWith("..") || below.startsWith(sep)) throw artifactLocationForeign({ location });
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
