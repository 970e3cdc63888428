import { z } from "zod";
import { digestOf, formatQuantity, nearestName } from "#base";
import {
  type AnalysisContext,
  type AttemptContext,
  missingFile,
  type Problem,
  readProjectFile,
  type StepInput,
} from "#pipeline";
import type { MetadataStore } from "#metadata-store";
import { contractInvalid } from "../errors.ts";
import { latestOf } from "../latest-versions.ts";
import { keyProblems, referredTo } from "./bind-references.ts";
import { type Contract, type ContractTable, readContract, type ReadContract, tableOf } from "./contract.ts";
import { readReferences } from "./reference.ts";
import type { HeldLimits } from "./row-check.ts";
import { type CompiledContract, compileContract } from "./rules.ts";

/** The key `contract` of a step that makes a dataset. */
export const contractSchema: z.ZodOptional<z.ZodString> = z
  .string()
  .min(1)
  .optional()
  .describe("Data contract (ODCS 3.1) that every row must satisfy.");

/** The key `quarantine` of such a step. */
export const limitsSchema: z.ZodOptional<z.ZodType<HeldLimits>> = z
  .strictObject({ max_rows: z.number().int().min(0).optional(), max_percent: z.number().min(0).max(100).optional() })
  .optional()
  .describe("Beyond these limits nothing is published.");

/** A contract as a step keeps it. */
export interface StepContract {
  readonly path: string;
  readonly version: string;
  readonly digest: string;
  readonly compiled: CompiledContract;
}

/** The step's contract, compiled. @throws DATA_CONTRACT_INVALID */
export async function loadContract(
  attempt: Pick<AttemptContext<{ readonly contract?: string | undefined }>, "declaration" | "projectFolder" | "step">,
): Promise<StepContract | undefined> {
  const { contract: path } = attempt.declaration;
  if (path === undefined) return undefined;
  const text = await readProjectFile(attempt.projectFolder, path);
  const { contract, problems } = readContract(text, path);
  const table = contract === undefined ? undefined : tableOf(contract, attempt.step);
  if (contract === undefined || table === undefined) {
    throw contractInvalid({
      problems:
        problems.length > 0
          ? problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)
          : [`${path} does not describe "${attempt.step}"`],
    });
  }
  return {
    path,
    version: contract.version,
    digest: digestOf(text),
    compiled: compileContract(contract, table, attempt.step),
  };
}

/** What is wrong with the contract that a step names. */
export async function contractProblems(contract: string, context: AnalysisContext): Promise<Problem[]> {
  const text = await context.readFile(contract);
  if (text === undefined)
    return [await missingFile(contract, context, { path: ["contract"], pattern: "**/*.{yaml,yml}" })];
  const read = readContract(text, contract);
  const problems: Problem[] = read.problems.map(({ file, line, column, message, hint }) => ({
    path: ["contract"],
    message,
    ...(hint === undefined ? {} : { hint }),
    at: { file, line, column },
  }));
  const table = read.contract === undefined ? undefined : tableOf(read.contract, context.step);
  if (read.contract !== undefined && table !== undefined)
    problems.push(...referenceProblems({ ...read, contract: read.contract, table }, context));
  else if (read.contract !== undefined)
    problems.push({
      path: ["contract"],
      message: `${contract} describes ${read.contract.schema.map(({ name }) => name).join(", ")}, not "${context.step}"`,
      hint: `Name one object of its schema "${context.step}".`,
    });
  return problems;
}

/** References to datasets that no step makes. */
function* referenceProblems(
  { contract, table, at }: Pick<ReadContract, "at"> & { readonly contract: Contract; readonly table: ContractTable },
  { knownAssets, step }: AnalysisContext,
): Generator<Problem> {
  const datasets = [...knownAssets].flatMap(([name, kind]) => (kind === "data" || kind === "features" ? [name] : []));
  for (const { datasets: names, isSelf, path } of readReferences(contract, table).references) {
    if (isSelf || names.includes(step) || referredTo({ datasets: names }, knownAssets) !== undefined) continue;
    const near = nearestName(names[0] ?? "", datasets);
    yield {
      path: ["contract"],
      isMissed: true,
      message: `No step makes a dataset "${names.join('" or "')}", which ${table.name} refers to`,
      hint:
        near === undefined
          ? `Datasets of the project: ${datasets.slice(0, 20).join(", ") || "none"}.`
          : `Did you mean "${near}"?`,
      at: at(["schema", contract.schema.indexOf(table), ...path, "to"]),
    };
  }
}

/** References to columns that the latest version of a dataset does not have. */
export async function referredProblems(
  store: MetadataStore,
  contract: string,
  context: AnalysisContext,
): Promise<Problem[]> {
  const compiled = await compiledOf(contract, context);
  if (compiled === undefined || compiled.references.length === 0) return [];
  const names = compiled.references.flatMap((one) => referredTo(one, context.knownAssets) ?? []);
  const versions = await latestOf(store, context.project, names);
  return compiled.references.flatMap((reference) => {
    const version = versions.get(referredTo(reference, versions) ?? "");
    if (version === undefined) return [];
    return keyProblems(reference, version, compiled).map((message) => ({
      path: ["contract"],
      message,
      hint: `See ${contract}.`,
    }));
  });
}

/** The datasets that a step reads for what its contract refers to. */
export async function contractInputs(contract: string, context: AnalysisContext): Promise<StepInput[]> {
  const compiled = await compiledOf(contract, context);
  const names = new Set(compiled?.references.flatMap((one) => referredTo(one, context.knownAssets) ?? []));
  return [...names].map((asset) => ({ asset, role: "reference", path: ["contract"] }));
}

/**
 * What is wrong with the contract of a step whose rows are computed: they have their types, and what is done to values
 * is said where they are computed.
 */
export async function modelContractProblems(contract: string, context: AnalysisContext): Promise<Problem[]> {
  const problems = await contractProblems(contract, context);
  if (problems.length > 0) return problems;
  const compiled = await compiledOf(contract, context);
  const treated = [
    ...(compiled?.deduplication === undefined ? [] : ["duplicate rows"]),
    ...(compiled?.treatments.keys() ?? []),
  ];
  return treated.length === 0
    ? []
    : [
        {
          path: ["contract"],
          message: `${contract} declares treatments of ${treated.join(", ")}, which are for rows of a capture`,
          hint: "Compute the values in the query or script, or capture under this contract.",
        },
      ];
}

/** One phrase for `esteira plan`. */
export async function describeContract(contract: string, context: AnalysisContext): Promise<string | undefined> {
  const compiled = await compiledOf(contract, context);
  if (compiled === undefined) return undefined;
  const whole = compiled.dataset.length + compiled.anomalies.length;
  return `checks ${formatQuantity(compiled.rows.length + compiled.references.length, "rule about rows", "rules about rows")} and ${formatQuantity(whole, "rule about the dataset", "rules about the dataset")} of ${contract}`;
}

export async function compiledOf(contract: string, context: AnalysisContext): Promise<CompiledContract | undefined> {
  const text = await context.readFile(contract);
  const read = text === undefined ? undefined : readContract(text, contract).contract;
  const table = read === undefined ? undefined : tableOf(read, context.step);
  return read === undefined || table === undefined ? undefined : compileContract(read, table, context.step);
}

/** Columns that the contract of a step's declaration treats (masks, hashes, converts), in lower case. */
export async function treatedColumnsOf(
  declaration: Readonly<Record<string, unknown>>,
  { step, projectFolder }: { readonly step: string; readonly projectFolder: string },
): Promise<ReadonlySet<string>> {
  const { contract } = declaration;
  if (typeof contract !== "string") return new Set();
  const loaded = await loadContract({ declaration: { contract }, projectFolder, step });
  return new Set(loaded?.compiled.treatments.keys());
}
