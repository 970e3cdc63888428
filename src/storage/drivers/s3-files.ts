import { Readable } from "node:stream";
import { fileMissing } from "../errors.ts";
import { fileSegments, INCOMING_FOLDER } from "../file-path.ts";
import type { Files } from "../files.ts";
import type { S3Client } from "./s3-client.ts";
import { entriesOfStored, keyOfFolder, listStored } from "./s3-list.ts";
import { getStored, piecesOfStored, statStored } from "./s3-read.ts";
import { abortUpload, putStored } from "./s3-write.ts";
import { elementOf, elementsOf } from "./s3-xml.ts";

/** Larger contents are sent in parts, each kept in memory until it arrived; S3 takes none below 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
const PAGE_KEYS = 1000;

export interface S3FilesOptions {
  readonly client: S3Client;
  /** Default 8 MiB; at least 5 MiB. */
  readonly partBytes?: number;
  /** Keys that are listed in one request. Default, and at most, 1000. */
  readonly pageKeys?: number;
}

/**
 * Files as objects of an S3-compatible store that honours `If-None-Match` and `If-Match` (Amazon, MinIO, R2, Ceph).
 *
 * A file and a folder may have the same name here: nothing is in the way of anything.
 */
export function createS3Files({ client, partBytes = PART_BYTES, pageKeys = PAGE_KEYS }: S3FilesOptions): Files {
  const listing = { client, pageKeys };

  async function removeOne(path: string): Promise<void> {
    const { response } = await client.send({ method: "DELETE", key: client.key(path), accept: [404] });
    await response.arrayBuffer();
  }

  return {
    place: client.place,
    async stat(path) {
      const found = await statStored(client, path);
      return found === undefined ? undefined : { sizeBytes: found.sizeBytes, etag: found.etag };
    },
    async open(path) {
      const found = await statStored(client, path);
      if (found === undefined) throw fileMissing({ path, place: client.place });
      const { sizeBytes, etag } = found;
      return {
        sizeBytes,
        etag,
        read: (range) => Readable.from(piecesOfStored(client, { path, stat: found, range }), { objectMode: false }),
        close: async () => undefined,
      };
    },
    async get(path) {
      fileSegments(path);
      return getStored(client, path);
    },
    async put(path, content, condition) {
      fileSegments(path);
      return putStored(client, { path, content, condition, partBytes });
    },
    list: (folder) => listStored(listing, folder),
    async entries(folder) {
      const found = await entriesOfStored(listing, folder);
      return found.sort((left, right) => (left.name < right.name ? -1 : 1));
    },
    names: async (folder) => (await entriesOfStored(listing, folder)).map(({ name }) => name),
    async remove(path) {
      fileSegments(path);
      await removeOne(path);
      for await (const file of listStored(listing, path)) await removeOne(file.path);
    },
    async removeUnfinished(beforeMs, { dryRun = false } = {}) {
      const old = new Set<string>();
      for await (const { path, modifiedAtMs } of listStored(listing, INCOMING_FOLDER)) {
        if (modifiedAtMs >= beforeMs) continue;
        old.add(path.split("/")[1] ?? path);
        if (!dryRun) await removeOne(path);
      }
      const { response } = await client.send({
        method: "GET",
        query: { uploads: "", prefix: keyOfFolder(client, []) },
      });
      let count = old.size;
      for (const upload of elementsOf(await response.text(), "Upload")) {
        if (Date.parse(elementOf(upload, "Initiated") ?? "") >= beforeMs) continue;
        count++;
        if (!dryRun) await abortUpload(client, elementOf(upload, "Key") ?? "", elementOf(upload, "UploadId") ?? "");
      }
      return count;
    },
  };
}
