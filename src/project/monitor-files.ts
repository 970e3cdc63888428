import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const FOLDER = "monitors";

/** Content of the project's monitor files, by project-relative path; empty without a folder `monitors`. */
export async function readMonitorFiles(projectFolder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(join(projectFolder, FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  return new Map(
    await Promise.all(
      files.map(
        async (name) => [`${FOLDER}/${name}`, await readFile(join(projectFolder, FOLDER, name), "utf8")] as const,
      ),
    ),
  );
}
