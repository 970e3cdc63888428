import { Background, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import "./graph.css";
import { type ReactNode, useEffect, useMemo } from "react";
import { graphHeight, placeGraph } from "../models/graph.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

export interface DrawnNode {
  readonly id: string;
  /** Read by screen readers when the node has the focus. */
  readonly label: string;
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
        <button type="button" className={className} aria-label={drawn.label} aria-pressed={isSelected} onClick={() => onSelect(drawn.id)}>
          {drawn.content}
        </button>
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </>
  );
}

const NODE_TYPES = { box: Box };

/** A directed graph, placed by itself; its nodes are buttons in reading order. */
export function Graph({ label, nodes, edges, selected, onSelect }: GraphProps) {
  const shape = nodes.map(({ id }) => id).join(" ") + edges.map(({ from, to }) => `${from}>${to}`).join(" ");
  // Only a change of the graph's shape moves nodes; states change in place.
  const { placed, height } = useMemo(() => {
    const boxes = nodes.map((node) => ({ id: node.id, width: node.width ?? WIDTH, height: node.height ?? HEIGHT }));
    const places = placeGraph(boxes, edges);
    return { placed: new Map(places.map((place) => [place.id, place])), height: graphHeight(boxes, places) };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [shape]);
  const drawn = nodes.map((node): Node<BoxData> => {
    const place = placed.get(node.id);
    return {
      id: node.id, type: "box", position: { x: place?.x ?? 0, y: place?.y ?? 0 }, width: node.width ?? WIDTH, height: node.height ?? HEIGHT,
      data: { drawn: node, isSelected: node.id === selected, onSelect }, focusable: false, draggable: false, selectable: false,
    };
  });
  const lines = edges.map((edge): Edge => ({
    id: `${edge.from}>${edge.to}>${edge.label ?? ""}`, source: edge.from, target: edge.to, animated: edge.isActive === true, focusable: false,
    ...(edge.label === undefined ? {} : { label: edge.label }),
    className: edge.isActive === true ? "graph-edge-active" : "",
  }));
  return (
    <div className="graph" style={{ height }} role="group" aria-label={label}>
      <ReactFlow
        nodes={drawn} edges={lines} nodeTypes={NODE_TYPES} fitView fitViewOptions={{ padding: 0.08, maxZoom: 1 }} minZoom={0.15} maxZoom={1.6}
        nodesDraggable={false} nodesConnectable={false} edgesFocusable={false} zoomOnScroll={false} preventScrolling={false} zoomOnDoubleClick={false} disableKeyboardA11y
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={22} size={1.2} color="var(--line)" />
        <Tools shape={shape} />
      </ReactFlow>
    </div>
  );
}

function Tools({ shape }: { readonly shape: string }) {
  const { t } = useLanguage();
  const flow = useReactFlow();
  useEffect(() => {
    void flow.fitView({ padding: 0.08, maxZoom: 1 });
  }, [flow, shape]);
  return (
    <div className="graph-tools">
      <button type="button" onClick={() => void flow.zoomIn()} aria-label={t("graph.zoomIn")}>
        +
      </button>
      <button type="button" onClick={() => void flow.zoomOut()} aria-label={t("graph.zoomOut")}>
        −
      </button>
      <button type="button" onClick={() => void flow.fitView({ padding: 0.08, maxZoom: 1 })} aria-label={t("graph.fit")}>
        <Icon name="expand" size={13} />
      </button>
    </div>
  );
}
