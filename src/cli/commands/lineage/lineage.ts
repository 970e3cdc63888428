import type { LineageNode } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount, formatDigest, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "lineage ASSET|ASSET@VERSION|ID [--downstream]",
  summary: "Trace a version or a prediction back to its sources",
  options: {
    ...commonOptions,
    downstream: { type: "boolean", help: "What was made of it, instead of what it was made from." },
  },
  examples: [
    {
      line: "esteira lineage delay@2",
      does: "What version 2 of delay was made from: data, features, notebook, commit, captured files",
    },
    {
      line: "esteira lineage 01JXAMPLE",
      does: "From a prediction back to model, training data, notebook, commit and captured files",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [id = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const graph = await call("getLineage", {
        params: { id },
        query: { direction: options["downstream"] === true ? "downstream" : "upstream" },
      });
      if (options["json"] === true) return terminal.printJson(graph);
      terminal.table([["KIND", "NAME", "AT", "ROWS", "DIGEST", "ID"], ...graph.nodes.map((node) => row(node))]);
      if (graph.truncated) terminal.note("There is more: the graph was cut.");
    }),
};

function row(node: LineageNode): readonly string[] {
  return [
    node.kind,
    node.version === undefined ? node.label : `${node.label} ${node.version}`,
    node.atMs === undefined ? "" : formatTime(node.atMs),
    node.rowCount === undefined ? "" : formatCount(node.rowCount),
    formatDigest(node.digest ?? ""),
    node.id,
  ];
}
