import type { MetadataStore } from "#metadata-store";
import type { ArtifactFolder } from "../artifact-folder.ts";
import { artifactSegments } from "../artifact-path.ts";
import { artifactPathInvalid } from "../errors.ts";
import type { MlflowRequest } from "./call.ts";

export interface ArtifactCallsOptions {
  readonly store: MetadataStore;
  readonly artifacts: ArtifactFolder;
}

/** The rest of the path; an encoded slash in it is a slash. @throws TRACKING_ARTIFACT_PATH_INVALID when it is empty */
export function wildcardPath(request: MlflowRequest): string {
  const path = request.params["*"] ?? "";
  if (artifactSegments(path).length === 0) throw artifactPathInvalid({ path });
  return path;
}
