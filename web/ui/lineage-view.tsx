import { useNavigate } from "@tanstack/react-router";
import type { LineageGraph, LineageNode } from "#api";
import { shortDigest } from "../models/format.ts";
import { lineageLayers } from "../models/lineage.ts";
import { address, versionAddress } from "../routes/address.ts";
import { type DrawnNode, Graph } from "./graph.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

const ICONS: Readonly<Record<string, IconName>> = {
  data: "dataset",
  features: "features",
  notebook: "notebook",
  model: "model",
  code: "code",
  report: "report",
  source_file: "file",
  commit: "commit",
  prediction: "prediction",
  endpoint: "endpoint",
};
const LOADS: Readonly<Record<string, string>> = {
  data: "data",
  features: "data",
  source_file: "data",
  model: "models",
  notebook: "models",
  code: "code",
  commit: "code",
};

/** What was made from what. Many source files are drawn as one node. */
export function LineageView({ graph }: { readonly graph: LineageGraph }) {
  const { t, name, format } = useLanguage();
  const navigate = useNavigate();
  const { nodes, edges } = lineageLayers(graph);
  const drawn = nodes.map((node): DrawnNode => {
    const kind = name("assetKind", node.kind);
    const label = node.count > 1 ? t("lineage.files", { count: node.count }) : node.label;
    const detail = [
      node.version === undefined ? undefined : `v${node.version}`,
      node.rowCount === undefined ? undefined : t("dataset.rowCount", { count: node.rowCount }),
    ].filter((part) => part !== undefined);
    return {
      id: node.id,
      className: `load-${LOADS[node.kind] ?? "production"}`,
      content: (
        <>
          <span className="graph-line graph-name">
            <Icon name={ICONS[node.kind] ?? "dot"} size={14} />
            <span title={node.label}>{node.kind === "commit" ? shortDigest(node.label, 10) : label}</span>
          </span>
          <span className="graph-line graph-sub">
            <span data-figure={`lineage.${node.kind}.rows`} data-value={node.rowCount}>
              {[kind, ...detail].join(" · ")}
            </span>
          </span>
        </>
      ),
    };
  });
  return (
    <>
      <Graph
        label={t("lineage.title")}
        nodes={drawn}
        selected={graph.root}
        edges={edges.map(({ from, to, role }) => ({
          from,
          to,
          label: role === undefined || role === "input" ? undefined : name("role", role),
        }))}
        onSelect={(id) => {
          const node = nodes.find((each) => each.id === id);
          const target = node === undefined ? undefined : nodeAddress(node);
          if (target !== undefined) void navigate({ to: target });
        }}
      />
      {graph.truncated && (
        <p className="panel-note">{t("lineage.truncated", { shown: format.number(graph.nodes.length) })}</p>
      )}
    </>
  );
}

function nodeAddress(node: LineageNode): string | undefined {
  if (node.kind === "prediction") return address.prediction(node.id);
  if (node.kind === "source_file" || node.kind === "commit" || node.kind === "endpoint") return undefined;
  return versionAddress({ id: node.id, kind: node.kind, asset: node.label, version: node.version });
}
