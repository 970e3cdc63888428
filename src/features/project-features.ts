import { glob, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { readFeatureDefinitions } from "./feature-definitions.ts";

/** Reads `features/**\/*.yaml` of a project; none is no mistake. */
export async function readProjectFeatures(projectFolder: string): Promise<ReturnType<typeof readFeatureDefinitions>> {
  const paths: string[] = [];
  for await (const path of glob("features/**/*.yaml", { cwd: projectFolder })) paths.push(path.split(sep).join("/"));
  const files = await Promise.all(
    paths.sort().map(async (path) => ({ path, text: await readFile(join(projectFolder, path), "utf8") })),
  );
  return readFeatureDefinitions(files);
}
