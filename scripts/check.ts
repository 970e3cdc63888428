// Runs every check that is not a test: `npm run check`. All of them run; the first failure does not hide the next.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const node = (...args: string[]): string[] => [process.execPath, "--disable-warning=ExperimentalWarning", ...args];

/** What is known of the files from the last time stays beside the packages, so that only what changed is looked at. */
const types = (project: string): string[] => {
  const known = join(root, "node_modules/.cache", `types-${project === "." ? "all" : project}.tsbuildinfo`);
  const compiler = join(root, "node_modules/typescript7/bin/tsc");
  return node(compiler, "-p", project, "--incremental", "--tsBuildInfoFile", known);
};

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: "types", command: types(".") },
  { name: "types of the web page", command: types("web") },
  { name: "size of the web page", command: node(join(root, "scripts/build-web.ts")) },
  { name: "format", command: [bin("oxfmt"), "--check"] },
  { name: "lint", command: [bin("oxlint"), "--type-aware", "--deny-warnings"] },
  { name: "unsafe assertions", command: node(join(root, "scripts/check-casts.ts")) },
  { name: "boundaries", command: node(join(root, "scripts/check-boundaries.ts")) },
  { name: "dead code", command: [bin("knip"), "--no-progress"] },
  { name: "doors", command: node(join(root, "scripts/check-doors.ts")) },
  { name: "generated files", command: node(join(root, "scripts/generate.ts"), "--check") },
  { name: "words and names", command: node(join(root, "scripts/check-words.ts")) },
];

let failed = 0;
for (const check of checks) {
  const started = performance.now();
  const [program, ...args] = check.command;
  const result = spawnSync(program ?? "", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`;
  const complaint = result.status === 0 ? undefined : output.trim();
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
