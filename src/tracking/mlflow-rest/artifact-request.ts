import type { MetadataStore } from "#metadata-store";
import type { ArtifactFolder } from "../artifact-folder.ts";
import { artifactSegments } from "../artifact-path.ts";
import { artifactPathInvalid } from "../errors.ts";
import type { MlflowRequest } from "./route.ts";

/**
 * Decides who may see or change the artifacts of an experiment. Declared here, implemented over `access`.
 * Throws an error of status 403 to refuse.
 */
export interface ArtifactGuard {
  /** `experimentId` is the first segment of the path; undefined for the root. */
  assertMayRead(actor: string, experimentId: string | undefined): Promise<void>;
  assertMayWrite(actor: string, experimentId: string | undefined): Promise<void>;
}

export interface ArtifactRoutesOptions {
  readonly store: MetadataStore;
  readonly artifacts: ArtifactFolder;
  /** Default: everybody may. */
  readonly guard?: ArtifactGuard;
}

/** The rest of the path; an encoded slash in it is a slash. @throws TRACKING_ARTIFACT_PATH_INVALID when it is empty */
export function wildcardPath(request: MlflowRequest): string {
  const path = request.params["*"] ?? "";
  if (artifactSegments(path).length === 0) throw artifactPathInvalid({ path });
  return path;
}
