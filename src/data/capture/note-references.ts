import { formatQuantity } from "#base";
import type { AssetVersion } from "#metadata-store";
import { listOpenQuarantine } from "#metadata-store/data";
import type { AttemptContext } from "#pipeline";
import { bindReferences } from "../contract/bind-references.ts";
import { loadContract } from "../contract/step-contract.ts";
import type { CaptureDeclaration } from "./capture-declaration.ts";
import type { CaptureRunDependencies } from "./capture-run.ts";

/**
 * The source has nothing new, and the datasets that rows refer to may be others: says which rows lost what they refer
 * to, and that held ones may have found it.
 */
export async function noteReferences(
  dependencies: CaptureRunDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  latest: AssetVersion,
): Promise<void> {
  const compiled = (await loadContract(attempt))?.compiled;
  if (compiled === undefined || compiled.references.length === 0) return;
  const { project, step, inputs, workFolder } = attempt;
  // What is stored is hashed already.
  const stored = { ...compiled, treatments: new Map() };
  const { rows } = await bindReferences(dependencies, { compiled: stored, versions: inputs, folder: workFolder });
  const rules = rows.slice(compiled.rows.length);
  const connection = await dependencies.analytics.connect();
  try {
    const counts = rules.map(({ breaks }, index) => `count(*) filter (where ${breaks}) as r${index}`);
    const [row] = await connection.rows(
      `select ${counts.join(", ")} from ${await dependencies.datasets.relation(latest)}`,
    );
    for (const [index, { id, expectation }] of rules.entries()) {
      const count = Number(row?.[`r${index}`]);
      if (count > 0)
        attempt.log(
          `warning: ${formatQuantity(count, "row")} of ${step} no longer ${count === 1 ? "keeps" : "keep"} ${id}: ${expectation}`,
        );
    }
  } finally {
    connection.close();
  }
  const open = await dependencies.store.read((transaction) =>
    listOpenQuarantine(transaction, { project, dataset: step }),
  );
  for (const { id } of rules) {
    const held = open.reduce((sum, batch) => sum + (batch.rules[id] ?? 0), 0);
    if (held > 0)
      attempt.log(
        `${formatQuantity(held, "row")} of ${step} ${held === 1 ? "was" : "were"} held back for ${id}; what is there now, a replay takes in: esteira quarantine replay ${step}`,
      );
  }
}
