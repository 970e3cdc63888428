import { registerHooks } from "node:module";
import type { LocatedProblem } from "#base";

type WorkflowParser = typeof import("@actions/workflow-parser");

let loading: Promise<WorkflowParser> | undefined;

/** GitHub's own parser reads its schema with an import that plain Node refuses: the type of the file is not written. */
function load(): Promise<WorkflowParser> {
  loading ??= (async () => {
    const hooks = registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context);
        return /\/@actions\/.*\.json$/.test(found.url)
          ? { ...found, importAttributes: { ...found.importAttributes, type: "json" } }
          : found;
      },
    });
    try {
      return await import("@actions/workflow-parser");
    } finally {
      hooks.deregister();
    }
  })();
  return loading;
}

/**
 * What GitHub's own parser finds wrong with a workflow file: unknown keys, contexts and functions, edges that lead
 * nowhere.
 */
export async function findGithubProblems(file: string, text: string): Promise<readonly LocatedProblem[]> {
  const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await load();
  const parsed = parseWorkflow({ name: file, content: text }, new NoOperationTraceWriter());
  const errors = parsed.context.errors.getErrors();
  if (errors.length > 0 || parsed.value === undefined)
    return errors.map((error) => ({
      file,
      line: error.range?.start.line ?? 1,
      column: error.range?.start.column ?? 1,
      message: error.rawMessage,
    }));
  const template = await convertWorkflowTemplate(parsed.context, parsed.value, undefined, { errorPolicy: 1 });
  return (template.errors ?? []).map(({ Message: message }) => ({ file, ...placed(message) }));
}

/** `ci.yml (Line: 3, Col: 5): …` */
function placed(message: string): { readonly line: number; readonly column: number; readonly message: string } {
  const found = /\(Line: (\d+), Col: (\d+)\)\s*:?\s*/.exec(message);
  return {
    line: Number(found?.[1] ?? 1),
    column: Number(found?.[2] ?? 1),
    message: found === null ? message : message.slice(found.index + found[0].length),
  };
}
