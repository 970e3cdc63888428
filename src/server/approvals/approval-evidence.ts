import type { PendingApproval } from "#api";
import type { AssetVersion, ReadTransaction } from "#metadata-store";
import { getVerdict } from "#metadata-store/governance";
import type { Verdict } from "#models";
import { toVersionSummaries } from "../api/version-reference.ts";

/**
 * What a person judges a model by before they approve it: its verdict, its metrics beside the champion's, its notebook.
 */
export async function readEvidence(
  transaction: ReadTransaction,
  version: AssetVersion | undefined,
): Promise<PendingApproval["evidence"]> {
  if (version?.kind !== "model") return undefined;
  const stored = await getVerdict(transaction, version.id);
  const judged = stored?.content as Verdict | undefined;
  const [summary] = await toVersionSummaries(transaction, [version]);
  const notebook = summary?.inputs.find(({ kind }) => kind === "notebook");
  return {
    model: version.asset,
    modelVersion: version.version,
    verdict: stored === undefined ? "none" : stored.passed ? "passed" : "refused",
    metrics: numbersOf(judged?.metrics),
    championMetrics: numbersOf(judged?.championMetrics),
    championVersion: judged?.champion?.version,
    notebookVersionId: notebook?.id,
  };
}

function numbersOf(values: object | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
