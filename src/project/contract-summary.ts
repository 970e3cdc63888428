import type { ContractSummary } from "#api";
import { readContract } from "#data";
import { readProjectFile } from "#pipeline";
import type { ProjectGraph } from "./project-graph.ts";

/** The contract of the step that makes a dataset, as people see it; undefined when it has none. */
export async function readContractSummary(facts: {
  readonly graph: ProjectGraph;
  readonly dataset: string;
  readonly projectFolder: string;
}): Promise<ContractSummary | undefined> {
  const file = facts.graph.contractFileOf(facts.dataset);
  if (file === undefined) return undefined;
  const text = await readProjectFile(facts.projectFolder, file).catch(() => undefined);
  const contract = text === undefined ? undefined : readContract(text, file).contract;
  if (contract === undefined) return undefined;
  const table = contract.schema.find(({ name }) => name === facts.dataset) ?? contract.schema[0];
  return {
    file,
    version: contract.version,
    rules: [
      ...(table?.properties ?? []).map((property) => ({
        id: property.name,
        column: property.name,
        description: property.description,
      })),
      ...(table?.relationships ?? []).map((relationship, index) => ({
        id: relationship.id ?? relationship.name ?? `relationship-${index + 1}`,
        description: relationship.description ?? `refers to ${[relationship.to].flat().join(", ")}`,
      })),
      ...(table?.quality ?? []).map((rule, index) => ({
        id: rule.id ?? rule.name ?? `quality-${index + 1}`,
        description: rule.description,
      })),
    ],
  };
}
