import { isEsteiraError } from "#base";
import { createFileSystemFiles, type Files, type FolderEntry, INCOMING_FOLDER, type OpenFile } from "#storage";
import { artifactDownload } from "./artifact-download.ts";
import { localSegments, proxiedSegments } from "./artifact-location.ts";
import { artifactSegments } from "./artifact-path.ts";
import { toArtifactError } from "./artifact-storage-error.ts";
import { artifactLocationForeign, artifactMissing, artifactPathInvalid } from "./errors.ts";
import type { MlflowRequest, MlflowResponse } from "./mlflow-rest/call.ts";

const LARGEST_LISTING = 100_000;

/** Name inside the listed folder, and size; 0 for folders. */
export type ArtifactEntry = FolderEntry;

/**
 * Artifacts as files in MLflow's layout, `<experiment>/<run>/artifacts/…`; in a folder they can be read in place.
 *
 * Nothing outside the root is ever opened: paths are checked as text, links are neither followed nor listed.
 * A file is visible only when it is whole and durable.
 */
export interface ArtifactFolder {
  /** Where they are kept, with the uploads that are not whole yet. */
  readonly files: Files;
  /** These files, and those of the folders that clients write to themselves. */
  readonly allFiles: readonly Files[];
  /** Absolute path of the root, where it is a folder of this machine. */
  readonly root: string | undefined;
  /** Entries of a folder by name; none for a file or what is not there. @throws TRACKING_ARTIFACT_PATH_INVALID */
  list(path: string): Promise<readonly ArtifactEntry[]>;
  /**
   * Takes a stream as the content of a file; what was there before is replaced at once. Returns the size in bytes.
   * @throws TRACKING_ARTIFACT_PATH_INVALID, TRACKING_ARTIFACT_NOT_WRITABLE
   */
  write(path: string, content: AsyncIterable<Uint8Array>): Promise<number>;
  /**
   * Opens a file for reading. The caller closes it. @throws TRACKING_ARTIFACT_MISSING, TRACKING_ARTIFACT_PATH_INVALID
   */
  open(path: string): Promise<OpenFile>;
  /**
   * Removes a file or a folder with all below it. What is not there is no error. @throws
   * TRACKING_ARTIFACT_PATH_INVALID, also for the root itself
   */
  remove(path: string): Promise<void>;
  /**
   * The answer that sends a file below a location, whole or the range that the request asks for. @throws
   * TRACKING_ARTIFACT_MISSING, TRACKING_ARTIFACT_LOCATION_FOREIGN, TRACKING_ARTIFACT_PATH_INVALID
   */
  download(request: {
    readonly location: string;
    readonly path: string;
    readonly request: Pick<MlflowRequest, "method" | "headers">;
  }): Promise<MlflowResponse>;
  /**
   * The folder that holds a location, this or one of `direct`, and the path there of what lies at `path` below the
   * location.
   *
   * `mlflow-artifacts:` is this folder; `file:` and plain paths are where they lie strictly below a root.
   *
   * @throws TRACKING_ARTIFACT_LOCATION_FOREIGN for locations that clients alone read, TRACKING_ARTIFACT_PATH_INVALID
   */
  at(location: string, path?: string): { readonly folder: ArtifactFolder; readonly path: string };
}

export type ArtifactFolderOptions = {
  /** Folders that clients write to themselves, by their path: what lies there is read here too. */
  readonly direct?: readonly ArtifactFolder[];
} & (
  | {
      /** Absolute folder; made on first write. */
      readonly root: string;
      /**
       * True where others than the server's user read the files too: modes then follow the umask. Default: files 0600,
       * folders 0700.
       */
      readonly isShared?: boolean;
    }
  | {
      /** Files of another place: `mlflow-artifacts:` locations alone are in it. */
      readonly files: Files;
    }
);

export function createArtifactFolder(options: ArtifactFolderOptions): ArtifactFolder {
  const { direct = [] } = options;
  const files = "files" in options ? options.files : createFileSystemFiles(options);
  const root = "files" in options ? undefined : options.root;

  /** The path as the files have it. */
  function resolve(path: string): string {
    const segments = artifactSegments(path);
    if (segments[0] === INCOMING_FOLDER) throw artifactPathInvalid({ path });
    return segments.join("/");
  }

  function place(path: string): string {
    const target = resolve(path);
    if (target === "") throw artifactPathInvalid({ path });
    return target;
  }

  const self: ArtifactFolder = {
    files,
    allFiles: [files, ...direct.map((folder) => folder.files)],
    root,
    async list(path) {
      const folder = resolve(path);
      try {
        return (await files.entries(folder)).slice(0, LARGEST_LISTING);
      } catch (error) {
        const failed = toArtifactError(error, path, "read");
        if (isEsteiraError(failed, artifactMissing.code)) return [];
        throw failed;
      }
    },
    async write(path, content) {
      const target = place(path);
      try {
        return (await files.put(target, content))?.sizeBytes ?? 0;
      } catch (error) {
        throw toArtifactError(error, path, "write");
      }
    },
    async open(path) {
      const target = resolve(path);
      if (target === "") throw artifactMissing({ path });
      return files.open(target).catch((error: unknown) => {
        throw toArtifactError(error, path, "read");
      });
    },
    async remove(path) {
      await files.remove(place(path)).catch((error: unknown) => {
        const failed = toArtifactError(error, path, "read");
        if (!isEsteiraError(failed, artifactMissing.code)) throw failed;
      });
    },
    async download({ location, path, request }) {
      const held = self.at(location, path);
      return artifactDownload(await held.folder.open(held.path), held.path, request);
    },
    at(location, path = "") {
      const below = artifactSegments(path);
      const proxied = proxiedSegments(location);
      if (proxied !== undefined) return { folder: self, path: [...proxied, ...below].join("/") };
      for (const folder of [...direct, self]) {
        const local = folder.root === undefined ? undefined : localSegments(location, folder.root);
        if (local !== undefined) return { folder, path: [...local, ...below].join("/") };
      }
      throw artifactLocationForeign({ location });
    },
  };
  return self;
}
