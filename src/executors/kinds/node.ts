import { resolve } from "node:path";
import { z } from "zod";
import { type AnalysisContext, missingFile, type Problem, type StepAnalysis, type StepKind } from "#pipeline";
import { type CommandOptions, inputsOf, madeBy, makesOf, problemsOf, runCommand } from "./command.ts";
import { findScriptImports } from "../script-imports.ts";
import { commandShape, matchFiles, patternsOf } from "./run.ts";

/** `node: scripts/build.ts` and what belongs to it. */
export interface NodeDeclaration extends CommandOptions {
  readonly node: string;
  readonly args?: readonly string[] | undefined;
  readonly files?: string | readonly string[] | undefined;
}

const schema: z.ZodType<NodeDeclaration> = z.strictObject({
  node: z.string().min(1).describe("The script, project-relative; TypeScript runs as it is."),
  args: z.array(z.string()).optional().describe("Arguments of the script."),
  files: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("Everything else that the script reads, as globs: its result is then reused while none of them changes."),
  ...commandShape,
});

/**
 * Steps that run a script with the Node that runs the platform. They run every time, unless `files` says all that they
 * read.
 */
export function createNodeKind(): StepKind<NodeDeclaration> {
  return {
    name: "node",
    load: "code",
    schema,
    describe: ({ node, args }) => ["node", node, ...(args ?? [])].join(" "),
    givesOutputs: true,
    travels: true,
    workspace: madeBy,
    analyse,
    execute: (attempt) => {
      const { node, args = [] } = attempt.declaration;
      return runCommand(
        attempt,
        [process.execPath, resolve(attempt.projectFolder, node), ...args],
        attempt.declaration,
      );
    },
  };
}

async function analyse(declaration: NodeDeclaration, context: AnalysisContext): Promise<StepAnalysis> {
  const problems: Problem[] = [];
  if ((await context.readFile(declaration.node)) === undefined) {
    const pattern = "**/*.{js,mjs,cjs,ts,mts}";
    problems.push(await missingFile(declaration.node, context, { path: ["node"], pattern }));
  }
  const patterns = patternsOf(declaration.files);
  const matched = await matchFiles(patterns, context);
  return {
    inputs: inputsOf(declaration.inputs),
    makes: makesOf(context.step, declaration.makes),
    files: [
      ...new Set([declaration.node, ...(await findScriptImports(declaration.node, context)), ...matched.files]),
    ].sort(),
    cacheable: patterns.length > 0,
    problems: [...problems, ...matched.problems, ...problemsOf(declaration)],
  };
}
