import type { ChainLink, PredictionDetail } from "#api";

/**
 * The way back from a prediction as a person reads it: the data that the model learned from are called so, and its
 * notebook stands beside them even when the chain follows the data alone.
 */
export function readableChain({ chain, lineage }: Pick<PredictionDetail, "chain" | "lineage">): readonly ChainLink[] {
  const model = chain.find(({ kind }) => kind === "model");
  const trainedOn = chain.findIndex(({ kind }, index) => kind === "data" && chain[index - 1]?.kind === "model");
  const links = chain.map((link, index): ChainLink =>
    index === trainedOn ? { ...link, kind: "training_data" } : link,
  );
  if (model === undefined || links.some(({ kind }) => kind === "notebook")) return links;
  const sources = new Set(lineage?.edges.filter(({ to }) => to === model.id).map(({ from }) => from));
  const notebooks = (lineage?.nodes ?? []).flatMap((node): readonly ChainLink[] =>
    node.kind === "notebook" && sources.has(node.id)
      ? [
          {
            kind: "notebook",
            id: node.id,
            label: node.label,
            version: node.version,
            digest: node.digest,
            atMs: node.atMs,
          },
        ]
      : [],
  );
  const place = links.findIndex(({ kind }) => kind === "model") + 1;
  return [...links.slice(0, place), ...notebooks, ...links.slice(place)];
}
