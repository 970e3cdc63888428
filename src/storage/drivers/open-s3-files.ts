import type { Files } from "../files.ts";
import type { S3Options } from "./s3-client.ts";

export type { S3Options } from "./s3-client.ts";

/**
 * Files below a prefix of an S3-compatible bucket; the client is loaded now, and nothing is asked of the bucket yet.
 *
 * `partBytes` and `pageKeys`: of an upload in parts (≥ 5 MiB) and of a list; for tests.
 */
export async function openS3Files(
  options: S3Options & { readonly partBytes?: number; readonly pageKeys?: number },
): Promise<Files> {
  const [{ createS3Client }, { createS3Files }] = await Promise.all([
    import("./s3-client.ts"),
    import("./s3-files.ts"),
  ]);
  const { partBytes, pageKeys } = options;
  return createS3Files({
    client: createS3Client(options),
    ...(partBytes === undefined ? {} : { partBytes }),
    ...(pageKeys === undefined ? {} : { pageKeys }),
  });
}
