import dagre from "@dagrejs/dagre";

export interface GraphNode {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
}

export interface PlacedNode {
  readonly id: string;
  /** Upper left corner. */
  readonly x: number;
  readonly y: number;
}

/** Places the nodes of a directed graph in layers, left to right; the same graph is always placed the same way. */
export function placeGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): readonly PlacedNode[] {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 58, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map(({ id }) => id));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to } of edges) if (known.has(from) && known.has(to) && from !== to) graph.setEdge(from, to);
  dagre.layout(graph);
  return nodes.map(({ id, width, height }) => {
    const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
    return { id, x: x - width / 2, y: y - height / 2 };
  });
}

/** Height of a drawing that shows the graph without wasting space, in pixels. */
export function graphHeight(nodes: readonly GraphNode[], placed: readonly PlacedNode[]): number {
  const heights = new Map(nodes.map(({ id, height }) => [id, height]));
  const bottom = Math.max(0, ...placed.map(({ id, y }) => y + (heights.get(id) ?? 0)));
  return Math.min(620, Math.max(170, bottom + 70));
}
