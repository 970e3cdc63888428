import { z } from "zod";
import { ASSET_KINDS } from "#pipeline";
import type { AnalysisContext, Problem, StepAnalysis, StepKind } from "#pipeline";
import { findCommandScripts } from "../script-imports.ts";
import { type CommandOptions, inputsOf, madeBy, makesOf, problemsOf, runCommand } from "./command.ts";

/** `run: npm test` and what belongs to it. */
export interface RunDeclaration extends CommandOptions {
  readonly run: string | readonly string[];
  readonly files?: string | readonly string[] | undefined;
}

const folder = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith("/") && !path.split("/").includes(".."), {
    error: "expected a folder inside the project",
  });

/** Keys that every kind has whose command the user writes. */
export const commandShape = {
  makes: z
    .partialRecord(z.enum(ASSET_KINDS), folder)
    .optional()
    .describe("What the step makes, under its own name: asset kind and the folder that holds it afterwards."),
  report: z
    .string()
    .optional()
    .describe("JUnit report that the command writes: its counts are shown with the step run."),
  unreliable: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      "Tests of the report that may fail, by the names that it shows (`suite › test`), `*` for any characters: a command that fails for nothing else has succeeded, and what failed is told.",
    ),
  inputs: z
    .array(z.string())
    .optional()
    .describe("Assets it reads; where they are is in the file that ESTEIRA_CONTEXT names."),
  folder: folder.optional().describe("Working folder; default the project's."),
  sandbox: z.boolean().optional().describe("The same as `isolation: sandbox`."),
} as const;

const schema: z.ZodType<RunDeclaration> = z.strictObject({
  run: z
    .union([z.string().min(1), z.array(z.string()).min(1)])
    .describe("A shell line that stops at the first error, or a program with its arguments."),
  files: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("Everything the command reads, as globs: its result is then reused while none of them changes."),
  ...commandShape,
});

/** Steps that run any command. They run every time, unless `files` says all that they read. */
export function createRunKind(): StepKind<RunDeclaration> {
  return {
    name: "run",
    load: "code",
    schema,
    shellKeys: ["run"],
    describe: ({ run }) => (typeof run === "string" ? (run.trim().split("\n")[0] ?? "") : run.join(" ")),
    givesOutputs: true,
    travels: true,
    workspace: madeBy,
    analyse,
    execute: (attempt) => {
      const { run } = attempt.declaration;
      return runCommand(
        attempt,
        typeof run === "string" ? { shell: run } : (run as [string, ...string[]]),
        attempt.declaration,
      );
    },
  };
}

async function analyse(declaration: RunDeclaration, context: AnalysisContext): Promise<StepAnalysis> {
  const patterns = patternsOf(declaration.files);
  const { files, problems } = await matchFiles(patterns, context);
  const scripts =
    patterns.length === 0 ? [] : await findCommandScripts(declaration.run, declaration.folder ?? "", context);
  return {
    inputs: inputsOf(declaration.inputs),
    makes: makesOf(context.step, declaration.makes),
    files: [...new Set([...files, ...scripts])].sort(),
    cacheable: patterns.length > 0,
    problems: [...problems, ...problemsOf(declaration)],
  };
}

/** Of kinds whose own source says what they import. */
export const otherFiles: z.ZodType<string | readonly string[] | undefined> = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .describe(
    "Other files of the project that it reads, as globs, or imports under a name that is computed. What it imports by name is found by itself.",
  );

export function patternsOf(files: string | readonly string[] | undefined): readonly string[] {
  return files === undefined ? [] : typeof files === "string" ? [files] : files;
}

/** The files that globs name; a glob that names none is a mistake. */
export async function matchFiles(
  patterns: readonly string[],
  context: AnalysisContext,
): Promise<{ readonly files: readonly string[]; readonly problems: readonly Problem[] }> {
  const files = new Set<string>();
  const problems: Problem[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const matched = await context.glob(pattern);
    if (matched.length === 0)
      problems.push({
        path: ["files", ...(patterns.length === 1 ? [] : [index])],
        message: `no file of the project matches "${pattern}"`,
        hint: "Paths are relative to the folder of esteira.yaml.",
      });
    for (const file of matched) files.add(file);
  }
  return { files: [...files].sort(), problems };
}
