// Checks that imports keep the layers, doors and owners of modules.json: `npm run check` calls it.
import { spawnSync } from "node:child_process";
import { glob } from "node:fs/promises";
import { join, resolve } from "node:path";

const CRUISED = ["src", "web", "test", "scripts", "bench"];

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string; readonly comment?: string }[] };
  };
}

/**
 * What is wrong in a repository, a line each: imports that a rule forbids, with the rule's reason, and files that were
 * not read. Without a compiler API the tool reads nothing and finds nothing: every file must be among those it read.
 */
export async function checkBoundaries(root: string): Promise<readonly string[]> {
  const { stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/depcruise"),
    [...CRUISED, "--config", ".dependency-cruiser.mjs", "--output-type", "json"],
    { cwd: root, encoding: "utf8", maxBuffer: 256 * 2 ** 20 },
  );
  if (!stdout.startsWith("{")) return [`dependency-cruiser failed: ${stderr || stdout}`];
  const { modules, summary } = JSON.parse(stdout) as Cruise;
  const reasons = new Map(summary.ruleSetUsed.forbidden.map(({ name, comment }) => [name, comment ?? ""]));
  const problems = summary.violations.map(
    ({ rule, from, to }) => `${rule.name}: ${from} → ${to}\n  ${reasons.get(rule.name) ?? ""}`,
  );
  const read = new Set(modules.map(({ source }) => source));
  const files = await Array.fromAsync(
    glob(`{${CRUISED.join(",")}}/**/*.{ts,tsx}`, {
      cwd: root,
      exclude: (path) => /(^|\/)(node_modules|dist|\.esteira)$/.test(path),
    }),
  );
  const missed = files.filter((file) => !read.has(file) && !file.endsWith(".d.ts"));
  if (missed.length > 0)
    problems.push(`dependency-cruiser did not read ${missed.length} files: ${missed.slice(0, 5).join(", ")} …`);
  return problems;
}

if (import.meta.main) {
  const problems = await checkBoundaries(resolve(import.meta.dirname, ".."));
  process.stdout.write(problems.map((problem) => `${problem}\n`).join(""));
  process.exitCode = problems.length === 0 ? 0 : 1;
}
