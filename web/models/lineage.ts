import type { LineageEdge, LineageGraph, LineageNode } from "#api";

/** A node to draw; `count` above 1 stands for that many source files. */
export interface DrawnLineageNode extends LineageNode {
  readonly count: number;
}

/** Source files that lead to the same things are drawn as one node beyond this number. */
const MOST_FILES = 3;

/** Rows of all; undefined when some are not known, for a part would pass for the whole. */
export function totalRows(nodes: readonly Pick<LineageNode, "rowCount">[]): number | undefined {
  return nodes.every(({ rowCount }) => rowCount !== undefined)
    ? nodes.reduce((sum, { rowCount = 0 }) => sum + rowCount, 0)
    : undefined;
}

/** The graph with its many source files gathered, edges without repetition. */
export function lineageLayers(graph: LineageGraph): {
  readonly nodes: readonly DrawnLineageNode[];
  readonly edges: readonly LineageEdge[];
} {
  const targets = Map.groupBy(graph.edges, ({ from }) => from);
  const groups = Map.groupBy(
    graph.nodes.filter(({ kind, id }) => kind === "source_file" && id !== graph.root),
    ({ id }) =>
      (targets.get(id) ?? [])
        .map(({ to }) => to)
        .sort()
        .join(" "),
  );
  const replaced = new Map<string, string>();
  const gathered: DrawnLineageNode[] = [];
  for (const files of groups.values()) {
    const [first] = files;
    if (first === undefined || files.length <= MOST_FILES) continue;
    for (const file of files) replaced.set(file.id, first.id);
    gathered.push({ ...first, count: files.length, rowCount: graph.truncated ? undefined : totalRows(files) });
  }
  const nodes = [
    ...graph.nodes.filter(({ id }) => !replaced.has(id)).map((node) => ({ ...node, count: 1 })),
    ...gathered,
  ];
  const edges = new Map<string, LineageEdge>();
  for (const edge of graph.edges) {
    const from = replaced.get(edge.from) ?? edge.from;
    edges.set(`${from} ${edge.to} ${edge.role ?? ""}`, { ...edge, from });
  }
  return { nodes, edges: [...edges.values()] };
}
