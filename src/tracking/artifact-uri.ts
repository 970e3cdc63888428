import { parameterInvalid } from "./errors.ts";

const LONGEST_LOCATION = 2048;

/** Adds path segments to a URI, before its query string. */
export function appendPath(uri: string, ...segments: readonly string[]): string {
  const [place = "", query] = uri.split("?", 2);
  const path = `${place.replace(/\/+$/, "")}/${segments.join("/")}`;
  return query === undefined ? path : `${path}?${query}`;
}

/** @throws TRACKING_PARAMETER_INVALID for a `runs:/` URI, a fragment, parameters or more than 2048 characters */
export function assertArtifactLocation(location: string): void {
  const refuse = (message: string): never => {
    throw parameterInvalid({ message });
  };
  if (location.startsWith("runs:/")) refuse(`Artifact location cannot be a runs:/ URI. Given: '${location}'`);
  if (/[#;]/.test(location)) refuse("'artifact_location' URL can't include fragments or params.");
  if (location.length <= LONGEST_LOCATION) return;
  refuse(
    `Invalid artifact path length. The length of the artifact path cannot be greater than ${LONGEST_LOCATION} characters. ` +
      "To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.",
  );
}
