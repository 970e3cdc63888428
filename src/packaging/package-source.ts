import { canonicalJson, digestOf, isDigest } from "#base";
import { type AssetVersion, getAssetVersion, getVersionGraph, type MetadataStore } from "#metadata-store";
import { digestOfFile, type Blobs, type Tree } from "#storage";
import { type ModelContent, readModelContent } from "#models";
import type { TableExporter } from "./ports.ts";
import type { LayerKind, PackageLayer } from "./model-pack.ts";

/** A layer and where its bytes are: a file that is never changed, or text made for the package. */
export interface SourcedLayer extends PackageLayer {
  readonly source: { readonly file: string } | { readonly text: string };
}

export interface PackageSourceOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly tables: TableExporter;
  /** `value`: the data travel with the model; `reference`: their digests, schema and place only. */
  readonly data: "value" | "reference";
  /** Larger data go by reference whatever `data` says. */
  readonly limitBytes: number;
}

export interface CollectedPackage {
  readonly layers: readonly SourcedLayer[];
  /** How the data are in it; undefined when the model has none. */
  readonly data: "value" | "reference" | undefined;
}

/** Everything that belongs into the package of a model version: weights, description, code, training data, record. */
export async function collectPackage(version: AssetVersion, options: PackageSourceOptions): Promise<CollectedPackage> {
  const content = readModelContent(version);
  const { tree, model, record, registered, requirements, wheels } = content;
  const training = record.training;
  const dataset =
    training === undefined
      ? undefined
      : await options.store.read((transaction) => getAssetVersion(transaction, { id: training.versionId }));
  const data = dataset === undefined ? undefined : await collectTable("data/training", dataset, options);
  const passport = {
    format: "esteira.record/1",
    asset: version.asset,
    version: version.version,
    digest: version.digest,
    registered,
    ...record,
    ...(requirements === undefined ? {} : { requirements }),
    ...(wheels === undefined ? {} : { wheels }),
  };
  return {
    layers: [
      ...(await treeLayers(tree, "", (path) => (path === model.file ? "weight" : "weight.config"), options.objects)),
      ...(await collectCode(version, options)),
      ...(await collectEvidence(content, options.objects)),
      ...(data?.layers ?? []),
      textLayer("doc", "record.json", `${canonicalJson(passport)}\n`),
    ],
    data: data?.how,
  };
}

/** Notebooks and code that the model was made from, one folder each. */
async function collectCode(
  version: AssetVersion,
  { store, objects }: PackageSourceOptions,
): Promise<readonly SourcedLayer[]> {
  const graph = await store.read((transaction) => getVersionGraph(transaction, version.id, "upstream"));
  const sources = graph.versions.filter(
    (each) => (each.kind === "notebook" || each.kind === "code") && (each.content as Partial<Tree>).format === "tree/1",
  );
  const layers = await Promise.all(
    sources.map((source) =>
      treeLayers(source.content as Tree, `code/${source.asset}-${source.version}/`, () => "code", objects),
    ),
  );
  return layers.flat();
}

/** The executed notebook and the environment lock, where the making kind reported them. */
async function collectEvidence(
  { record: { source }, requirements, wheels }: ModelContent,
  objects: Blobs,
): Promise<readonly SourcedLayer[]> {
  const { executedNotebook, lock } = source;
  const lines = [...new Set([...(typeof lock === "string" ? lock.split("\n") : []), ...(requirements ?? [])])];
  const text = lines.map((line) => lockedLine(line, wheels)).join("\n");
  const layers: SourcedLayer[] = text === "" ? [] : [textLayer("code", "code/requirements.lock", text)];
  if (typeof executedNotebook !== "string" || !isDigest(executedNotebook)) return layers;
  const stored = await objects.stat(executedNotebook);
  if (stored === undefined) return layers;
  return [
    ...layers,
    { kind: "doc", path: "executed.ipynb", ...stored, source: { file: await objects.localPath(executedNotebook) } },
  ];
}

/** As a comment: another platform has other files of the same version. */
function lockedLine(line: string, wheels: ModelContent["wheels"]): string {
  const digest = wheels?.sha256[line];
  return digest === undefined ? line : `${line}  # sha256:${digest} on ${wheels?.platform ?? ""}`;
}

async function treeLayers(
  tree: Tree,
  prefix: string,
  kindOf: (path: string) => LayerKind,
  objects: Blobs,
): Promise<readonly SourcedLayer[]> {
  return Promise.all(
    tree.files.map(async ({ path, digest, sizeBytes }) => ({
      kind: kindOf(path),
      path: `${prefix}${path}`,
      digest,
      sizeBytes,
      source: { file: await objects.localPath(digest) },
    })),
  );
}

async function collectTable(
  folder: string,
  dataset: AssetVersion,
  { tables, data, limitBytes }: PackageSourceOptions,
): Promise<{ readonly how: "value" | "reference"; readonly layers: readonly SourcedLayer[] }> {
  const table = await tables.describeTable(dataset);
  const files: SourcedLayer[] = [];
  for (const { path, absolutePath, sizeBytes, digest } of table.files) {
    files.push({
      kind: "dataset",
      path: `${folder}/${path}`,
      digest: digest ?? (await digestOfFile(absolutePath)),
      sizeBytes,
      source: { file: absolutePath },
    });
  }
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (data === "value" && total <= limitBytes) {
    return {
      how: "value",
      layers: [...files, textLayer("dataset", `${folder}/_delta_log/00000000000000000000.json`, table.log)],
    };
  }
  const { columns } = dataset.content as { readonly columns?: unknown };
  const reference = {
    format: "esteira.data-reference/1",
    asset: dataset.asset,
    version: dataset.version,
    digest: dataset.digest,
    tableId: table.tableId,
    rowCount: dataset.rowCount,
    sizeBytes: total,
    columns,
    files: files.map(({ path, digest, sizeBytes }) => ({ path: path.slice(folder.length + 1), digest, sizeBytes })),
  };
  return { how: "reference", layers: [textLayer("dataset", `${folder}.json`, `${canonicalJson(reference)}\n`)] };
}

function textLayer(kind: LayerKind, path: string, text: string): SourcedLayer {
  return { kind, path, digest: digestOf(text), sizeBytes: Buffer.byteLength(text), source: { text } };
}
