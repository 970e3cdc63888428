// Each rule of the checks is proven by a violation planted in a copy of the repository.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkBoundaries } from "../../scripts/check-boundaries.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const COPIED = [
  "src",
  "web",
  "test",
  "scripts",
  "bench",
  "examples",
  "package.json",
  "modules.json",
  "tsconfig.json",
  ".dependency-cruiser.mjs",
  ".oxlintrc.json",
];

/** Name of a rule, the file that breaks it, and what stands in it. */
const IMPORTS: readonly (readonly [rule: string, file: string, text: string])[] = [
  ["layer-base", "src/base/planted.ts", 'import "#config";'],
  ["layer-tracking", "src/tracking/planted.ts", 'import "#models";'],
  ["layer-cli", "src/cli/planted.ts", 'import "#metadata-store";'],
  ["door-data", "src/features/planted.ts", 'import "../data/errors.ts";'],
  ["layer-pipeline", "src/pipeline/planted-up.ts", 'import "#engine";'],
  ["area-engine", "src/pipeline/planted-area.ts", 'import "#metadata-store/engine";'],
  ["area-registry", "src/features/planted-area.ts", 'import "#metadata-store/registry";'],
  ["owner-kysely", "src/pipeline/planted.ts", 'import "kysely";'],
  ["owner-node-child-process", "src/models/planted.ts", 'import "node:child_process";'],
  ["owner-node-http", "src/tracking/planted-http.ts", 'import "node:http";'],
  ["owner-node-https", "src/registry/planted.ts", 'import "node:https";'],
  ["layer-models", "src/models/planted-up.ts", 'import "#packaging";'],
  ["owner-node-worker-threads", "src/governance/planted.ts", 'import "node:worker_threads";'],
  ["owner-node-fs", "src/access/planted.ts", 'import "node:fs/promises";'],
  ["no-cycle", "src/config/planted.ts", 'import { b } from "./another.ts";\nexport const a = b;'],
  ["web-imports-only-api", "web/ui/planted.tsx", 'import "../../src/base/index.ts";'],
  ["web-stands-alone", "web/ui/planted-test.tsx", 'import "../../test/setup/stores.ts";'],
  ["sources-stand-alone", "src/api/planted.ts", 'import "../../bench/pages.ts";'],
  ["tests-through-doors", "test/data/planted.test.ts", 'import "../../src/models/errors.ts";'],
  ["no-unknown-module", "scripts/planted.ts", 'import "../src/unheard/index.ts";'],
  ["resolvable", "test/planted.test.ts", 'import "./is-not-there.ts";'],
];

const LINES: readonly (readonly [rule: string, file: string, text: string])[] = [
  ["node(no-process-env)", "src/models/planted-line.ts", "export const home = process.env;"],
  [
    "eslint(no-restricted-globals)",
    "src/monitoring/planted-line.ts",
    "export const tell = async (url: string): Promise<unknown> => fetch(url);",
  ],
  [
    "eslint(no-await-in-loop)",
    "src/server/planted-line.ts",
    "export async function all(tasks: (() => Promise<void>)[]): Promise<void> {\n  for (const task of tasks) await task();\n}",
  ],
  [
    "typescript(unbound-method)",
    "src/data/planted-line.ts",
    "export class Box {\n  size = 1;\n  read(): number {\n    return this.size;\n  }\n}\nexport const { read } = new Box();",
  ],
  ["typescript(await-thenable)", "src/access/planted-line.ts", "export const one = await 1;"],
  [
    "react-hooks(exhaustive-deps)",
    "web/ui/planted-hook.tsx",
    'import { useMemo } from "react";\nexport const useDouble = (size: number): number => useMemo(() => size * 2, []);',
  ],
  [
    "jsx-a11y(click-events-have-key-events)",
    "web/ui/planted-click.tsx",
    "export const Box = ({ open }: { readonly open: () => void }) => <div onClick={open}>open</div>;",
  ],
  [
    "typescript(no-floating-promises)",
    "src/features/planted-line.ts",
    "export function start(work: () => Promise<void>): void {\n  work();\n}",
  ],
];

describe("npm run check", () => {
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "esteira-planted-"));
    for (const name of COPIED)
      await cp(join(ROOT, name), join(folder, name), {
        recursive: true,
        filter: (path) => !/\/(node_modules|dist|\.esteira)$/.test(path),
      });
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    await mkdir(join(folder, "src/unheard"));
    await writeFile(join(folder, "src/unheard/index.ts"), "export {};\n");
    await writeFile(join(folder, "src/config/another.ts"), 'import { a } from "./planted.ts";\nexport const b = a;\n');
    for (const [, file, text] of [...IMPORTS, ...LINES]) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), `${text}\n`);
    }
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it("finds an import that each rule of the boundaries forbids", async () => {
    const problems = await checkBoundaries(folder);
    const missed = IMPORTS.filter(
      ([rule, file]) =>
        !problems.some((problem) => problem.startsWith(`${rule}: `) && problem.split("\n")[0]?.includes(file)),
    );
    assert.deepEqual(missed, [], problems.join("\n"));
  });

  it("finds a line that each rule of the linter forbids", () => {
    const { stdout } = spawnSync(
      join(ROOT, "node_modules/.bin/oxlint"),
      ["--type-aware", "--format", "unix", ...LINES.map(([, file]) => file)],
      { cwd: folder, encoding: "utf8" },
    );
    const missed = LINES.filter(
      ([rule, file]) => !stdout.split("\n").some((line) => line.includes(`${file}:`) && line.includes(rule)),
    );
    assert.deepEqual(missed, [], stdout);
  });
});
