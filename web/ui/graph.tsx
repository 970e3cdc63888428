import {
  Background,
  BaseEdge,
  type Edge,
  type EdgeProps,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import "./graph.css";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { edgePath, graphHeight, type Passage, placeGraph } from "../models/graph.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

export interface DrawnNode {
  readonly id: string;
  readonly content: ReactNode;
  readonly className?: string;
  readonly width?: number;
  readonly height?: number;
}

export interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  readonly label?: string | undefined;
  readonly isActive?: boolean;
}

interface GraphProps {
  readonly label: string;
  readonly nodes: readonly DrawnNode[];
  readonly edges: readonly DrawnEdge[];
  readonly selected?: string | undefined;
  readonly onSelect?: (id: string) => void;
}

interface BoxData extends Record<string, unknown> {
  readonly drawn: DrawnNode;
  readonly isSelected: boolean;
  readonly onSelect: ((id: string) => void) | undefined;
}

const WIDTH = 190;
const HEIGHT = 62;

function Box({ data }: NodeProps<Node<BoxData>>) {
  const { drawn, isSelected, onSelect } = data;
  const className = `graph-node nopan ${drawn.className ?? ""}${isSelected ? " graph-node-selected" : ""}`;
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      {onSelect === undefined ? (
        <div className={className}>{drawn.content}</div>
      ) : (
        <button type="button" className={className} aria-pressed={isSelected} onClick={() => onSelect(drawn.id)}>
          {drawn.content}
        </button>
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </>
  );
}

interface LineData extends Record<string, unknown> {
  readonly passages: readonly Passage[];
}

function Line({ id, sourceX, sourceY, targetX, targetY, data, label, markerEnd }: EdgeProps<Edge<LineData>>) {
  const passages = data?.passages ?? [];
  const [way] = passages;
  const place =
    way === undefined
      ? { x: (sourceX + targetX) / 2, y: (sourceY + targetY) / 2 }
      : { x: (way.fromX + way.toX) / 2, y: way.y };
  return (
    <BaseEdge
      id={id}
      path={edgePath({ x: sourceX, y: sourceY }, { x: targetX, y: targetY }, passages)}
      {...(markerEnd === undefined ? {} : { markerEnd })}
      {...(label === undefined ? {} : { label, labelX: place.x, labelY: place.y, labelShowBg: true })}
    />
  );
}

const NODE_TYPES = { box: Box };
const EDGE_TYPES = { line: Line };

/** A directed graph, placed by itself; its nodes are buttons in reading order. */
export function Graph({ label, nodes, edges, selected, onSelect }: GraphProps) {
  const shape = nodes.map(({ id }) => id).join(" ") + edges.map(({ from, to }) => `${from}>${to}`).join(" ");
  // Only a change of the graph's shape moves nodes; states change in place.
  const { placed, routes, height } = useMemo(() => {
    const boxes = nodes.map((node) => ({ id: node.id, width: node.width ?? WIDTH, height: node.height ?? HEIGHT }));
    const graph = placeGraph(boxes, edges);
    const routed = new Map(graph.edges.map((edge) => [`${edge.from}>${edge.to}`, edge.passages]));
    return {
      placed: new Map(graph.nodes.map((place) => [place.id, place])),
      routes: routed,
      height: graphHeight(boxes, graph),
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [shape]);
  const drawn = nodes.map((node): Node<BoxData> => {
    const place = placed.get(node.id);
    return {
      id: node.id,
      type: "box",
      position: { x: place?.x ?? 0, y: place?.y ?? 0 },
      width: node.width ?? WIDTH,
      height: node.height ?? HEIGHT,
      data: { drawn: node, isSelected: node.id === selected, onSelect },
      focusable: false,
      draggable: false,
      selectable: false,
    };
  });
  const lines = edges.map((edge): Edge<LineData> => ({
    id: `${edge.from}>${edge.to}>${edge.label ?? ""}`,
    type: "line",
    source: edge.from,
    target: edge.to,
    data: { passages: routes.get(`${edge.from}>${edge.to}`) ?? [] },
    animated: edge.isActive === true,
    focusable: false,
    ...(edge.label === undefined ? {} : { label: edge.label }),
    className: edge.isActive === true ? "graph-edge-active" : "",
  }));
  return (
    <div className="graph" style={{ height }} role="group" aria-label={label}>
      <ReactFlow
        nodes={drawn}
        edges={lines}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        minZoom={0.15}
        maxZoom={1.6}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        zoomOnScroll={false}
        preventScrolling={false}
        zoomOnDoubleClick={false}
        disableKeyboardA11y
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={22} size={1.2} color="var(--line)" />
        <Tools shape={shape} start={selected ?? nodes[0]?.id} />
      </ReactFlow>
    </div>
  );
}

/** Below this the names on the nodes cannot be read: a larger graph is shown in part, and can be dragged. */
const LEAST_ZOOM = 0.78;

function Tools({ shape, start }: { readonly shape: string; readonly start: string | undefined }) {
  const { t } = useLanguage();
  const flow = useReactFlow();
  const first = useRef(start);
  first.current = start;
  useEffect(() => {
    void flow.fitView({ padding: 0.08, maxZoom: 1, minZoom: LEAST_ZOOM }).then(() => {
      const node = first.current === undefined ? undefined : flow.getNode(first.current);
      // What the page is about is in view, whatever does not fit.
      if (node !== undefined && flow.getZoom() <= LEAST_ZOOM)
        void flow.setCenter(
          node.position.x + (node.width ?? WIDTH) / 2,
          node.position.y + (node.height ?? HEIGHT) / 2,
          { zoom: LEAST_ZOOM },
        );
    });
  }, [flow, shape]);
  return (
    <div className="graph-tools">
      <button type="button" onClick={() => void flow.zoomIn()} aria-label={t("graph.zoomIn")}>
        +
      </button>
      <button type="button" onClick={() => void flow.zoomOut()} aria-label={t("graph.zoomOut")}>
        −
      </button>
      <button
        type="button"
        onClick={() => void flow.fitView({ padding: 0.08, maxZoom: 1 })}
        aria-label={t("graph.fit")}
      >
        <Icon name="expand" size={13} />
      </button>
    </div>
  );
}
