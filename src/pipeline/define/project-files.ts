import { glob, readFile, realpath } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import type { LocatedProblem } from "#base";
import { fileOutside } from "../errors.ts";

const IGNORED: ReadonlySet<string> = new Set([".git", ".esteira", "node_modules"]);
/** Never read, by whatever name: what git and the platform keep. */
const CLOSED: ReadonlySet<string> = new Set([".git", ".esteira"]);

/**
 * Files of a project, read-only; paths are project-relative with `/` and never leave the project, nor by a link: who
 * may push a link may not read what the engine may.
 */
export interface ProjectFiles {
  readonly folder: string;
  /** Undefined when there is no such file, or the path leads out of the project. */
  readFile(path: string): Promise<string | undefined>;
  readBytes(path: string): Promise<Buffer | undefined>;
  /** Paths of the files that match, sorted. */
  glob(pattern: string): Promise<readonly string[]>;
  /** Links that were met and not followed, as mistakes of the project. */
  problems(): readonly LocatedProblem[];
}

/**
 * @param original of a copy of a project in which some files are links to the project's own: that project's folder. A
 *   link that leads to the file of the same path there is that file
 */
export function createProjectFiles(folder: string, original?: string): ProjectFiles {
  const root = resolve(folder);
  const refused = new Map<string, string>();
  const folders = new Map<string, Promise<boolean>>();

  /** Absolute path without links; undefined where it leads out. */
  async function follow(path: string): Promise<string | undefined> {
    const absolute = resolve(root, path);
    if (isAbsolute(path) || !absolute.startsWith(root + sep)) return undefined;
    const real = await realpath(absolute);
    if (isInside(real, await realpath(root)) || (await isOriginal(path, real))) return real;
    refused.set(path, real);
    return undefined;
  }

  async function isOriginal(path: string, real: string): Promise<boolean> {
    if (original === undefined) return false;
    const [own, whole] = await Promise.all([realpath(resolve(original, path)).catch(() => ""), realpath(original)]);
    return own === real && isInside(real, whole);
  }

  async function readBytes(path: string): Promise<Buffer | undefined> {
    try {
      const real = await follow(path);
      return real === undefined ? undefined : await readFile(real);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** A folder is looked at once: only its own files may be links besides. */
  const isOwnFolder = (path: string): Promise<boolean> => {
    const known = folders.get(path) ?? (path === "." ? Promise.resolve(true) : isOwn(path));
    folders.set(path, known);
    return known;
  };
  const isOwn = (path: string): Promise<boolean> =>
    follow(path).then(
      (real) => real !== undefined,
      () => false,
    );

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
        if (path.startsWith("../") || !(await isOwnFolder(dirname(path)))) continue;
        if (!entry.isSymbolicLink() || (await isOwn(path))) found.push(path);
      }
      return found.sort();
    },
    problems: () =>
      [...refused].map(([file, target]) => ({
        file,
        line: 1,
        column: 1,
        message: `This leads to ${target}, which is no file of the project: it is not read`,
        hint: "Put the file itself where the link is.",
      })),
  };
}

/**
 * Reads one file of a project.
 *
 * @param path project-relative
 * @throws PIPELINE_FILE_OUTSIDE, and what the file system says
 */
export async function readProjectFile(folder: string, path: string): Promise<string> {
  const [real, root] = await Promise.all([realpath(resolve(folder, path)), realpath(folder)]);
  if (!isInside(real, root)) throw fileOutside({ file: path, target: real });
  return readFile(real, "utf8");
}

function isInside(real: string, root: string): boolean {
  if (!real.startsWith(root + sep)) return false;
  return !real
    .slice(root.length + 1)
    .split(sep)
    .some((name) => CLOSED.has(name));
}

const MISSING: readonly unknown[] = ["ENOENT", "ENOTDIR", "EISDIR", "ELOOP"];

function isMissing(error: unknown): boolean {
  // A folder is not a file; anything else (permissions, a broken disk) is not "not found".
  return error instanceof Error && "code" in error && MISSING.includes(error.code);
}
