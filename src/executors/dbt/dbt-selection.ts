import { matchesPattern } from "#base";

/** A node as far as choosing it needs it. */
export interface SelectableNode {
  readonly key: string;
  readonly name: string;
  readonly kind: string;
  readonly package: string;
  /** Relative to its dbt project. */
  readonly path: string;
  /** Folders below the kind's own, and the name: what dbt calls fqn, without the package. */
  readonly place: readonly string[];
  readonly tags: readonly string[];
  readonly materialized: string | null;
  /** Keys of the nodes that it reads. */
  readonly parents: readonly string[];
}

const METHODS = ["tag", "path", "file", "source", "resource_type", "package", "config.materialized", "fqn"] as const;

/** What a selection chooses, or why that cannot be told before dbt runs. */
export type Selection = { readonly keys: ReadonlySet<string> } | { readonly problem: string; readonly hint: string };

/**
 * What `--select` and `--exclude` choose, in the parts of dbt's language that follow from the files: names and paths,
 * `*`, the methods above, `+` and `@`, a space for "or", a comma for "and". Pure.
 */
export function selectNodes(
  nodes: readonly SelectableNode[],
  { select, exclude }: { readonly select: readonly string[]; readonly exclude: readonly string[] },
): Selection {
  const graph = graphOf(nodes);
  try {
    const chosen = select.length === 0 ? new Set(nodes.map(({ key }) => key)) : union(select, graph);
    for (const key of union(exclude, graph)) chosen.delete(key);
    return { keys: chosen };
  } catch (error) {
    if (!(error instanceof UnknownMethod)) throw error;
    return {
      problem: `what "${error.message}" selects is known only when dbt runs`,
      hint: `What a step makes must be known before: use names, folders, ${METHODS.map((name) => `${name}:`).join(", ")}, with + and @.`,
    };
  }
}

class UnknownMethod extends Error {}

interface Graph {
  readonly nodes: readonly SelectableNode[];
  readonly parents: ReadonlyMap<string, readonly string[]>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

function graphOf(nodes: readonly SelectableNode[]): Graph {
  const children = new Map<string, string[]>();
  for (const { key, parents } of nodes)
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), key]);
  return { nodes, children, parents: new Map(nodes.map(({ key, parents }) => [key, parents])) };
}

function union(texts: readonly string[], graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const text of texts.flatMap((each) => each.split(/\s+/).filter((part) => part !== "")))
    for (const key of intersection(text, graph)) found.add(key);
  return found;
}

function intersection(text: string, graph: Graph): ReadonlySet<string> {
  const [first = new Set<string>(), ...others] = text.split(",").map((part) => expanded(part, graph));
  return new Set([...first].filter((key) => others.every((other) => other.has(key))));
}

/** `2+name+`, `@name`: a choice with what is before and behind it in the graph. */
function expanded(text: string, graph: Graph): ReadonlySet<string> {
  const {
    at,
    up,
    upDepth,
    base = "",
    down,
    downDepth,
  } = /^(?<at>@)?(?:(?<upDepth>\d*)(?<up>\+))?(?<base>.*?)(?:(?<down>\+)(?<downDepth>\d*))?$/.exec(text)?.groups ?? {};
  const chosen = new Set(graph.nodes.filter((node) => isMeant(node, base, text)).map(({ key }) => key));
  const found = new Set(chosen);
  const add = (keys: Iterable<string>): void => {
    for (const key of keys) found.add(key);
  };
  if (up !== undefined) add(walk(chosen, graph.parents, depthOf(upDepth)));
  if (down !== undefined || at !== undefined) add(walk(chosen, graph.children, depthOf(downDepth)));
  if (at !== undefined) add(walk(new Set(found), graph.parents, Infinity));
  return found;
}

function depthOf(text: string | undefined): number {
  return text === undefined || text === "" ? Infinity : Number(text);
}

function walk(from: ReadonlySet<string>, next: ReadonlyMap<string, readonly string[]>, depth: number): Set<string> {
  const seen = new Set(from);
  let front = [...from];
  for (let step = 0; step < depth && front.length > 0; step++) {
    front = front.flatMap((key) => next.get(key) ?? []).filter((key) => !seen.has(key));
    for (const key of front) seen.add(key);
  }
  return seen;
}

function isMeant(node: SelectableNode, text: string, whole: string): boolean {
  const colon = text.indexOf(":");
  if (colon < 0) return isPath(text) ? isBelow(node.path, text) : isNamed(node, text);
  const value = text.slice(colon + 1);
  switch (text.slice(0, colon)) {
    case "tag":
      return node.tags.some((tag) => matchesPattern(tag, value));
    case "path":
      return isBelow(node.path, value);
    case "file":
      return matchesPattern(node.path.split("/").at(-1) ?? "", value);
    case "fqn":
      return isNamed(node, value);
    case "source":
      return node.kind === "source" && (matchesPattern(node.name, value) || node.name.startsWith(`${value}.`));
    case "resource_type":
      return node.kind === value;
    case "package":
      return node.package === value;
    case "config.materialized":
      return node.materialized === value;
    default:
      throw new UnknownMethod(whole);
  }
}

function isPath(text: string): boolean {
  return text.includes("/") || /\.(sql|py|csv|ya?ml)$/.test(text);
}

function isBelow(path: string, text: string): boolean {
  const wanted = text.replace(/^\.\//, "").replace(/\/+$/, "");
  if (wanted.includes("*")) return matchesPattern(path, wanted) || matchesPattern(path, `${wanted}/*`);
  return path === wanted || path.startsWith(`${wanted}/`);
}

/** A name, or folders with points between them, with or without the package before them. */
function isNamed({ name, kind, place, package: own }: SelectableNode, text: string): boolean {
  if (kind === "source") return false;
  if (matchesPattern(name, text)) return true;
  const wanted = text.split(".");
  return [place, [own, ...place]].some(
    (full) => wanted.length <= full.length && wanted.every((part, index) => matchesPattern(full[index] ?? "", part)),
  );
}
