import type { LocatedProblem } from "#base";
import type { Platform } from "./platform.ts";

/** Every mistake of every file of the project; nothing is run or changed. */
export async function lintProject(platform: Platform): Promise<{ readonly problems: readonly LocatedProblem[]; readonly pipelines: number }> {
  const loaded = await platform.loadProject();
  return { problems: loaded.problems, pipelines: loaded.pipelines.length };
}
