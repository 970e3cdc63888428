import { posix } from "node:path";
import { findImportedFiles, type SourceReader } from "./python-imports.ts";

const SCRIPT = /\.(?:py|m?[jt]s|c[jt]s)$/;
const EXTENSIONS = ["", ".js", ".mjs", ".cjs", ".ts", ".mts", ".json", "/index.js", "/index.mjs", "/index.ts"] as const;
/**
 * `import … from "./a"`, `export … from "./a"`, `import("./a")`, `require("./a")`, `new URL("./a", import.meta.url)`.
 */
const RELATIVE = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\bnew\s+URL\s*\(\s*)["'](\.{1,2}\/[^"'\n]*)["']/g;

/**
 * The project's files that a script imports, directly and through others, sorted; the script itself is not among them.
 *
 * @param script project-relative; Python and JavaScript (or TypeScript) are understood, anything else imports nothing
 */
export async function findScriptImports(script: string, reader: SourceReader): Promise<readonly string[]> {
  const text = SCRIPT.test(script) ? await reader.readFile(script) : undefined;
  if (text === undefined) return [];
  const folder = posix.dirname(script);
  if (script.endsWith(".py"))
    return (await findImportedFiles({ text, folder: folder === "." ? "" : folder }, reader)).filter(
      (file) => file !== script,
    );
  const found = new Set<string>();
  const waiting: { readonly path: string; readonly text: string }[] = [{ path: posix.normalize(script), text }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    for (const [, specifier = ""] of next.text.matchAll(RELATIVE)) {
      const imported = await resolve(posix.join(posix.dirname(next.path), specifier.replace(/[?#].*$/, "")), reader);
      if (imported === undefined || found.has(imported.path) || imported.path === posix.normalize(script)) continue;
      found.add(imported.path);
      if (SCRIPT.test(imported.path)) waiting.push(imported);
    }
  }
  return [...found].sort();
}

async function resolve(
  path: string,
  reader: SourceReader,
): Promise<{ readonly path: string; readonly text: string } | undefined> {
  for (const extension of EXTENSIONS) {
    const text = await reader.readFile(path + extension);
    if (text !== undefined) return { path: path + extension, text };
  }
  return undefined;
}

/** Files of the project that a command line names and whose imports can be followed, with what they import. */
export async function findCommandScripts(
  words: string | readonly string[],
  folder: string,
  reader: SourceReader,
): Promise<readonly string[]> {
  const named = (typeof words === "string" ? words.split(/[\s;&|()<>"'=]+/) : words).filter(
    (word) => SCRIPT.test(word) && !word.startsWith("/"),
  );
  const files = new Set<string>();
  for (const word of named) {
    const path = posix.join(folder, word);
    if ((await reader.readFile(path)) === undefined) continue;
    files.add(path);
    for (const file of await findScriptImports(path, reader)) files.add(file);
  }
  return [...files].sort();
}
