import { copyFile, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Digest, isDigest, messageOf } from "#base";
import { assertInside } from "#pipeline";
import { digestOfNewFile } from "#storage";
import { baseImageInvalid } from "../errors.ts";
import { REFERENCE_ANNOTATION } from "../model-pack.ts";

const LARGEST_DOCUMENT_BYTES = 4 * 2 ** 20;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const LAYER = /^application\/vnd\.oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?$/;

const digest = z.string().refine(isDigest, "expected sha256: and 64 hexadecimal digits");
const descriptorSchema = z.looseObject({
  mediaType: z.string(),
  digest,
  size: z.int().min(0),
  platform: z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const indexSchema = z.looseObject({ manifests: z.array(descriptorSchema) });
const manifestSchema = z.looseObject({ config: descriptorSchema, layers: z.array(descriptorSchema) });
const configSchema = z.looseObject({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  config: z.looseObject({ Env: z.array(z.string()).nullish() }).nullish(),
  rootfs: z.looseObject({ type: z.literal("layers"), diff_ids: z.array(digest) }),
  history: z.array(z.looseObject({})).nullish(),
});

export type ImageConfig = z.output<typeof configSchema>;
type Descriptor = z.output<typeof descriptorSchema>;

export interface BaseImage {
  /** Of its manifest. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  readonly layers: readonly { readonly mediaType: string; readonly digest: Digest; readonly size: number }[];
  /** Copies a layer to a file, whole and checked. @throws MODELS_PACKAGE_BASE_INVALID */
  copyLayer(layer: Digest, to: string): Promise<void>;
}

export interface BaseImageRequest {
  /** Absolute folder of an OCI image layout. */
  readonly folder: string;
  /** Nothing outside of these is read, whatever links there are. */
  readonly inside: readonly string[];
  readonly asset: string;
  /** Which image, when the layout holds several. */
  readonly tag?: string | undefined;
  /** `linux/amd64`; which one, when the image is for several. */
  readonly platform?: string | undefined;
}

/**
 * Reads the image of an OCI image layout; every document is checked against the digest that names it.
 *
 * @throws MODELS_PACKAGE_BASE_INVALID, PIPELINE_OUTPUT_OUTSIDE
 * Source: OCI image-spec 1.1.1.
 */
export async function readBaseImage(request: BaseImageRequest): Promise<BaseImage> {
  const reader = new LayoutReader(request);
  await reader.assertLayout();
  const chosen = await reader.chooseManifest(await reader.readDocument("index.json", indexSchema));
  const manifest = await reader.readBlob(chosen, manifestSchema);
  const config = await reader.readBlob(manifest.config, configSchema);
  for (const { mediaType } of manifest.layers)
    if (!LAYER.test(mediaType)) throw reader.problem(`a layer has media type ${mediaType}, expected one of OCI`);
  if (config.rootfs.diff_ids.length !== manifest.layers.length)
    throw reader.problem(
      `its config knows ${config.rootfs.diff_ids.length} layers, its manifest ${manifest.layers.length}`,
    );
  return {
    digest: chosen.digest,
    config,
    layers: manifest.layers.map(({ mediaType, digest: of, size }) => ({ mediaType, digest: of, size })),
    copyLayer: (layer, to) => reader.copyBlob(layer, to),
  };
}

class LayoutReader {
  readonly #request: BaseImageRequest;

  constructor(request: BaseImageRequest) {
    this.#request = request;
  }

  problem(problem: string, cause?: unknown): Error {
    return baseImageInvalid({ folder: this.#request.folder, problem }, cause);
  }

  async assertLayout(): Promise<void> {
    const layout = await this.readDocument("oci-layout", z.looseObject({ imageLayoutVersion: z.string() }));
    if (!layout.imageLayoutVersion.startsWith("1."))
      throw this.problem(`its layout has version ${layout.imageLayoutVersion}, expected 1.0.0`);
  }

  async chooseManifest(index: z.output<typeof indexSchema>): Promise<Descriptor> {
    const { tag } = this.#request;
    const images = index.manifests.filter(({ mediaType }) => [MANIFEST, INDEX].includes(mediaType));
    const named = tag === undefined ? images : images.filter((one) => one.annotations?.[REFERENCE_ANNOTATION] === tag);
    if (named.length === 0 && index.manifests.length > 0 && images.length === 0)
      throw this.problem(
        `it holds ${index.manifests.map(({ mediaType }) => mediaType).join(", ")}, expected ${MANIFEST}`,
      );
    const [only] = named;
    if (only === undefined || named.length > 1) {
      const tags = images.flatMap((one) => one.annotations?.[REFERENCE_ANNOTATION] ?? []);
      throw this.problem(
        `it holds ${images.length} images${tag === undefined ? "" : `, and ${named.length} with the tag ${tag}`}; name one of ${tags.join(", ") || "one tag"} as FOLDER:TAG`,
      );
    }
    return only.mediaType === INDEX ? this.#choosePlatform(await this.readBlob(only, indexSchema)) : only;
  }

  #choosePlatform({ manifests }: z.output<typeof indexSchema>): Descriptor {
    const wanted = this.#request.platform ?? "linux/amd64";
    const found = manifests.filter(({ platform }) => platform !== undefined && platformText(platform) === wanted);
    const [only] = found;
    if (only === undefined || found.length > 1 || only.mediaType !== MANIFEST)
      throw this.problem(
        `it holds no single image for ${wanted}; it is for ${manifests.flatMap(({ platform }) => (platform === undefined ? [] : platformText(platform))).join(", ")}`,
      );
    return only;
  }

  async readBlob<Value>(descriptor: Descriptor, schema: z.ZodType<Value>): Promise<Value> {
    const path = blobPath(descriptor.digest);
    const value = await this.readDocument(path, schema);
    if ((await digestOfNewFile(join(this.#request.folder, path))) !== descriptor.digest)
      throw this.problem(`${path} does not have the digest that names it`);
    return value;
  }

  async readDocument<Value>(path: string, schema: z.ZodType<Value>): Promise<Value> {
    const file = await this.#fileOf(path);
    if ((await stat(file)).size > LARGEST_DOCUMENT_BYTES)
      throw this.problem(`${path} is larger than ${LARGEST_DOCUMENT_BYTES} bytes`);
    let value: unknown;
    try {
      value = JSON.parse(await readFile(file, "utf8"));
    } catch (error) {
      throw this.problem(`${path} is no JSON (${messageOf(error)})`, error);
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw this.problem(`${path}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not as expected"}`);
  }

  async copyBlob(blob: Digest, to: string): Promise<void> {
    await copyFile(await this.#fileOf(blobPath(blob)), to);
    if ((await digestOfNewFile(to)) !== blob) throw this.problem(`the layer ${blob} is damaged`);
  }

  async #fileOf(path: string): Promise<string> {
    const file = join(this.#request.folder, path);
    const facts = await stat(file).catch(() => undefined);
    if (facts?.isFile() !== true) throw this.problem(`there is no ${path} in it`);
    await assertInside(file, { folders: this.#request.inside, asset: this.#request.asset });
    return file;
  }
}

function blobPath(blob: Digest): string {
  return join("blobs", "sha256", blob.slice("sha256:".length));
}

function platformText({ os, architecture, variant }: NonNullable<Descriptor["platform"]>): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}
