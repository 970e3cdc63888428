/**
 * Performance estimated before labels come, against NannyML's CBPE: how far each is from the truth on a calibrated, an
 * overconfident and an underconfident model whose inputs moved.
 *
 *     node bench/estimates.ts [--rows 50000] [--python PATH]
 *
 * Prints errors of both, their ratio and the time; exits 1 when an error of ours is above 0.015.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { evaluate } from "#models";
import { learnCalibration } from "../src/monitoring/statistics/calibration.ts";
import { estimatePerformance } from "../src/monitoring/statistics/estimated-performance.ts";
import { applyIsotonic } from "../src/monitoring/statistics/isotonic.ts";
import { seededRandom } from "../src/monitoring/statistics/seeded-random.ts";
import { testPython } from "../test/setup/python-environment.ts";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "50000" }, python: { type: "string" } },
});
const rows = Number(flags.rows);
const environment =
  flags.python === undefined ? await testPython(["nannyml==0.13.1", "pandas==2.3.3"]) : { python: flags.python };
if ("problem" in environment) throw new Error(`The peer cannot be started: ${environment.problem}`);
const { python } = environment;
const METRICS = ["roc_auc", "f1", "precision", "recall", "accuracy"] as const;
const MODELS = [
  ["calibrated", 1],
  ["overconfident × 2.5", 2.5],
  ["underconfident × 0.4", 0.4],
] as const;

interface Sample {
  readonly labels: Float64Array;
  readonly said: Float64Array;
}

/** Rows whose class 1 has the probability sigmoid(z); the model says sigmoid(z · sharpness). */
function simulate(random: () => number, sharpness: number, shift: number): Sample {
  const [labels, said] = [new Float64Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row++) {
    const z = 1.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) + shift;
    labels[row] = random() < 1 / (1 + Math.exp(-z)) ? 1 : 0;
    said[row] = 1 / (1 + Math.exp(-z * sharpness));
  }
  return { labels, said };
}

const toCsv = ({ labels, said }: Sample): string =>
  `y_true,said,y_pred\n${Array.from(labels, (label, row) => `${label},${said[row]},${(said[row] ?? 0) > 0.5 ? 1 : 0}`).join("\n")}\n`;

const folder = await mkdtemp(join(tmpdir(), "estimates-"));
const worst = { ours: 0, theirs: 0 };
try {
  for (const [index, [name, sharpness]] of MODELS.entries()) {
    const random = seededRandom(100 + index);
    const [held, current] = [simulate(random, sharpness, 0), simulate(random, sharpness, 0.4)];
    await writeFile(join(folder, "reference.csv"), toCsv(held));
    await writeFile(join(folder, "analysis.csv"), toCsv(current));
    const start = performance.now();
    const curve = learnCalibration(held.said, held.labels)?.curve;
    const ours = estimatePerformance(
      curve === undefined ? current.said : current.said.map((said) => applyIsotonic(curve, said)),
      current.said,
    );
    const seconds = (performance.now() - start) / 1000;
    const theirs: { readonly seconds: number; readonly values: Readonly<Record<string, number>> } = JSON.parse(
      execFileSync(python, [join(import.meta.dirname, "estimates_peer.py"), folder], { encoding: "utf8" }),
    );
    console.log(`${name}: ${rows} held-out rows, ${rows} rows to estimate`);
    for (const metric of METRICS) {
      const truth = evaluate(metric, { labels: current.labels, predictions: current.said }, "binary_classification");
      const [own, peer] = [ours[metric] - truth, (theirs.values[metric] ?? NaN) - truth];
      worst.ours = Math.max(worst.ours, Math.abs(own));
      worst.theirs = Math.max(worst.theirs, Math.abs(peer));
      console.log(`  ${metric.padEnd(10)} true ${truth.toFixed(4)}  esteira ${signed(own)}  NannyML ${signed(peer)}`);
    }
    console.log(
      `  seconds    esteira ${seconds.toFixed(2)}  NannyML ${theirs.seconds.toFixed(2)}  (${(theirs.seconds / seconds).toFixed(0)} ×)`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(
  `largest error  esteira ${worst.ours.toFixed(4)} (target 0.015), NannyML ${worst.theirs.toFixed(4)}: ratio ${(worst.ours / worst.theirs).toFixed(2)}`,
);
if (worst.ours > 0.015) process.exitCode = 1;

function signed(error: number): string {
  return `${error < 0 ? "−" : "+"}${Math.abs(error).toFixed(4)}`;
}
