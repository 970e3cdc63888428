import { matchesGlob } from "node:path";
import { z } from "zod";
import { formatProblems, nearestName, parseYaml } from "#base";
import { type ClusterObject, clusterObjectSchema, nameOfObject } from "#executors";
import type { Blobs, Tree } from "#storage";
import { manifestInvalid } from "../errors.ts";
import type { KubernetesSettings } from "../release-settings.ts";

const MOST_FILES = 200;
const MOST_OBJECTS = 500;
const LARGEST_FILE = 1_000_000;
const LARGEST_VALUE = 10_000;
/** Labels and annotations that only esteira writes. */
export const OWN_PREFIX = "esteira/";
const EXPRESSION = /\$\{\{\s*([^}]*?)\s*\}\}/g;

/** What a manifest may name of the release that it belongs to. */
export type ReleaseFacts = Readonly<Record<"project" | "environment" | "asset" | "digest" | "commit", string>> & {
  readonly number: number;
  readonly version: number;
};

/** One object of a release, and the file that it stands in. */
export interface Manifest {
  readonly place: string;
  readonly object: ClusterObject;
}

type Scalar = string | number | boolean;

/**
 * Reads the manifests of a version of code, with the values of the release in them.
 *
 * A value takes the place of a text, or of a part of one, after the file was read: it can be no other structure.
 *
 * @throws DELIVERY_MANIFEST_INVALID with file and place
 */
export async function readManifests(
  tree: Tree,
  of: { readonly settings: Pick<KubernetesSettings, "manifests" | "values">; readonly facts: ReleaseFacts },
  objects: Pick<Blobs, "get">,
): Promise<readonly Manifest[]> {
  const { settings, facts } = of;
  const files = findFiles(tree, settings.manifests);
  const values = await readValues(tree, settings.values ?? {}, objects);
  const names = new Map<string, Scalar>([
    ...Object.entries(facts).map(([name, value]) => [`release.${name}`, value] as const),
    ...[...values].map(([name, value]) => [`values.${name}`, value] as const),
  ]);
  const found: Manifest[] = [];
  for (const file of files) {
    const text = (await objects.get(file.digest)).toString("utf8");
    for (const { place, value } of splitDocuments(file.path, text))
      found.push(...toManifests(place, fillIn(value, names, place)));
    if (found.length > MOST_OBJECTS)
      throw manifestInvalid({ place: file.path, problem: `with it there are more than ${MOST_OBJECTS} objects` });
  }
  if (found.length === 0)
    throw manifestInvalid({ place: settings.manifests.join(", "), problem: "the files hold no object" });
  const seen = new Set<string>();
  for (const { place, object } of found) {
    const key = `${object.apiVersion.replace(/\/.*$/, "")} ${nameOfObject(object)}`;
    if (seen.has(key)) throw manifestInvalid({ place, problem: `${nameOfObject(object)} stands there twice` });
    seen.add(key);
  }
  return found;
}

function findFiles(tree: Tree, patterns: readonly string[]): Tree["files"] {
  const files = tree.files.filter(({ path }) => patterns.some((pattern) => matchesGlob(path, pattern)));
  for (const pattern of patterns)
    if (!files.some(({ path }) => matchesGlob(path, pattern)))
      throw manifestInvalid({
        place: pattern,
        problem: `no file of the code is called so; it has ${
          tree.files
            .slice(0, 10)
            .map(({ path }) => path)
            .join(", ") || "none"
        }`,
      });
  if (files.length > MOST_FILES)
    throw manifestInvalid({ place: patterns.join(", "), problem: `${files.length} files, at most ${MOST_FILES}` });
  const large = files.find(({ sizeBytes }) => sizeBytes > LARGEST_FILE);
  if (large !== undefined)
    throw manifestInvalid({ place: large.path, problem: `it has ${large.sizeBytes} bytes, at most ${LARGEST_FILE}` });
  return files;
}

/** Values that a step states, and those that stand in a file of the code, such as the digest of an image. */
async function readValues(
  tree: Tree,
  values: NonNullable<KubernetesSettings["values"]>,
  objects: Pick<Blobs, "get">,
): Promise<ReadonlyMap<string, Scalar>> {
  const found = new Map<string, Scalar>();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "object") {
      found.set(name, value);
      continue;
    }
    const file = tree.files.find(({ path }) => path === value.file);
    if (file === undefined)
      throw manifestInvalid({ place: `values.${name}`, problem: `the code has no file ${value.file}` });
    if (file.sizeBytes > LARGEST_VALUE)
      throw manifestInvalid({ place: `values.${name}`, problem: `${value.file} has more than ${LARGEST_VALUE} bytes` });
    found.set(name, (await objects.get(file.digest)).toString("utf8").trim());
  }
  return found;
}

/** The documents of a file, those without content left out. */
function splitDocuments(path: string, text: string): readonly { readonly place: string; readonly value: unknown }[] {
  const documents: { readonly start: number; readonly lines: string[] }[] = [{ start: 0, lines: [] }];
  for (const [index, line] of text.split("\n").entries())
    // In YAML these three at the beginning of a line always start a document.
    if (/^---(\s|$)/.test(line)) documents.push({ start: index, lines: [line.slice(3)] });
    else documents.at(-1)?.lines.push(line);
  return documents
    .filter(({ lines }) => lines.some((line) => !/^\s*(#.*)?$/.test(line)))
    .map(({ start, lines }) => {
      const { document, problems } = parseYaml("\n".repeat(start) + lines.join("\n"), path);
      if (problems.length > 0) throw manifestInvalid({ place: path, problem: formatProblems(problems.slice(0, 3)) });
      return { place: `${path}:${document.at([]).line}`, value: document.value };
    });
}

function fillIn(value: unknown, names: ReadonlyMap<string, Scalar>, place: string): unknown {
  if (typeof value === "string") return fillText(value, names, place);
  if (Array.isArray(value)) return value.map((item) => fillIn(item, names, place));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, names, place)]));
}

/** A text that is one expression becomes the value itself: a number stays a number. */
function fillText(text: string, names: ReadonlyMap<string, Scalar>, place: string): Scalar {
  const valueOf = (name: string): Scalar => {
    const value = names.get(name);
    if (value !== undefined) return value;
    const nearest = nearestName(name, [...names.keys()]);
    throw manifestInvalid({
      place,
      problem: `\${{ ${name} }} is not known; there are ${[...names.keys()].join(", ")}`,
      cure: nearest === undefined ? "Add it to values of the deploy step." : `Did you mean ${nearest}?`,
    });
  };
  const whole = /^\$\{\{\s*([^}]*?)\s*\}\}$/.exec(text)?.[1];
  if (whole !== undefined) return valueOf(whole);
  return text.replaceAll(EXPRESSION, (_, name: string) => String(valueOf(name)));
}

const listSchema = z.looseObject({ kind: z.literal("List"), items: z.array(z.unknown()) });
const NAME = /^[a-z0-9A-Z]([a-z0-9A-Z.:-]{0,251}[a-z0-9A-Z])?$/;

function toManifests(place: string, value: unknown): readonly Manifest[] {
  const list = listSchema.safeParse(value);
  if (list.success) return list.data.items.flatMap((item) => toManifests(place, item));
  const read = clusterObjectSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw manifestInvalid({
      place,
      problem: `it is no object of Kubernetes: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim(),
      cure: "Each document has apiVersion, kind and metadata.name; generateName is not used.",
    });
  }
  const object = read.data;
  const refuse = (problem: string): Error => manifestInvalid({ place, problem: `${nameOfObject(object)} ${problem}` });
  if (!NAME.test(object.metadata.name)) throw refuse("has a name that Kubernetes does not allow");
  if (!/^([a-z0-9.-]+\/)?v\d+((alpha|beta)\d+)?$/.test(object.apiVersion))
    throw refuse(`has the apiVersion ${JSON.stringify(object.apiVersion)}, which is none`);
  for (const key of ["managedFields", "uid", "resourceVersion", "ownerReferences", "generateName"])
    if (key in object.metadata) throw refuse(`has metadata.${key}, which only the cluster writes`);
  const own = [object.metadata.labels, object.metadata.annotations]
    .flatMap((map) => Object.keys(map ?? {}))
    .find((key) => key.startsWith(OWN_PREFIX));
  if (own !== undefined) throw refuse(`has ${own}, which only esteira writes`);
  const { status: _, ...rest } = object;
  return [{ place, object: rest }];
}
