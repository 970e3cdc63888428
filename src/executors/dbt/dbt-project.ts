import { posix } from "node:path";
import type { AnalysisContext, Problem } from "#pipeline";
import {
  type DbtDescribed,
  type DbtPackage,
  type DbtPathKey,
  type DbtProperties,
  type DbtSourceTable,
  filesBelow,
  readDbtPackages,
  readProperties,
} from "./dbt-files.ts";
import type { SelectableNode } from "./dbt-selection.ts";
import { type DbtConfig, type DbtText, readDbtText } from "./dbt-source-text.ts";

/** A model, seed or snapshot, as its files describe it. */
export interface DbtNode extends SelectableNode {
  /** Of the relation, and so of the dataset. */
  readonly alias: string;
  /** Jinja computes its alias: what its dataset is called is known only when dbt runs. */
  readonly isAliasComputed: boolean;
  /** Project-relative. */
  readonly file: string;
  readonly references: readonly string[];
  readonly isEphemeral: boolean;
}

export interface DbtSource {
  /** `SOURCE.TABLE` */
  readonly name: string;
  readonly table: string;
  readonly isTested: boolean;
  /** It names files itself, which dbt reads. */
  readonly isExternal: boolean;
  readonly at: NonNullable<Problem["at"]>;
}

/** What a dbt project is, from its files alone: no Jinja is run. */
export interface DbtProject {
  readonly files: readonly string[];
  readonly packages: readonly DbtPackage[];
  readonly nodes: readonly DbtNode[];
  readonly sources: ReadonlyMap<string, DbtSource>;
  /** A text asks for sources or models by names that are computed. */
  readonly isComputed: boolean;
  readonly problems: readonly Problem[];
}

const KINDS: readonly {
  readonly kind: string;
  readonly key: DbtPathKey;
  readonly tree: "models" | "seeds" | "snapshots";
  readonly ending: RegExp;
}[] = [
  { kind: "model", key: "model-paths", tree: "models", ending: /\.(sql|py)$/ },
  { kind: "seed", key: "seed-paths", tree: "seeds", ending: /\.csv$/ },
  { kind: "snapshot", key: "snapshot-paths", tree: "snapshots", ending: /\.sql$/ },
];

/** @param folder project-relative, normalised; empty for the project's own */
export async function readDbtProject(
  folder: string,
  files: Pick<AnalysisContext, "readFile" | "glob">,
): Promise<DbtProject> {
  const { packages, problems: found } = await readDbtPackages(folder, files);
  const problems = [...found];
  const read: ReadNode[] = [];
  const sources = new Map<string, DbtSource>();
  const latest = new Map<string, string>();
  let isComputed = false;
  for (const part of packages) {
    const properties = await readProperties(part, files);
    problems.push(...properties.problems);
    const described = describedNodes(properties.read.map(({ value }) => value));
    for (const [name, version] of described.latest) latest.set(name, version);
    for (const { file, value, at } of properties.read) {
      for (const source of sourcesOf(value, (path) => ({ ...at(path), file }))) sources.set(source.name, source);
      read.push(...yamlSnapshots(part, value, file));
    }
    const nodes = await readNodes(part, described.nodes, files);
    read.push(...nodes.nodes);
    isComputed ||= nodes.isComputed;
  }
  const all = packages.flatMap((part) => part.files);
  return {
    packages,
    files: [...new Set(all)].sort(),
    nodes: joined(
      read.filter(({ enabled }) => enabled),
      latest,
    ),
    sources,
    isComputed,
    problems,
  };
}

function sourcesOf(
  { sources }: DbtProperties,
  at: (path: (string | number)[]) => DbtSource["at"],
): readonly DbtSource[] {
  return (sources ?? []).flatMap((source, index) =>
    (source.tables ?? []).flatMap((table, place) =>
      isOff(source.config) || isOff(table.config)
        ? []
        : [
            {
              name: `${source.name}.${table.name}`,
              table: table.identifier ?? table.name,
              isTested: isTested(table),
              isExternal: [source, table].some(isExternal),
              at: at(["sources", index, "tables", place]),
            },
          ],
    ),
  );
}

interface ReadNode extends Omit<DbtNode, "parents" | "references"> {
  readonly enabled: boolean;
  readonly refs: DbtText["refs"];
  readonly reads: DbtText["sources"];
}

function describedNodes(properties: readonly DbtProperties[]): {
  readonly nodes: ReadonlyMap<string, DbtDescribed>;
  readonly latest: ReadonlyMap<string, string>;
} {
  const nodes = new Map<string, DbtDescribed>();
  const latest = new Map<string, string>();
  for (const { models, seeds, snapshots } of properties)
    for (const one of [...(models ?? []), ...(seeds ?? []), ...(snapshots ?? [])]) {
      nodes.set(one.name, one);
      const versions = (one.versions ?? []).map(({ v }) => v);
      for (const version of versions) nodes.set(`${one.name}_v${version}`, one);
      const newest = one.latest_version ?? versions.toSorted((a, b) => Number(a) - Number(b)).at(-1);
      if (newest !== undefined) latest.set(one.name, `${one.name}_v${newest}`);
    }
  return { nodes, latest };
}

async function readNodes(
  part: DbtPackage,
  described: ReadonlyMap<string, DbtDescribed>,
  { readFile }: Pick<AnalysisContext, "readFile">,
): Promise<{ readonly nodes: readonly ReadNode[]; readonly isComputed: boolean }> {
  const nodes: ReadNode[] = [];
  let isComputed = false;
  for (const { kind, key, tree, ending } of KINDS)
    for (const { file, below, own } of filesBelow(part, key, ending)) {
      const language = file.endsWith(".py") ? "python" : "sql";
      const whole = kind === "seed" ? "" : ((await readFile(file)) ?? "");
      const texts = kind === "snapshot" ? snapshotBlocks(whole) : [{ name: stemOf(file), text: whole }];
      for (const { name, text } of texts) {
        const said = readDbtText(text, language);
        const place = [...below.split("/").slice(0, -1), name];
        const configured = mergedConfig([
          ...treeConfigs(part.file[tree], [part.file.name, ...place]),
          configOf(described.get(name)),
          said.config,
        ]);
        isComputed ||= said.isComputed;
        nodes.push(
          toNode({ part, name, kind, file, own, place, config: configured, refs: said.refs, reads: said.sources }),
        );
      }
    }
  return { nodes, isComputed };
}

function toNode(of: {
  readonly part: DbtPackage;
  readonly name: string;
  readonly kind: string;
  readonly file: string;
  readonly own: string;
  readonly place: readonly string[];
  readonly config: DbtConfig;
  readonly refs: DbtText["refs"];
  readonly reads: DbtText["sources"];
}): ReadNode {
  const { part, name, kind, file, own, place, config, refs, reads } = of;
  const materialized = kind === "model" ? (config.materialized === undefined ? "view" : config.materialized) : kind;
  return {
    key: `${part.file.name}.${name}`,
    name,
    kind,
    package: part.file.name,
    path: own,
    place,
    tags: config.tags ?? [],
    materialized,
    alias: config.alias ?? name,
    isAliasComputed: config.alias === null,
    file,
    enabled: config.enabled !== false,
    isEphemeral: materialized === "ephemeral",
    refs,
    reads,
  };
}

/** `{% snapshot NAME %} … {% endsnapshot %}`, several in a file. */
function snapshotBlocks(text: string): readonly { readonly name: string; readonly text: string }[] {
  const said = text.replaceAll(/\{#[\s\S]*?#\}/g, "");
  return [...said.matchAll(/\{%-?\s*snapshot\s+(\w+)\s*-?%\}([\s\S]*?)\{%-?\s*endsnapshot\s*-?%\}/g)].map(
    ([, name = "", block = ""]) => ({ name, text: block }),
  );
}

/** Snapshots that stand in YAML with what they are of. */
function yamlSnapshots(part: DbtPackage, { snapshots }: DbtProperties, file: string): readonly ReadNode[] {
  const own = part.folder === "" ? file : file.slice(part.folder.length + 1);
  return (snapshots ?? [])
    .filter(({ relation }) => relation !== undefined)
    .map((one) => {
      const said = readDbtText(`{{ ${one.relation ?? ""} }}`, "sql");
      const place = [...own.split("/").slice(1, -1), one.name];
      const config = mergedConfig([...treeConfigs(part.file.snapshots, [part.file.name, ...place]), configOf(one)]);
      const { refs, sources: reads } = said;
      return toNode({ part, name: one.name, kind: "snapshot", file, own, place, config, refs, reads });
    });
}

/** The settings of dbt_project.yml on the way down to a node, the nearest last. */
function treeConfigs(tree: Readonly<Record<string, unknown>> | null | undefined, way: readonly string[]): DbtConfig[] {
  const found: DbtConfig[] = [];
  let at: unknown = tree;
  for (const name of ["", ...way]) {
    if (name !== "") at = isMap(at) ? at[name] : undefined;
    if (!isMap(at)) return found;
    found.push(settings(at, (key, map) => map[`+${key}`] ?? (isMap(map[key]) ? undefined : map[key])));
  }
  return found;
}

function configOf(described: DbtDescribed | undefined): DbtConfig {
  if (described === undefined) return {};
  const config = settings(described.config ?? {}, (key, map) => map[key]);
  const tags = [...(config.tags ?? []), ...tagsOf(described.tags)];
  return { ...config, ...(tags.length === 0 ? {} : { tags }) };
}

function settings(
  map: Readonly<Record<string, unknown>>,
  valueOf: (key: string, map: Readonly<Record<string, unknown>>) => unknown,
): DbtConfig {
  const text = (key: string): string | null | undefined => {
    const value = valueOf(key, map);
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" && !value.includes("{{") ? value : null;
  };
  const enabled = valueOf("enabled", map);
  const tags = tagsOf(valueOf("tags", map));
  return {
    materialized: text("materialized"),
    alias: text("alias"),
    enabled: enabled === undefined || enabled === null ? undefined : typeof enabled === "boolean" ? enabled : null,
    ...(tags.length === 0 ? {} : { tags }),
  };
}

function tagsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((tag) => typeof tag === "string");
}

/** Later ones win; tags add up. */
function mergedConfig(configs: readonly DbtConfig[]): DbtConfig {
  const last = <Key extends "materialized" | "enabled" | "alias">(key: Key): DbtConfig[Key] =>
    configs.findLast((config) => config[key] !== undefined)?.[key];
  return {
    materialized: last("materialized"),
    enabled: last("enabled"),
    alias: last("alias"),
    tags: configs.flatMap(({ tags }) => tags ?? []),
  };
}

/** Names become keys: of the package that is named, else of the own, else of any. */
function joined(read: readonly ReadNode[], latest: ReadonlyMap<string, string>): readonly DbtNode[] {
  const byKey = new Map(read.map((node) => [node.key, node]));
  const byName = new Map(read.toReversed().map((node) => [node.name, node]));
  return read.map(({ refs, reads, ...node }) => {
    const references = refs.flatMap((ref) => {
      const named = ref.version === undefined ? (latest.get(ref.name) ?? ref.name) : `${ref.name}_v${ref.version}`;
      const found =
        byKey.get(`${ref.package ?? node.package}.${named}`) ??
        (ref.package === undefined ? byName.get(named) : undefined);
      return found === undefined ? [] : [found.key];
    });
    return { ...node, references, parents: [...references, ...reads.map((source) => `source:${source}`)] };
  });
}

function isOff(config: DbtSourceTable["config"]): boolean {
  return config?.enabled === false;
}

function isTested({ tests, data_tests, columns }: DbtSourceTable): boolean {
  return [{ tests, data_tests }, ...(columns ?? [])].some(
    (one) => (one.tests ?? []).length + (one.data_tests ?? []).length > 0,
  );
}

function isExternal({ meta, config }: Pick<DbtSourceTable, "meta" | "config">): boolean {
  return [meta, config, config?.meta].some((map) => isMap(map) && "external_location" in map);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stemOf(file: string): string {
  return posix.basename(file).replace(/\.[^.]+$/, "");
}
