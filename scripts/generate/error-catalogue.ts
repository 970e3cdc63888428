import { glob, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { definedErrors } from "#base";

/** docs/reference/errors.md: every error code with its status and cure. */
export async function generateErrorCatalogue(): Promise<ReadonlyMap<string, string>> {
  const root = resolve(import.meta.dirname, "../..");
  for await (const file of glob("src/**/*.ts", { cwd: root })) {
    const definesErrors = /= defineError\(/.test(await readFile(resolve(root, file), "utf8"));
    if (definesErrors) await import(resolve(root, file));
  }
  const rows = [...definedErrors()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, { status, solve }]) => `| \`${code}\` | ${status} | ${solve.replaceAll("|", "\\|")} |`);
  const text = [
    "<!-- Made by scripts/generate.ts -->",
    "# Errors",
    "",
    'Every error has a code, an HTTP status, a message with the facts and a hint. The API answers `{ "error": { code, message, hint, kind, context } }`; `--json` prints the same.',
    "",
    "| code | status | how to solve |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
  return new Map([["docs/reference/errors.md", text]]);
}
