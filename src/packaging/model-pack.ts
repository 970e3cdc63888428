import { canonicalJson, type Digest } from "#base";

/**
 * Media types of CNCF ModelPack (model-spec v0.0.x) and the OCI image specification 1.1, in one place: the former may
 * still change.
 */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
export const ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json";
export const CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json";
export const FILE_PATH_ANNOTATION = "org.cncf.model.filepath";
export const REFERENCE_ANNOTATION = "org.opencontainers.image.ref.name";

/** What a layer holds, in the order in which layers are listed. */
export const LAYER_KINDS = ["weight", "weight.config", "code", "dataset", "doc"] as const;
export type LayerKind = (typeof LAYER_KINDS)[number];

/** One file of a package: one raw layer, so that its digest is the file's. */
export interface PackageLayer {
  readonly kind: LayerKind;
  /** Path in the package, with `/`. */
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/** What a package says of its model. */
export interface PackageFacts {
  readonly name: string;
  readonly version: string;
  /** RFC 3339 */
  readonly createdAt: string;
  readonly revision: string | undefined;
  readonly description: string;
  /** `onnx` */
  readonly format: string;
}

/** Layers by kind, then by path, whatever order they were collected in. */
export function sortLayers(layers: readonly PackageLayer[]): readonly PackageLayer[] {
  return [...layers].sort(
    (left, right) =>
      LAYER_KINDS.indexOf(left.kind) - LAYER_KINDS.indexOf(right.kind) || (left.path < right.path ? -1 : 1),
  );
}

/** Text of the config: equal facts and layers, equal bytes. Unknown keys are forbidden by the specification. */
export function formatConfig(facts: PackageFacts, layers: readonly PackageLayer[]): string {
  return canonicalJson({
    descriptor: {
      createdAt: facts.createdAt,
      name: facts.name,
      version: facts.version,
      title: `${facts.name} ${facts.version}`,
      description: facts.description,
      revision: facts.revision,
    },
    config: { format: facts.format, capabilities: { inputTypes: ["other"], outputTypes: ["other"] } },
    modelfs: { type: "layers", diffIds: layers.map(({ digest }) => digest) },
  });
}

/** Text of the manifest. */
export function formatManifest(facts: PackageFacts, config: Descriptor, layers: readonly PackageLayer[]): string {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: ARTIFACT_TYPE,
    config,
    layers: layers.map(({ kind, path, digest, sizeBytes }) => ({
      mediaType: `application/vnd.cncf.model.${kind}.v1.raw`,
      digest,
      size: sizeBytes,
      annotations: {
        [FILE_PATH_ANNOTATION]: path,
        "org.cncf.model.file.mediatype.untested": "false",
        "org.opencontainers.image.title": path,
      },
    })),
    annotations: {
      "org.opencontainers.image.created": facts.createdAt,
      "org.opencontainers.image.title": facts.name,
      "org.opencontainers.image.version": facts.version,
      ...(facts.revision === undefined ? {} : { "org.opencontainers.image.revision": facts.revision }),
    },
  };
  return canonicalJson(manifest);
}
