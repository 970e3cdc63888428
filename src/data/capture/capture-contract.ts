import { digestOf } from "#base";
import { type AnalysisContext, type AttemptContext, missingFile, type Problem, readProjectFile } from "#pipeline";
import { readContract, tableOf } from "../contract/contract.ts";
import { compileContract } from "../contract/rules.ts";
import { contractInvalid } from "../errors.ts";
import type { CaptureBatch } from "./capture.ts";
import type { CaptureDeclaration } from "./capture-declaration.ts";

/** The step's contract, compiled. @throws DATA_CONTRACT_INVALID */
export async function loadContract(attempt: AttemptContext<CaptureDeclaration>): Promise<CaptureBatch["contract"]> {
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
  return { path, version: contract.version, digest: digestOf(text), compiled: compileContract(contract, table) };
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
  if (read.contract !== undefined && tableOf(read.contract, context.step) === undefined) {
    problems.push({
      path: ["contract"],
      message: `${contract} describes ${read.contract.schema.map(({ name }) => name).join(", ")}, not "${context.step}"`,
      hint: `Name one object of its schema "${context.step}".`,
    });
  }
  return problems;
}
