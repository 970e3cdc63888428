import type { findWorkflows } from "#app";

type FoundWorkflow = Awaited<ReturnType<typeof findWorkflows>>[number];

/** A workflow as machines read it. */
export function printable({ file, name, title, state, events, jobs, problems, warnings }: FoundWorkflow): object {
  return { file, name, title, state, events, jobs, problems, warnings };
}

/** By the file, its last part, or the pipeline's name. */
export function isCalled({ file, name }: FoundWorkflow, wanted: string): boolean {
  return file === wanted || file.split("/").at(-1) === wanted || name === wanted || file.endsWith(`/${wanted}`);
}
