// Runs every check that is not a test: `npm run check`. All of them run; the first failure does not hide the next.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const node = (...args: string[]): string[] => [process.execPath, "--disable-warning=ExperimentalWarning", ...args];

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Looks at the output of a command that succeeded; returns what is wrong. */
  readonly inspect?: (output: string) => string | undefined;
}

const sources = (await Array.fromAsync(glob("src/**/*.ts", { cwd: root }))).length;

const checks: readonly Check[] = [
  { name: "types", command: node(join(root, "node_modules/typescript7/bin/tsc"), "-p", ".") },
  { name: "types of the web page", command: node(join(root, "node_modules/typescript7/bin/tsc"), "-p", "web") },
  { name: "size of the web page", command: node(join(root, "scripts/build-web.ts")) },
  { name: "format", command: [bin("oxfmt"), "--check"] },
  { name: "lint", command: [bin("oxlint"), "--type-aware", "--deny-warnings"] },
  {
    name: "boundaries",
    command: [bin("depcruise"), "src", "--config", ".dependency-cruiser.mjs"],
    inspect: enoughModules,
  },
  { name: "dead code", command: [bin("knip"), "--no-progress"] },
  { name: "generated files", command: node(join(root, "scripts/generate.ts"), "--check") },
  { name: "words and names", command: node(join(root, "scripts/check-words.ts")) },
];

let failed = 0;
for (const check of checks) {
  const started = performance.now();
  const [program, ...args] = check.command;
  const result = spawnSync(program ?? "", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`;
  const complaint = result.status === 0 ? check.inspect?.(output) : output.trim();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (complaint === undefined) {
    process.stdout.write(`✔ ${check.name} (${seconds} s)\n`);
  } else {
    failed++;
    process.stdout.write(`✖ ${check.name} (${seconds} s)\n${complaint.replaceAll(/^/gm, "    ")}\n`);
  }
}
process.stdout.write(
  failed === 0 ? `All ${checks.length} checks hold.\n` : `${failed} of ${checks.length} checks fail.\n`,
);
process.exitCode = failed === 0 ? 0 : 1;

// Without a compiler API dependency-cruiser reads nothing and passes.
function enoughModules(output: string): string | undefined {
  const cruised = Number(/\((\d+) modules/.exec(output)?.[1] ?? /(\d+) modules/.exec(output)?.[1] ?? 0);
  if (cruised >= sources) return undefined;
  const { version } = JSON.parse(readFileSync(join(root, "node_modules/typescript/package.json"), "utf8")) as {
    version: string;
  };
  return `dependency-cruiser read ${cruised} modules, src/ has ${sources}: is 'typescript' (${version}) still a version with a compiler API?`;
}
