import { posix } from "node:path";
import { type Digest, isEsteiraError, type Json } from "#base";
import { findImportedFiles, inputsOfCalls, matchFiles, patternsOf, readEsteiraCalls } from "#executors";
import { type AnalysisContext, missingFile, type Problem, type StepAnalysis, type StepInput } from "#pipeline";
import type { NotebookDeclaration } from "./notebook-kind.ts";
import { type Notebook, parseNotebook } from "./notebook.ts";
import { checkParameters, type ParameterProblem, readParameters } from "./parameters.ts";
import { scanNotebook } from "./secret-scan.ts";
import { digestOfNotebook, sourceCells, strippedNotebook } from "./source-digest.ts";
import { positionInFile } from "./source-position.ts";

/** What a notebook step reads and makes, and every mistake that shows without a kernel. */
export async function analyseNotebook(
  declaration: NotebookDeclaration,
  context: AnalysisContext,
): Promise<StepAnalysis> {
  const { python, inputs: declared = [] } = declaration;
  const problems: Problem[] = [];
  if (python !== undefined && (await context.readFile(python)) === undefined)
    problems.push(await missingFile(python, context, { path: ["python"], pattern: "**/*requirements*.txt" }));
  const understood = await readAndUnderstand(declaration, context);
  const other = await matchFiles(patternsOf(declaration.files), context);
  problems.push(...other.problems);
  return {
    inputs: [
      ...declared.map((asset, index) => ({ asset, role: "input", path: ["inputs", index] })),
      ...understood.inputs,
    ],
    makes: declaration.makes === undefined ? [] : [{ asset: context.step, kind: declaration.makes }],
    files: [...new Set([...(python === undefined ? [] : [python]), ...understood.imported, ...other.files])].sort(),
    // Not the file: its outputs and execution counts change without changing what the step does.
    counted: understood.source === undefined ? {} : { [declaration.notebook]: understood.source },
    earlierFingerprint: { notebook: understood.digest ?? null },
    problems: [...problems, ...understood.problems],
  };
}

interface Understood {
  /** Undefined when the file is no notebook. */
  readonly digest?: Digest;
  readonly source: string | undefined;
  readonly inputs: readonly StepInput[];
  /** Files of the project that its cells import. */
  readonly imported: readonly string[];
  readonly problems: readonly Problem[];
}

async function readAndUnderstand(declaration: NotebookDeclaration, context: AnalysisContext): Promise<Understood> {
  const text = await context.readFile(declaration.notebook);
  const read =
    text === undefined
      ? await missingFile(declaration.notebook, context, { path: ["notebook"], pattern: "**/*.ipynb" })
      : parse(text, declaration.notebook);
  return text === undefined || "message" in read
    ? { source: undefined, inputs: [], imported: [], problems: [read as Problem] }
    : understand(text, read, declaration, context);
}

function parse(text: string, file: string): Notebook | Problem {
  try {
    const notebook = parseNotebook(text, file);
    if (notebook.language.toLowerCase() === "python") return notebook;
    return {
      path: ["notebook"],
      message: `${file} is written in ${notebook.language}; notebook steps run Python kernels`,
      hint: "Rewrite it for a Python kernel, or call its language from a `run` step.",
    };
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
    const { line, column } = error.context as { readonly line?: number; readonly column?: number };
    return {
      path: ["notebook"],
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(line === undefined || column === undefined ? {} : { at: { file, line, column } }),
    };
  }
}

async function understand(
  text: string,
  notebook: Notebook,
  declaration: NotebookDeclaration,
  context: AnalysisContext,
): Promise<Understood> {
  const file = declaration.notebook;
  const place = (cellIndex: number, line: number, column?: number): NonNullable<Problem["at"]> => ({
    file,
    ...positionInFile(text, cellIndex, line, column),
  });
  const parameters = await readParameters(notebook);
  const given: Readonly<Record<string, Json>> = declaration.params ?? {};
  const problems: Problem[] = [...parameters.problems, ...checkParameters(parameters, given)].map((problem) =>
    toProblem(problem, file, place),
  );
  for (const finding of scanNotebook(notebook, "lint")) {
    if (finding.channel === "output" || finding.cellIndex === undefined) continue;
    problems.push({
      path: ["notebook"],
      at: place(finding.cellIndex, finding.line, finding.column),
      message: `cell ${finding.cellIndex + 1} holds ${finding.description} (rule ${finding.rule}) in its ${finding.channel}`,
      hint: 'Remove it, revoke it, and give it by reference: params: { NAME: "secret:NAME" }. If it is none, tag the cell "not-a-secret".',
    });
  }
  const inputs = new Map<string, StepInput>();
  for (const cell of sourceCells(notebook)) {
    if (cell.type !== "code") continue;
    const read = inputsOfCalls(await readEsteiraCalls(cell.source), {
      context,
      declared: declaration.inputs ?? [],
      place: (call) => place(cell.index, call.line, call.column),
    });
    for (const input of read.inputs) inputs.set(input.asset, input);
    problems.push(...read.problems);
  }
  const folder = posix.dirname(file);
  const imported = await findImportedFiles({ text: codeOf(notebook), folder: folder === "." ? "" : folder }, context);
  return {
    digest: digestOfNotebook(notebook),
    source: strippedNotebook(notebook),
    inputs: [...inputs.values()],
    imported,
    problems,
  };
}

/** The cells one below the other, as they run. */
function codeOf(notebook: Notebook): string {
  return sourceCells(notebook)
    .flatMap(({ type, source }) => (type === "code" ? [source] : []))
    .join("\n");
}

function toProblem(
  problem: ParameterProblem,
  file: string,
  place: (cellIndex: number, line: number) => NonNullable<Problem["at"]>,
): Problem {
  const hint = problem.hint === undefined ? {} : { hint: problem.hint };
  if (problem.place !== undefined)
    return {
      path: ["notebook"],
      at: place(problem.place.cellIndex, problem.place.line),
      message: problem.message,
      ...hint,
    };
  return {
    path: problem.given === undefined ? ["notebook"] : ["params", problem.given],
    message: `${file}: ${problem.message}`,
    ...hint,
  };
}
