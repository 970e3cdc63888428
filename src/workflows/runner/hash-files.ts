import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { join, matchesGlob } from "node:path";

/** Digest of the files that match, as GitHub makes it: of the digests of each. Empty when none does. */
export function hashFiles(workspace: string, patterns: readonly string[]): string {
  const files = findFiles(workspace, patterns);
  if (files.length === 0) return "";
  const whole = createHash("sha256");
  for (const file of files)
    whole.update(
      createHash("sha256")
        .update(readFileSync(join(workspace, file)))
        .digest(),
    );
  return whole.digest("hex");
}

/** Files below a folder that match a list of patterns, one a line; one with `!` takes back. Sorted. */
export function findFiles(folder: string, patterns: readonly string[]): readonly string[] {
  const lines = patterns
    .flatMap((pattern) => pattern.split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const found = new Set<string>();
  for (const line of lines) {
    if (line.startsWith("!")) {
      const taken = relativePattern(folder, line.slice(1));
      for (const file of found) if (matchesGlob(file, taken) || file.startsWith(`${taken}/`)) found.delete(file);
      continue;
    }
    const pattern = relativePattern(folder, line);
    if (pattern.startsWith("../") || pattern.startsWith("/")) continue;
    for (const file of globSync(pattern === "" ? "**" : pattern, { cwd: folder }))
      for (const one of filesAt(folder, file)) found.add(one);
  }
  return [...found].toSorted();
}

function relativePattern(folder: string, pattern: string): string {
  const below = pattern.startsWith(`${folder}/`) ? pattern.slice(folder.length + 1) : pattern;
  return below.replace(/^\.\//, "").replace(/\/$/, "").replace(/^\.$/, "");
}

/** A folder stands for all files in it. */
function filesAt(folder: string, path: string): readonly string[] {
  const found = statSync(join(folder, path), { throwIfNoEntry: false });
  if (found?.isFile() === true) return [path];
  if (found?.isDirectory() !== true) return [];
  return globSync("**", { cwd: join(folder, path) })
    .map((inside) => join(path, inside))
    .filter((inside) => statSync(join(folder, inside), { throwIfNoEntry: false })?.isFile() === true);
}
