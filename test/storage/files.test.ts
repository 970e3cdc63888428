import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCachedFiles, createFileSystemBlobs, createFileSystemFiles, createRemoteBlobs } from "#storage";
import { describeBlobs } from "../conformance/blobs.ts";
import { describeFiles } from "../conformance/files.ts";
import { startS3Server } from "../setup/s3-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

describeFiles("file system", {
  open: async () => createFileSystemFiles({ root: join(await temporaryFolder(), "files") }),
  reopen: async (files) => createFileSystemFiles({ root: files.place }),
  hasFolders: true,
});

describeBlobs("file system", async () => {
  const root = await temporaryFolder();
  return {
    blobs: createFileSystemBlobs(root),
    elsewhere: createFileSystemBlobs(root),
    damage: (digest) => writeFile(join(root, "sha256", digest.slice(7, 9), digest.slice(9)), "damaged"),
  };
});

describe("on S3", async () => {
  const s3 = await startS3Server();
  if ("problem" in s3) {
    it("needs moto", { skip: s3.problem }, () => undefined);
    return;
  }
  const reopen = (files: { readonly place: string }): ReturnType<typeof s3.files> =>
    s3.files({ bucket: files.place.split("/")[2] ?? "", pageKeys: 10 });

  describeFiles("S3", { open: () => s3.files({ pageKeys: 10 }), reopen, hasFolders: false });

  describeFiles("S3 with a local cache", {
    open: async () =>
      createCachedFiles({ files: await s3.files({ pageKeys: 10, prefix: "" }), folder: await temporaryFolder() }),
    reopen: async (files) => s3.files({ bucket: files.place.split("/")[2] ?? "", prefix: "" }),
    hasFolders: false,
  });

  describeBlobs("S3", async () => {
    const files = await s3.files();
    return {
      blobs: createRemoteBlobs({ files, cacheFolder: await temporaryFolder() }),
      elsewhere: createRemoteBlobs({ files: await reopen(files), cacheFolder: await temporaryFolder() }),
      damage: async (digest) => {
        await files.put(`sha256/${digest.slice(7, 9)}/${digest.slice(9)}`, "damaged");
      },
    };
  });
});
