import type { findWorkflows } from "#app";

type FoundWorkflow = Awaited<ReturnType<typeof findWorkflows>>[number];

/** A workflow as machines read it. */
export function printable(found: FoundWorkflow): object {
  const { file, name, title, state, events, jobs, problems, leftOut, warnings, missing } = found;
  return {
    file,
    name,
    title,
    state,
    events,
    jobs,
    problems: problems.map(told),
    left_out: leftOut.map(told),
    warnings: warnings.map(told),
    missing,
  };
}

/** What people are told of a problem, without what only the check knows. */
function told({ file, line, column, message, hint }: FoundWorkflow["problems"][number]): object {
  return { file, line, column, message, ...(hint === undefined ? {} : { hint }) };
}

/** By the file, its last part, or the pipeline's name. */
export function isCalled({ file, name }: FoundWorkflow, wanted: string): boolean {
  return file === wanted || file.split("/").at(-1) === wanted || name === wanted || file.endsWith(`/${wanted}`);
}
