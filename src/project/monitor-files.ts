import { createProjectFiles, type ProjectFiles } from "#pipeline";

/** Content of the project's monitor files, by project-relative path; empty without a folder `monitors`. */
export async function readMonitorFiles(
  projectFolder: string,
  files: ProjectFiles = createProjectFiles(projectFolder),
): Promise<ReadonlyMap<string, string>> {
  const paths = await files.glob("monitors/*.{yaml,yml}");
  return new Map(await Promise.all(paths.map(async (path) => [path, (await files.readFile(path)) ?? ""] as const)));
}
