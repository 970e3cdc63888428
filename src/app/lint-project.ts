import { isEsteiraError, type LocatedProblem } from "#base";
import { findExemptProblems } from "./exempt-problems.ts";
import type { Platform } from "./platform.ts";
import { findProjectProblems, sortProblems } from "#project";

/** Every mistake of every file of the project; nothing is run or changed. */
export async function lintProject(platform: Platform): Promise<{
  readonly problems: readonly LocatedProblem[];
  /** Of workflows that do not run here, or not as their authors may think: nothing else waits for them. */
  readonly notices: readonly LocatedProblem[];
  readonly pipelines: number;
}> {
  const loaded = await platform.loadProject();
  const exempt = await findExemptProblems(platform, loaded);
  return {
    problems: sortProblems([...loaded.problems, ...exempt]),
    notices: loaded.notices,
    pipelines: loaded.pipelines.length,
  };
}

/**
 * The mistakes of a project whose `esteira.yaml` is wrong, so that it cannot be opened: those of that file and of all
 * that can be read without it.
 * Pipelines cannot: where they deploy to is what the file says.
 *
 * @returns undefined when the error says something else
 */
export async function lintWithoutConfig(
  projectFolder: string,
  error: unknown,
): Promise<readonly LocatedProblem[] | undefined> {
  if (!isEsteiraError(error, "CONFIG_PROJECT_INVALID")) return undefined;
  return sortProblems([
    ...(error.context["problems"] as readonly LocatedProblem[]),
    ...(await findProjectProblems(projectFolder)),
  ]);
}
