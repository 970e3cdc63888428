import { resolve } from "node:path";
import { localPath } from "./artifact-location.ts";
import { hasNul, hasParentSegment } from "./artifact-path.ts";
import { parameterInvalid } from "./errors.ts";

const LONGEST_LOCATION = 2048;

/** Adds path segments to a URI, before its query string. */
export function appendPath(uri: string, ...segments: readonly string[]): string {
  const [place = "", query] = uri.split("?", 2);
  const path = `${place.replace(/\/+$/, "")}/${segments.join("/")}`;
  return query === undefined ? path : `${path}?${query}`;
}

/** Folders of a system: nothing there is an artifact, and a client that wrote there would do harm. */
const SYSTEM_FOLDERS = ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr"];

/**
 * A location as it is kept: local ones absolute, from the server's working folder, as MLflow makes them.
 *
 * @throws TRACKING_PARAMETER_INVALID for a `runs:/` URI, a fragment, parameters, `..` or NUL however encoded, a folder
 *   of the system, or more than 2048 characters
 */
export function readArtifactLocation(location: string): string {
  const refuse = (message: string): never => {
    throw parameterInvalid({ message });
  };
  if (location.startsWith("runs:/")) refuse(`Artifact location cannot be a runs:/ URI. Given: '${location}'`);
  if (/[#;]/.test(location)) refuse("'artifact_location' URL can't include fragments or params.");
  if (location.length > LONGEST_LOCATION) {
    refuse(
      `Invalid artifact path length. The length of the artifact path cannot be greater than ${LONGEST_LOCATION} characters. ` +
        "To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.",
    );
  }
  if (hasParentSegment(location) || hasNul(location))
    refuse(`Invalid artifact location: '${location}'. It must not hold '..' or NUL, also not percent-encoded.`);
  if (location === "" || (/^[A-Za-z][\w+.-]*:/.test(location) && !/^file:/i.test(location))) return location;
  const path = localPath(location) ?? resolve(location);
  const [first] = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (first === undefined || SYSTEM_FOLDERS.includes(first))
    refuse(`Invalid artifact location: '${location}' is a folder of the system. Choose a folder for artifacts.`);
  return /^file:/i.test(location) ? location : path;
}
