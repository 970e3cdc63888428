// Checks what a linter does not know: forbidden folder and file names, what every module has, marks left behind, a
// whole lock file.
import { readFileSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { basename, dirname, extname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const FORBIDDEN_NAMES = new Set([
  "utils",
  "util",
  "common",
  "helpers",
  "helper",
  "lib",
  "misc",
  "shared",
  "core",
  "types",
  "v2",
]);
const LARGEST_FILE_BYTES = 1_000_000;
const README_LINES = 25;
const COLUMNS = 120;

const { stdout } = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 64 * 2 ** 20,
});
const files = stdout.split("\n").filter((file) => file !== "" && exists(file));
const problems: string[] = [];

for (const file of files) {
  for (const part of [...dirname(file).split("/"), basename(file, extname(file))]) {
    if (FORBIDDEN_NAMES.has(part))
      problems.push(`${file}: "${part}" says nothing; name it after the noun it holds (GLOSSARY.md)`);
  }
  if (statSync(join(root, file)).size > LARGEST_FILE_BYTES)
    problems.push(`${file}: larger than 1 MB; data sets come from packages or are made by the test`);
  if (/^src\/.*\.ts$/.test(file) && !/^[a-z0-9.-]+$/.test(basename(file)))
    problems.push(`${file}: file names are kebab-case`);
}

// The formatter breaks code, not comments.
const COMMENT = /^\s*(\/\/|\/?\*)/;
for (const file of files.filter((name) => /\.(ts|tsx|mjs)$/.test(name) && name !== "src/api/schemas.ts")) {
  for (const [index, line] of readFileSync(join(root, file), "utf8").split("\n").entries()) {
    if (line.length > COLUMNS && COMMENT.test(line) && !/https?:|oxlint-/.test(line))
      problems.push(`${file}:${index + 1}: a comment of ${line.length} columns; at most ${COLUMNS}`);
  }
}

const modules = Object.keys(
  (JSON.parse(readFileSync(join(root, "modules.json"), "utf8")) as { modules: object }).modules,
);
for (const name of modules) {
  if (!files.some((file) => file.startsWith(`src/${name}/`))) continue;
  const readme = files.includes(`src/${name}/README.md`)
    ? readFileSync(join(root, `src/${name}/README.md`), "utf8")
    : undefined;
  if (readme === undefined)
    problems.push(`src/${name}: has no README.md (purpose, nouns, invariants, at most ${README_LINES} lines)`);
  else if (readme.trimEnd().split("\n").length > README_LINES)
    problems.push(`src/${name}/README.md: longer than ${README_LINES} lines`);
  for (const [, named = ""] of (readme ?? "").matchAll(
    /`((?:src|test|bench|docs|web|scripts|examples)\/[a-z0-9/-]+)`/g,
  )) {
    const folder = named.replace(/\/$/, "");
    if (!files.some((file) => file === folder || file.startsWith(`${folder}/`)))
      problems.push(`src/${name}/README.md: names ${folder}, which is not there`);
  }
  if (name !== "cli" && !files.includes(`src/${name}/index.ts`))
    problems.push(`src/${name}: has no index.ts, its only door`);
}

for (const file of files.filter(
  (name) =>
    /\.(ts|tsx|md|json|py|ya?ml|mjs|sh)$/.test(name) &&
    name !== "scripts/check-words.ts" &&
    name !== "package-lock.json",
)) {
  const text = readFileSync(join(root, file), "utf8");
  const mark = /\b(TODO|FIXME|XXX|HACK)\b(?! #\d)/.exec(text);
  if (mark !== null) problems.push(`${file}: ${mark[0]} without an issue number`);
}

// A lock file written where the registry lacks another platform's packages leaves them out, and `npm ci` then fails
// everywhere.
interface Locked {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>;
}
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Locked;
const locked = new Set(
  Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)),
);
for (const name of Object.values(packages).flatMap(({ optionalDependencies }) =>
  Object.keys(optionalDependencies ?? {}),
)) {
  if (!locked.has(name))
    problems.push(`package-lock.json: ${name}, an optional dependency of another platform, is missing`);
}

process.stdout.write(problems.map((problem) => `${problem}\n`).join(""));
process.exitCode = problems.length === 0 ? 0 : 1;

function exists(file: string): boolean {
  return statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true;
}
