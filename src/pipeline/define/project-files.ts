import { glob, readFile } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";

const IGNORED: ReadonlySet<string> = new Set([".git", ".esteira", "node_modules"]);

/** Files of a project, read-only; paths are project-relative with `/` and never leave the project. */
export interface ProjectFiles {
  readonly folder: string;
  /** Undefined when there is no such file, or the path leads out of the project. */
  readFile(path: string): Promise<string | undefined>;
  readBytes(path: string): Promise<Buffer | undefined>;
  /** Paths of the files that match, sorted. */
  glob(pattern: string): Promise<readonly string[]>;
}

export function createProjectFiles(folder: string): ProjectFiles {
  const root = resolve(folder);

  async function readBytes(path: string): Promise<Buffer | undefined> {
    const absolute = resolve(root, path);
    if (isAbsolute(path) || !absolute.startsWith(root + sep)) return undefined;
    try {
      return await readFile(absolute);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // A folder is not a file; anything else (permissions, a broken disk) is not "not found".
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
      throw error;
    }
  }

  return {
    folder: root,
    readBytes,
    readFile: async (path) => (await readBytes(path))?.toString("utf8"),
    async glob(pattern) {
      const found: string[] = [];
      const entries = glob(pattern, { cwd: root, withFileTypes: true, exclude: (entry) => IGNORED.has(entry.name) });
      for await (const entry of entries) {
        if (entry.isDirectory()) continue;
        const path = relative(root, resolve(entry.parentPath, entry.name)).split(sep).join("/");
        if (!path.startsWith("../")) found.push(path);
      }
      return found.sort();
    },
  };
}
