import { createProjectFiles, type ProjectFiles } from "#pipeline";
import { readFeatureDefinitions } from "./feature-definitions.ts";

/** Reads `features/**\/*.yaml` of a project; none is no mistake. */
export async function readProjectFeatures(
  projectFolder: string,
  files: ProjectFiles = createProjectFiles(projectFolder),
): Promise<ReturnType<typeof readFeatureDefinitions>> {
  const paths = await files.glob("features/**/*.yaml");
  const texts = paths.map(async (path) => ({ path, text: (await files.readFile(path)) ?? "" }));
  return readFeatureDefinitions(await Promise.all(texts));
}
