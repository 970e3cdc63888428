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

/** A stretch on which an edge runs level past the nodes of a layer. */
export interface Passage {
  readonly fromX: number;
  readonly toX: number;
  readonly y: number;
}

export interface RoutedEdge extends GraphEdge {
  /** Left to right; empty for an edge between neighbouring layers. */
  readonly passages: readonly Passage[];
}

export interface PlacedGraph {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly RoutedEdge[];
}

/**
 * Places the nodes of a directed graph in layers, left to right; the same graph is always placed the same way.
 * An edge that skips a layer gets room of its own there: it bends only between layers and never runs behind a node.
 */
export function placeGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): PlacedGraph {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 22, edgesep: 14, ranksep: 58, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map(({ id }) => id));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  const drawn = edges.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
  for (const { from, to } of drawn) graph.setEdge(from, to);
  dagre.layout(graph);
  const layers = new Map<number, number>();
  const placed = nodes.map(({ id, width, height }) => {
    const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
    layers.set(Math.round(x), Math.max(width, layers.get(Math.round(x)) ?? 0));
    return { id, x: x - width / 2, y: y - height / 2 };
  });
  const routed = drawn.map(({ from, to }): RoutedEdge => {
    const { points = [] } = graph.edge(from, to) as { points?: readonly { readonly x: number; readonly y: number }[] };
    const passages = points.slice(1, -1).flatMap(({ x, y }): readonly Passage[] => {
      const width = layers.get(Math.round(x));
      return width === undefined ? [] : [{ fromX: x - width / 2, toX: x + width / 2, y }];
    });
    return { from, to, passages: passages.toSorted((left, right) => left.fromX - right.fromX) };
  });
  return { nodes: placed, edges: routed };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** The drawn line of an edge, as an SVG path: level past every layer, bent between them. */
export function edgePath(from: Point, to: Point, passages: readonly Passage[]): string {
  // Against the direction of the layers there is no level way; a plain curve says so.
  const ways = to.x < from.x ? [] : passages;
  const bends = [...ways.map(({ fromX, toX, y }) => ({ x: fromX, y, nextX: toX })), { x: to.x, y: to.y, nextX: to.x }];
  let path = `M ${from.x} ${from.y}`;
  let at = from;
  for (const { x, y, nextX } of bends) {
    const middle = (at.x + x) / 2;
    path += ` C ${middle} ${at.y} ${middle} ${y} ${x} ${y}`;
    if (nextX !== x) path += ` L ${nextX} ${y}`;
    at = { x: nextX, y };
  }
  return path;
}

/** Height of a drawing that shows the graph without wasting space, in pixels. */
export function graphHeight(boxes: readonly GraphNode[], { nodes, edges }: PlacedGraph): number {
  const heights = new Map(boxes.map(({ id, height }) => [id, height]));
  const bottom = Math.max(
    0,
    ...nodes.map(({ id, y }) => y + (heights.get(id) ?? 0)),
    ...edges.flatMap(({ passages }) => passages.map(({ y }) => y)),
  );
  return Math.min(620, Math.max(170, bottom + 70));
}
