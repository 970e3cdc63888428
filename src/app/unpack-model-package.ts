import { resolve } from "node:path";
import { readPackage, unpackPackage } from "#packaging";

/** What was unpacked, and that every digest in it was right. */
export interface UnpackedModel {
  readonly path: string;
  readonly reference: string | undefined;
  readonly manifestDigest: string;
  readonly files: readonly { readonly path: string; readonly digest: string; readonly sizeBytes: number }[];
}

/**
 * Checks a model package, an OCI image layout in a folder, and writes its files below a new folder.
 *
 * @throws MODELS_PACKAGE_INVALID, MODELS_PACKAGE_TARGET_EXISTS
 */
export async function unpackModelPackage(request: {
  /** Folder that the two others count from. */
  readonly workingFolder: string;
  readonly from: string;
  readonly to: string;
  readonly reference?: string | undefined;
}): Promise<UnpackedModel> {
  const { workingFolder, from, to, reference } = request;
  const verified = await readPackage(resolve(workingFolder, from), reference);
  await unpackPackage(verified, resolve(workingFolder, to));
  return {
    path: to,
    reference: verified.reference,
    manifestDigest: verified.manifestDigest,
    files: verified.files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes })),
  };
}
