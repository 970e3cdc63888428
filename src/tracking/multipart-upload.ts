import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type ArtifactFolder, INCOMING_FOLDER, piecesOf } from "./artifact-folder.ts";
import { toStorageError } from "./artifact-storage-error.ts";
import { uploadMissing, uploadPartInvalid } from "./errors.ts";

const MOST_PARTS = 10_000;
const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PRIVATE = { mode: 0o600 };
const PRIVATE_FOLDER = 0o700;
const BUFFER_BYTES = 1024 * 1024;

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
  const folderOf = (uploadId: string): string => {
    if (!UPLOAD_ID.test(uploadId)) throw uploadMissing({ uploadId });
    return join(artifacts.root, INCOMING_FOLDER, uploadId);
  };

  async function read(uploadId: string, path?: string): Promise<Upload> {
    let upload: Upload;
    try {
      upload = JSON.parse(await readFile(join(folderOf(uploadId), "upload.json"), "utf8")) as Upload;
    } catch (error) {
      throw uploadMissing({ uploadId }, error);
    }
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
        await mkdir(folderOf(uploadId), { recursive: true, mode: PRIVATE_FOLDER });
        await writeFile(
          join(folderOf(uploadId), "upload.json"),
          JSON.stringify({ path, partCount } satisfies Upload),
          PRIVATE,
        );
      } catch (error) {
        await rm(folderOf(uploadId), { recursive: true, force: true });
        throw toStorageError(error, path);
      }
      return uploadId;
    },
    async writePart(uploadId, partNumber, content) {
      const { partCount, path } = await read(uploadId);
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > partCount) {
        throw uploadPartInvalid({ problem: `part ${partNumber} was sent, expected 1 to ${partCount}` });
      }
      const temporary = join(folderOf(uploadId), randomUUID());
      const hash = createHash("md5");
      const hashing = new Transform({
        transform(piece: Buffer, _encoding, done) {
          hash.update(piece);
          done(null, piece);
        },
      });
      try {
        await pipeline(
          piecesOf(content),
          hashing,
          createWriteStream(temporary, { flags: "wx", highWaterMark: BUFFER_BYTES, ...PRIVATE }),
        );
        const etag = hash.digest("hex");
        await writeFile(`${partFile(folderOf(uploadId), partNumber)}.etag`, etag, PRIVATE);
        await rename(temporary, partFile(folderOf(uploadId), partNumber));
        return etag;
      } catch (error) {
        await rm(temporary, { force: true });
        throw toStorageError(error, path);
      }
    },
    async complete(path, uploadId, parts) {
      const { partCount } = await read(uploadId, path);
      const folder = folderOf(uploadId);
      await assertParts(folder, partCount, parts);
      const whole = join(folder, "whole");
      try {
        await joinParts(folder, partCount, whole);
        await artifacts.adopt(path, whole);
      } catch (error) {
        // The parts stay: the upload can be completed when there is room.
        await rm(whole, { force: true });
        throw toStorageError(error, path);
      }
      await rm(folder, { recursive: true, force: true });
    },
    async abort(path, uploadId) {
      await read(uploadId, path);
      await rm(folderOf(uploadId), { recursive: true, force: true });
    },
  };
}

async function joinParts(folder: string, partCount: number, whole: string): Promise<void> {
  await rm(whole, { force: true });
  for (let number = 1; number <= partCount; number++) {
    await pipeline(
      createReadStream(partFile(folder, number), { highWaterMark: BUFFER_BYTES }),
      createWriteStream(whole, { flags: "a", highWaterMark: BUFFER_BYTES, ...PRIVATE }),
    );
  }
  const handle = await open(whole, "r+");
  await handle.sync().finally(() => handle.close());
}

function partFile(folder: string, partNumber: number): string {
  return join(folder, `part-${partNumber}`);
}

async function assertParts(folder: string, partCount: number, parts: readonly UploadedPart[]): Promise<void> {
  const named = new Map(parts.map((part) => [part.partNumber, part.etag]));
  for (let number = 1; number <= partCount; number++) {
    let etag: string;
    try {
      etag = await readFile(`${partFile(folder, number)}.etag`, "utf8");
    } catch (error) {
      throw uploadPartInvalid({ problem: `part ${number} of ${partCount} was not sent` }, error);
    }
    if (!named.has(number))
      throw uploadPartInvalid({ problem: `part ${number} of ${partCount} is not in the list of parts` });
    const given = named.get(number)?.replaceAll('"', "") ?? "";
    if (given !== "" && given !== etag)
      throw uploadPartInvalid({ problem: `part ${number} has ETag ${etag}, the list says ${given}` });
  }
}
