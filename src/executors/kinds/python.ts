import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type EsteiraError, formatQuantity, type Json, nearestName } from "#base";
import {
  type AnalysisContext,
  type AssetKind,
  type AttemptContext,
  type MadeVersion,
  missingFile,
  type Problem,
  type ProcessResult,
  type PythonEnvironment,
  type StepAnalysis,
  type StepInput,
  type StepKind,
  type StepOutcome,
  type WriteTransaction,
} from "#pipeline";
import { outputMissing, pythonFailed } from "../python-errors.ts";
import { findScriptImports } from "../script-imports.ts";
import { matchFiles, otherFiles, patternsOf } from "./run.ts";
import type { PythonEnvironments } from "../python-environment.ts";
import { type EsteiraCall, readEsteiraCalls } from "../python-source.ts";
import { logsToMlflow, writeStepContext } from "../step-context.ts";

const LONGEST_RAISED = 300;

/** `python: src/clean.py` and what belongs to it. */
export interface PythonDeclaration {
  readonly python: string;
  readonly args?: readonly string[] | undefined;
  readonly requirements?: string | undefined;
  readonly inputs?: readonly string[] | undefined;
  readonly makes?: AssetKind | undefined;
  readonly files?: string | readonly string[] | undefined;
  readonly contract?: string | undefined;
  readonly tests?: string | undefined;
  readonly quarantine?:
    | { readonly max_rows?: number | undefined; readonly max_percent?: number | undefined }
    | undefined;
}

/** What is known of the contract that a step of another module names; `data` knows contracts. */
export interface StepContracts {
  problems(contract: string, context: AnalysisContext): Promise<readonly Problem[]>;
  /** The datasets that its rows refer to. */
  inputs(contract: string, context: AnalysisContext): Promise<readonly StepInput[]>;
  /** One phrase for `esteira plan`. */
  describe(contract: string, context: AnalysisContext): Promise<string | undefined>;
}

/** What is known of the unit tests that a step of another module names; `data` knows rows. */
export interface StepTests {
  problems(
    of: { readonly tests: string; readonly reads: readonly string[] },
    context: AnalysisContext,
  ): Promise<{ readonly found: readonly object[]; readonly problems: readonly Problem[] }>;
}

export const pythonSchema: z.ZodType<PythonDeclaration> = z.strictObject({
  python: z.string().min(1).describe("The script, project-relative."),
  args: z.array(z.string()).optional().describe("Arguments of the script."),
  requirements: z
    .string()
    .optional()
    .describe("Requirements file of the script's environment; default: the standard library alone."),
  inputs: z.array(z.string()).optional().describe('Assets it reads, beside those in esteira.input("…").'),
  makes: z
    .enum(["data", "features", "model", "code", "report"])
    .optional()
    .describe("What the step makes, under its own name: esteira.output(STEP)."),
  files: otherFiles,
  contract: z
    .string()
    .min(1)
    .optional()
    .describe("With makes: data or features: data contract (ODCS 3.1) that every row must satisfy."),
  tests: z
    .string()
    .min(1)
    .optional()
    .describe(
      "With makes: data or features: unit tests of the script, a file of given rows and expected rows, for `esteira test`.",
    ),
  quarantine: z
    .strictObject({ max_rows: z.number().int().min(0).optional(), max_percent: z.number().min(0).max(100).optional() })
    .optional()
    .describe("Beyond these limits nothing is published."),
});

/**
 * Steps that run a Python script in a locked environment. Its inputs are the `esteira.input("…")` calls of the script.
 */
export function createPythonKind(deps: {
  readonly environments: PythonEnvironments;
  readonly contracts: StepContracts;
  readonly tests: StepTests;
}): StepKind<PythonDeclaration> {
  return {
    name: "python",
    load: "code",
    schema: pythonSchema,
    describe: ({ python, args }) => `python ${[python, ...(args ?? [])].join(" ")}`,
    givesOutputs: true,
    travels: true,
    workspace: () => [],
    isClosed: true,
    writesPartitions: ({ makes }) => makes === "data" || makes === "features",
    async analyse(declaration, context) {
      const analysis = await analyse(declaration, context, deps.contracts);
      const { problems } = await testsOf(declaration, analysis, { context, tests: deps.tests });
      return { ...analysis, problems: [...analysis.problems, ...problems] };
    },
    async preview(declaration, context) {
      const { contract } = declaration;
      const checked = contract === undefined ? undefined : await deps.contracts.describe(contract, context);
      const analysis = await analyse(declaration, context, deps.contracts);
      const { found } = await testsOf(declaration, analysis, { context, tests: deps.tests });
      const said = [checked, found.length === 0 ? undefined : formatQuantity(found.length, "unit test")];
      return said.filter((part) => part !== undefined).join("; ") || undefined;
    },
    execute: (attempt) => execute(attempt, deps.environments),
  };
}

async function analyse(
  declaration: PythonDeclaration,
  context: AnalysisContext,
  contracts: StepContracts,
): Promise<StepAnalysis> {
  const problems: Problem[] = [...(await contractProblems(declaration, context, contracts))];
  const { python, requirements, contract } = declaration;
  const files = [python, ...[requirements, contract].flatMap((file) => file ?? [])];
  const script = await context.readFile(declaration.python);
  if (script === undefined)
    problems.push(await missingFile(declaration.python, context, { path: ["python"], pattern: "**/*.py" }));
  if (declaration.requirements !== undefined && (await context.readFile(declaration.requirements)) === undefined) {
    problems.push(
      await missingFile(declaration.requirements, context, {
        path: ["requirements"],
        pattern: "**/*requirements*.txt",
      }),
    );
  }
  const other = await matchFiles(patternsOf(declaration.files), context);
  const imported = await findScriptImports(declaration.python, context);
  const calls = script === undefined ? [] : await readEsteiraCalls(script);
  const declared = (declaration.inputs ?? []).map((asset, index) => ({
    asset,
    role: "input",
    path: ["inputs", index],
  }));
  const inferred = inputsOfCalls(calls, {
    context,
    declared: declaration.inputs ?? [],
    place: (call) => ({ file: declaration.python, line: call.line, column: call.column }),
  });
  const read = [...declared, ...inferred.inputs];
  const referred = contract === undefined ? [] : await contracts.inputs(contract, context);
  return {
    inputs: [...read, ...referred.filter(({ asset }) => read.every((input) => input.asset !== asset))],
    makes: declaration.makes === undefined ? [] : [{ asset: context.step, kind: declaration.makes }],
    files: [...new Set([...files, ...imported, ...other.files])].sort(),
    problems: [...problems, ...other.problems, ...inferred.problems],
  };
}

/** Scripts that make rows may have unit tests. */
async function testsOf(
  { tests: file, makes }: PythonDeclaration,
  { inputs }: StepAnalysis,
  { context, tests }: { readonly context: AnalysisContext; readonly tests: StepTests },
): ReturnType<StepTests["problems"]> {
  if (file === undefined) return { found: [], problems: [] };
  if (makes === "data" || makes === "features")
    return tests.problems(
      { tests: file, reads: inputs.flatMap(({ asset, role }) => (role === "input" ? [asset] : [])) },
      context,
    );
  const message = `unit tests compare rows, and the step makes ${makes === undefined ? "nothing" : `a ${makes}`}`;
  return { found: [], problems: [{ path: ["tests"], message, hint: "Say makes: data." }] };
}

/** Rows have contracts; a model or a report has none. */
async function contractProblems(
  { contract, quarantine, makes }: PythonDeclaration,
  context: AnalysisContext,
  contracts: StepContracts,
): Promise<readonly Problem[]> {
  const isRows = makes === "data" || makes === "features";
  if (contract === undefined)
    return quarantine === undefined
      ? []
      : [
          {
            path: ["quarantine"],
            message: "there is no contract that could hold rows back",
            hint: "Name one: contract: FILE.",
          },
        ];
  if (!isRows)
    return [
      {
        path: ["contract"],
        message: `a contract is for rows, and the step makes ${makes === undefined ? "nothing" : `a ${makes}`}`,
        hint: "Say makes: data.",
      },
    ];
  return contracts.problems(contract, context);
}

function failureOf(result: ProcessResult, facts: { readonly step: string; readonly script: string }): EsteiraError {
  const { signal, endedBy, exitCode, tail = "" } = result;
  const exit = signal ?? (endedBy === "itself" ? `exit code ${exitCode}` : endedBy);
  return pythonFailed({ ...facts, exit, raised: raisedIn(tail) });
}

/**
 * The line of a traceback that says what was raised, or nothing: the last one that stands at the margin below an
 * indented one. Clients write lines of their own after it.
 */
export function raisedIn(output: string): string {
  const lines = output.split("\n");
  const found = lines.findLast(
    (line, at) => /^[A-Za-z_][\w.]*(?::|$)/.test(line.trimEnd()) && /^\s+\S/.test(lines[at - 1] ?? ""),
  );
  const line = found?.trimEnd() ?? "";
  return line.length > LONGEST_RAISED ? `${line.slice(0, LONGEST_RAISED)}…` : line;
}

/** The inputs that a source reads with `esteira.input("…")`, and what is wrong with those calls. */
export function inputsOfCalls(
  calls: readonly EsteiraCall[],
  options: {
    readonly context: AnalysisContext;
    readonly declared: readonly string[];
    readonly place: (call: EsteiraCall) => NonNullable<Problem["at"]>;
  },
): { readonly inputs: readonly StepInput[]; readonly problems: readonly Problem[] } {
  const inputs = new Map<string, StepInput>();
  const problems: Problem[] = [];
  for (const call of calls) {
    if (call.function !== "input") continue;
    if (call.argument === undefined) {
      if (options.declared.length > 0) continue;
      problems.push({
        path: [],
        at: options.place(call),
        message:
          "esteira.input(…) is called with something else than a plain string, so what the step reads cannot be known",
        hint: "Name the asset in quotes, or list what the step reads in `inputs`.",
      });
    } else if (!options.declared.includes(call.argument) && !options.context.knownAssets.has(call.argument)) {
      const nearest = nearestName(call.argument, options.context.knownAssets.keys());
      problems.push({
        path: [],
        at: options.place(call),
        isMissed: true,
        message: `esteira.input("${call.argument}"): no step makes "${call.argument}"`,
        hint:
          nearest === undefined
            ? options.context.knownAssets.size === 0
              ? "The project makes no assets yet."
              : `Assets: ${[...options.context.knownAssets.keys()].join(", ")}.`
            : `Did you mean "${nearest}"?`,
      });
    } else if (!options.declared.includes(call.argument)) {
      inputs.set(call.argument, { asset: call.argument, role: "input", path: [] });
    }
  }
  return { inputs: [...inputs.values()], problems };
}

async function execute(
  attempt: AttemptContext<PythonDeclaration>,
  environments: PythonEnvironments,
): Promise<StepOutcome> {
  const { python: script, args = [], requirements, makes } = attempt.declaration;
  const environment = await environments.prepare({
    requirements: requirements === undefined ? "" : await readProjectFile(attempt, requirements),
    requirementsFile: requirements ?? `step ${attempt.step}`,
    signal: attempt.signal,
    report: (line) => attempt.log(line),
  });
  const context = await writeStepContext(attempt, attempt.params);
  if (makes === "model" || logsToMlflow(environment.lock)) await attempt.trackingRun();
  const result = await attempt.runProcess({
    command: [environment.python, resolve(attempt.projectFolder, script), ...args],
    workingFolder: attempt.projectFolder,
    environment: context.environment,
    outputFile: context.outputFile,
    readable: [...context.folders, ...environment.folders],
    takes: [context.outputFolder],
  });
  if (result.exitCode !== 0) throw failureOf(result, { step: attempt.step, script });
  const published =
    makes === undefined
      ? undefined
      : await publishOutput(attempt, {
          kind: makes,
          outputFolder: context.outputFolder,
          environmentLock: environment.lockDigest,
          options: lockOf(environment),
        });
  return {
    status: "succeeded",
    made: published?.made ?? [],
    environmentLock: environment.lockDigest,
    outputs: result.outputs,
    facts: {
      environmentLock: environment.lockDigest,
      ...(result.peakMemoryBytes === undefined ? {} : { peakMemoryBytes: result.peakMemoryBytes }),
      ...published?.facts,
    },
    ...(published?.alsoWrite === undefined ? {} : { alsoWrite: published.alsoWrite }),
  };
}

async function readProjectFile(attempt: AttemptContext<unknown>, path: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return readFile(resolve(attempt.projectFolder, path), "utf8");
}

/** What an environment holds, as the record of what was made in it has it. */
export function lockOf({ lock, wheels }: PythonEnvironment): Readonly<Record<string, Json>> {
  return { lock, ...(wheels === undefined ? {} : { wheels: { ...wheels } }) };
}

/**
 * Takes what a process left in `<outputFolder>/<step>` as the asset that the step makes.
 *
 * @throws EXECUTORS_OUTPUT_MISSING when it left nothing there; what the storage of the kind throws
 */
export async function publishOutput(
  attempt: AttemptContext<unknown>,
  output: {
    readonly kind: AssetKind;
    readonly outputFolder: string;
    readonly environmentLock: string;
    readonly options?: Readonly<Record<string, Json>>;
    readonly alsoMadeFrom?: MadeVersion["alsoMadeFrom"];
  },
): Promise<{
  readonly made: readonly MadeVersion[];
  readonly facts: Readonly<Record<string, number>>;
  readonly alsoWrite?: (transaction: WriteTransaction) => Promise<void>;
}> {
  const folder = join(output.outputFolder, attempt.step);
  const left = await readdir(output.outputFolder);
  const isEmpty = !left.includes(attempt.step) || (await readdir(folder)).length === 0;
  // A model may lie where the step logged it: its storage looks there, into this folder. What was written under another
  // name is a slip.
  if (isEmpty && output.kind === "model" && left.every((name) => name === attempt.step))
    await mkdir(folder, { recursive: true });
  else if (isEmpty)
    throw outputMissing({ step: attempt.step, kind: output.kind, left, nearest: nearestName(attempt.step, left) });
  const { made, facts, alsoWrite } = await attempt.publish({
    asset: attempt.step,
    kind: output.kind,
    folder,
    options: { environmentLock: output.environmentLock, ...output.options },
  });
  const alsoMadeFrom = [...(made.alsoMadeFrom ?? []), ...(output.alsoMadeFrom ?? [])];
  return {
    made: [{ ...made, ...(alsoMadeFrom.length === 0 ? {} : { alsoMadeFrom }) }],
    facts: facts ?? {},
    ...(alsoWrite === undefined ? {} : { alsoWrite }),
  };
}
