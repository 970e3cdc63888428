import type { LocatedProblem } from "#base";
import { readContract, readDashboard } from "#data";
import { readProjectFeatures } from "#features";
import { readMonitorDeclarations } from "#monitoring";
import { createProjectFiles, type LoadedProject, type ProjectFiles } from "#pipeline";
import { readMonitorFiles } from "./monitor-files.ts";

/**
 * Mistakes in the files beside the pipelines: monitors, features, dashboards and contracts, whether a step uses them or
 * not.
 */
export async function findProjectProblems(
  projectFolder: string,
  routes?: readonly string[],
): Promise<readonly LocatedProblem[]> {
  const files = createProjectFiles(projectFolder);
  const [monitors, features, dashboards, contracts] = await Promise.all([
    readMonitorFiles(projectFolder, files),
    readProjectFeatures(projectFolder, files),
    readFiles(files, "dashboards"),
    readFiles(files, "contracts"),
  ]);
  return [
    ...files.problems(),
    ...readMonitorDeclarations(monitors, routes).problems,
    ...features.problems,
    ...dashboards.flatMap(({ file, text }) => readDashboard(text, file).problems),
    ...contracts.flatMap(({ file, text }) => readContract(text, file).problems),
  ];
}

/**
 * A project with more problems, in order of file and place. What a step that uses a file has said of it is not said
 * twice.
 */
export function addProblems(loaded: LoadedProject, more: readonly LocatedProblem[]): LoadedProject {
  if (more.length === 0) return loaded;
  return { ...loaded, problems: sortProblems([...loaded.problems, ...more]) };
}

export function sortProblems(problems: readonly LocatedProblem[]): readonly LocatedProblem[] {
  const byPlace = new Map(
    problems.map((problem) => [`${problem.file}:${problem.line}:${problem.column} ${problem.message}`, problem]),
  );
  return [...byPlace.values()].sort(
    (left, right) => left.file.localeCompare(right.file) || left.line - right.line || left.column - right.column,
  );
}

async function readFiles(
  files: ProjectFiles,
  folder: string,
): Promise<readonly { readonly file: string; readonly text: string }[]> {
  const paths = await files.glob(`${folder}/**/*.{yaml,yml}`);
  return Promise.all(paths.map(async (file) => ({ file, text: (await files.readFile(file)) ?? "" })));
}
