import { createHash, randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { type Files, INCOMING_FOLDER } from "#storage";
import type { ArtifactFolder } from "./artifact-folder.ts";
import { toArtifactError } from "./artifact-storage-error.ts";
import { uploadMissing, uploadPartInvalid } from "./errors.ts";

const MOST_PARTS = 10_000;
const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Upload {
  readonly path: string;
  readonly partCount: number;
}

export interface UploadedPart {
  /** 1, 2, … */
  readonly partNumber: number;
  readonly etag: string | undefined;
}

/**
 * Files that arrive in parts, several at a time and in any order.
 *
 * States of an upload: created (a folder below `.incoming`) → parts arrive, each whole or not at all → completed (one
 * file at its path) or aborted (nothing). What is never finished is swept away with other old uploads.
 */
export interface MultipartUploads {
  /** @returns the upload's id. @throws TRACKING_UPLOAD_PART_INVALID, TRACKING_ARTIFACT_PATH_INVALID */
  create(path: string, partCount: number): Promise<string>;
  /**
   * Takes one part; sent again it replaces the first. Returns its ETag. @throws TRACKING_UPLOAD_MISSING,
   * TRACKING_UPLOAD_PART_INVALID
   */
  writePart(uploadId: string, partNumber: number, content: Readable): Promise<string>;
  /**
   * Joins the parts and makes the file visible. @throws TRACKING_UPLOAD_MISSING, TRACKING_UPLOAD_PART_INVALID: then the
   * upload stays as it is
   */
  complete(path: string, uploadId: string, parts: readonly UploadedPart[]): Promise<void>;
  /** Forgets an upload; one that is not there is no error. */
  abort(path: string, uploadId: string): Promise<void>;
}

export function createMultipartUploads(artifacts: ArtifactFolder): MultipartUploads {
  const { files } = artifacts;

  async function read(uploadId: string, path?: string): Promise<Upload> {
    const found = await files.get(`${folderOf(uploadId)}/upload.json`);
    if (found === undefined) throw uploadMissing({ uploadId });
    const upload = JSON.parse(found.bytes.toString()) as Upload;
    if (path !== undefined && upload.path !== path) throw uploadMissing({ uploadId });
    return upload;
  }

  return {
    async create(path, partCount) {
      if (!Number.isInteger(partCount) || partCount < 1 || partCount > MOST_PARTS) {
        throw uploadPartInvalid({ problem: `num_parts is ${partCount}, expected 1 to ${MOST_PARTS}` });
      }
      // Refuses a bad path before a single part is sent.
      await artifacts.list(path);
      const uploadId = randomUUID();
      try {
        await files.put(
          `${folderOf(uploadId)}/upload.json`,
          JSON.stringify({ path, partCount } satisfies Upload),
          "absent",
        );
      } catch (error) {
        throw toArtifactError(error, path, "write");
      }
      return uploadId;
    },
    async writePart(uploadId, partNumber, content) {
      const { partCount, path } = await read(uploadId);
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > partCount) {
        throw uploadPartInvalid({ problem: `part ${partNumber} was sent, expected 1 to ${partCount}` });
      }
      const part = partFile(folderOf(uploadId), partNumber);
      const hash = createHash("md5");
      try {
        await files.put(
          part,
          hashed(content, (piece) => hash.update(piece)),
        );
        const etag = hash.digest("hex");
        await files.put(`${part}.etag`, etag);
        return etag;
      } catch (error) {
        throw toArtifactError(error, path, "write");
      }
    },
    async complete(path, uploadId, parts) {
      const { partCount } = await read(uploadId, path);
      const folder = folderOf(uploadId);
      await assertParts(files, { folder, partCount, parts });
      // When there is no room, the parts stay: the upload can be completed when there is.
      await artifacts.write(path, joined(files, folder, partCount));
      await files.remove(folder);
    },
    async abort(path, uploadId) {
      await read(uploadId, path);
      await files.remove(folderOf(uploadId));
    },
  };
}

function folderOf(uploadId: string): string {
  if (!UPLOAD_ID.test(uploadId)) throw uploadMissing({ uploadId });
  return `${INCOMING_FOLDER}/${uploadId}`;
}

/** A body stays open when its pieces are not taken to the end: the answer goes back on the same connection. */
async function* hashed(content: Readable, seen: (piece: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const piece of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    seen(piece);
    yield piece;
  }
}

async function* joined(files: Files, folder: string, partCount: number): AsyncGenerator<Buffer> {
  for (let number = 1; number <= partCount; number++) {
    const opened = await files.open(partFile(folder, number));
    try {
      yield* opened.read() as AsyncIterable<Buffer>;
    } finally {
      await opened.close();
    }
  }
}

function partFile(folder: string, partNumber: number): string {
  return `${folder}/part-${partNumber}`;
}

async function assertParts(
  files: Files,
  of: { readonly folder: string; readonly partCount: number; readonly parts: readonly UploadedPart[] },
): Promise<void> {
  const { folder, partCount } = of;
  const named = new Map(of.parts.map((part) => [part.partNumber, part.etag]));
  for (let number = 1; number <= partCount; number++) {
    const found = await files.get(`${partFile(folder, number)}.etag`);
    if (found === undefined) throw uploadPartInvalid({ problem: `part ${number} of ${partCount} was not sent` });
    const etag = found.bytes.toString();
    if (!named.has(number))
      throw uploadPartInvalid({ problem: `part ${number} of ${partCount} is not in the list of parts` });
    const given = named.get(number)?.replaceAll('"', "") ?? "";
    if (given !== "" && given !== etag)
      throw uploadPartInvalid({ problem: `part ${number} has ETag ${etag}, the list says ${given}` });
  }
}
