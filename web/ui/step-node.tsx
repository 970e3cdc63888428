import type { PipelineEdge } from "#api";
import type { DrawnEdge, DrawnNode } from "./graph.tsx";
import { Icon, isIconName } from "./icon.tsx";
import { StateMark, toneOf } from "./state.tsx";

interface StepFacts {
  readonly name: string;
  readonly kind: string;
  readonly load: string;
  readonly status: string | undefined;
  readonly cached?: boolean | undefined;
  readonly note?: string | undefined;
}

/** A step as a node of a graph. */
export function stepNode(step: StepFacts): DrawnNode {
  const icon = KIND_ICONS[step.kind] ?? (isIconName(step.kind) ? step.kind : "pipeline");
  return {
    id: step.name,
    className: `load-${step.load} ${step.status === undefined ? "" : `tone-${toneOf(step.status)}`}`,
    content: (
      <>
        <span className="graph-line graph-name">
          <span>{step.name}</span>
          {step.status !== undefined && <StateMark state={step.status} cached={step.cached === true} />}
        </span>
        <span className="graph-line graph-sub">
          <Icon name={icon} size={13} />
          <span>{step.note ?? step.kind}</span>
        </span>
      </>
    ),
  };
}

const KIND_ICONS = {
  sql: "transform",
  join: "features",
  publish: "dashboard",
  run: "code",
  node: "code",
  python: "code",
  notebook: "notebook",
} as const satisfies Record<string, string> as Readonly<
  Record<string, "transform" | "features" | "dashboard" | "code" | "notebook">
>;

/** The load of a step kind, for colours where the server does not say it. */
export function loadOfKind(kind: string): string {
  if (["capture", "sql", "dbt", "publish"].includes(kind)) return "data";
  return ["run", "node"].includes(kind) ? "code" : "models";
}

/** Edges of a pipeline; those into running steps move. */
export function stepEdges(
  edges: readonly PipelineEdge[],
  running: ReadonlySet<string> = new Set(),
): readonly DrawnEdge[] {
  return edges.map(({ from, to }) => ({ from, to, isActive: running.has(to) }));
}
