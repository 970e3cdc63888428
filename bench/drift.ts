/**
 * A drift report of 1,000,000 rows × 30 columns against as many reference rows: every column with its default method,
 * against Evidently's data drift preset on the same columns, with equal scores to 1e-9.
 *
 *   node bench/drift.ts [--rows 1000000] [--python PATH]
 *
 * `--python`: an interpreter that has Evidently; without it a locked environment is made. Both sides are timed with the
 * columns in memory.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type DriftScore, scoreDrift, toColumnSample, type WatchedType } from "#monitoring";
import { testPython } from "../test/setup/python-environment.ts";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, python: { type: "string" } },
});
const environment =
  flags.python === undefined ? await testPython(["evidently==0.7.23", "pandas==2.3.3"]) : { python: flags.python };
if ("problem" in environment) throw new Error(`The peer cannot be started: ${environment.problem}`);
const { python } = environment;
const peer = join(import.meta.dirname, "drift_peer.py");
const folder = await mkdtemp(join(tmpdir(), "esteira-drift-"));
const run = (...commandLine: string[]): string =>
  execFileSync(python, [peer, ...commandLine], {
    encoding: "utf8",
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "inherit"],
  });

interface Column {
  readonly name: string;
  readonly type: WatchedType;
}

const columns: readonly Column[] = [
  ...Array.from({ length: 20 }, (_, index) => ({ name: `n${index}`, type: "float" as const })),
  ...Array.from({ length: 5 }, (_, index) => ({ name: `i${index}`, type: "integer" as const })),
  ...Array.from({ length: 5 }, (_, index) => ({ name: `c${index}`, type: "string" as const })),
];

async function readColumn(side: string, { name, type }: Column): Promise<ArrayLike<unknown>> {
  const bytes = await readFile(join(folder, `${side}.${name}`));
  const values = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  if (type !== "string") return values;
  const names = Array.from({ length: 64 }, (_, code) => `k${code}`);
  return Array.from(values, (code) => names[code] ?? "");
}

try {
  run("make", folder, flags.rows);
  const theirs = JSON.parse(run("report", folder)) as { seconds: number; scores: Record<string, number> };
  const scores = new Map<string, DriftScore>();
  let [referenceMs, currentMs] = [0, 0];
  for (const column of columns) {
    const [reference, current] = [await readColumn("reference", column), await readColumn("current", column)];
    const start = performance.now();
    const known = toColumnSample(reference, column.type);
    const middle = performance.now();
    const found = toColumnSample(current, column.type, known);
    scores.set(column.name, scoreDrift(known, found));
    referenceMs += middle - start;
    currentMs += performance.now() - middle;
  }
  const differences = columns.map(({ name }) =>
    Math.abs((scores.get(name)?.score ?? NaN) - (theirs.scores[name] ?? NaN)),
  );
  const worst = differences.reduce((largest, difference) => Math.max(largest, difference), 0);
  const missing = differences.filter(Number.isNaN).length;
  const ours = (referenceMs + currentMs) / 1000;
  console.log(`rows ${flags.rows} + ${flags.rows}, columns ${columns.length}`);
  console.log(
    `largest difference of a score: ${worst.toExponential(2)}${missing > 0 ? `, ${missing} columns without a peer score` : ""}`,
  );
  console.log(`Evidently  ${theirs.seconds.toFixed(2)} s`);
  console.log(
    `esteira    ${ours.toFixed(2)} s, ${(currentMs / 1000).toFixed(2)} s when the reference is already prepared`,
  );
  console.log(
    `ratio      ${(theirs.seconds / ours).toFixed(1)} ×, ${(theirs.seconds / (currentMs / 1000)).toFixed(1)} × with a prepared reference (target 10 ×)`,
  );
  if (missing > 0 || worst > 1e-9) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
