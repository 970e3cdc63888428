import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, type Digest, digestOf } from "#base";
import { INDEX_TYPE, MANIFEST_TYPE, REFERENCE_ANNOTATION } from "../model-pack.ts";
import type { TarEntry } from "../tar.ts";
import type { BaseImage, ImageConfig } from "./base-image.ts";
import { writeArchive } from "./folder-archive.ts";

const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
/** No clock goes into an image: what is built twice is the same. */
const CREATED = "1970-01-01T00:00:00Z";

/** What an image runs, where the base does not say it or says another. */
export interface ImageSettings {
  /** `linux/amd64` */
  readonly platform: string;
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  readonly user?: string | undefined;
  readonly workingFolder: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  readonly manifestDigest: Digest;
  /** Of all layers together. */
  readonly sizeBytes: number;
  readonly layers: number;
  readonly platform: string;
}

/**
 * Writes an OCI image layout with one image: the layers of a base, and one with the entries. Equal entries, settings
 * and base give the same manifest digest.
 *
 * Source: OCI image-spec 1.1.1.
 */
export async function writeImage(
  folder: string,
  {
    entries,
    settings,
    base,
    tag,
    signal,
  }: {
    readonly entries: readonly TarEntry[];
    readonly settings: ImageSettings;
    readonly base: BaseImage | undefined;
    readonly tag: string;
    readonly signal: AbortSignal;
  },
): Promise<WrittenImage> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const baseLayers = base?.layers ?? [];
  for (const layer of baseLayers) {
    signal.throwIfAborted();
    await base?.copyLayer(layer.digest, join(blobs, hexOf(layer.digest)));
  }
  const partial = join(folder, "layer.partial");
  const written = await writeArchive(entries, partial, signal);
  await rename(partial, join(blobs, hexOf(written.digest)));
  await rm(partial, { force: true });
  const layers = [...baseLayers, { mediaType: LAYER_TYPE, digest: written.digest, size: written.sizeBytes }];
  const imageConfig = configOf(base?.config, settings, written.tarDigest);
  const config = await writeDocument(blobs, imageConfig, CONFIG_TYPE);
  const manifest = await writeDocument(
    blobs,
    {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config,
      layers,
      ...(base === undefined ? {} : { annotations: { "org.opencontainers.image.base.digest": base.digest } }),
    },
    MANIFEST_TYPE,
  );
  const { os, architecture, variant } = imageConfig;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  await writeFile(join(folder, "oci-layout"), canonicalJson({ imageLayoutVersion: "1.0.0" }));
  await writeFile(
    join(folder, "index.json"),
    canonicalJson({
      schemaVersion: 2,
      mediaType: INDEX_TYPE,
      manifests: [{ ...manifest, platform, annotations: { [REFERENCE_ANNOTATION]: tag } }],
    }),
  );
  return {
    manifestDigest: manifest.digest,
    sizeBytes: layers.reduce((sum, { size }) => sum + size, 0),
    layers: layers.length,
    platform: [os, architecture, ...(variant === undefined ? [] : [variant])].join("/"),
  };
}

function configOf(base: ImageConfig | undefined, settings: ImageSettings, diffId: Digest): ImageConfig {
  const [os = "linux", architecture = "amd64", variant] = settings.platform.split("/");
  const step = { created: CREATED, created_by: "esteira package" };
  const history = base === undefined ? [step] : base.history == null ? undefined : [...base.history, step];
  const { history: _history, ...before } = base ?? {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    rootfs: { type: "layers" as const, diff_ids: [] },
  };
  return {
    ...before,
    created: CREATED,
    config: runOf(base?.config ?? {}, settings),
    rootfs: { type: "layers", diff_ids: [...before.rootfs.diff_ids, diffId] },
    ...(history === undefined ? {} : { history }),
  };
}

/** What is not said stays as the base has it. An entrypoint of its own makes the base's command meaningless. */
function runOf(
  base: Readonly<Record<string, unknown>> & { readonly Env?: readonly string[] | null | undefined },
  settings: ImageSettings,
): Readonly<Record<string, unknown>> & { readonly Env: string[] } {
  const { entrypoint, command, environment, ports, user, workingFolder, labels } = settings;
  const kept = (base.Env ?? []).filter((line) => !Object.hasOwn(environment, line.slice(0, line.indexOf("="))));
  const rest: Record<string, unknown> = { ...base };
  if (entrypoint !== undefined) delete rest["Cmd"];
  return {
    ...rest,
    Env: [...kept, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
    WorkingDir: workingFolder,
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    ...(command === undefined ? {} : { Cmd: [...command] }),
    ...(user === undefined ? {} : { User: user }),
    ...(ports.length === 0
      ? {}
      : {
          ExposedPorts: {
            ...objectOf(base["ExposedPorts"]),
            ...Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
          },
        }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: { ...objectOf(base["Labels"]), ...labels } }),
  };
}

function objectOf(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

async function writeDocument(
  blobs: string,
  value: unknown,
  mediaType: string,
): Promise<{ readonly mediaType: string; readonly digest: Digest; readonly size: number }> {
  const text = canonicalJson(value);
  const digest = digestOf(text);
  await writeFile(join(blobs, hexOf(digest)), text);
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
