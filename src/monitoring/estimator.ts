import type { AssetVersion } from "#metadata-store";
import type { ColumnBatch, MetricName, ModelDescription, ScoredSample, Scorer } from "#models";
import { type Calibration, learnCalibration } from "./statistics/calibration.ts";
import { calibrateClasses, estimateClasses } from "./statistics/estimated-classes.ts";
import { learnLoss } from "./statistics/estimated-loss.ts";
import { estimatePerformance } from "./statistics/estimated-performance.ts";
import { applyIsotonic } from "./statistics/isotonic.ts";
import type { WindowRows } from "./window-rows.ts";

/** Estimates the performance of a model on rows without labels. */
export interface Estimator {
  readonly name: "CBPE" | "DLE";
  /** Held-out rows that it learned from; undefined when there were too few. */
  readonly n: number | undefined;
  /** How probabilities are read as frequencies, or losses are learned; for people. */
  readonly basis: string;
  estimate(
    rows: Pick<WindowRows, "columns" | "predictions">,
  ): Promise<Readonly<Partial<Record<MetricName, number>>> | undefined>;
}

interface Learned {
  readonly version: AssetVersion;
  readonly model: ModelDescription;
  /** Held-out rows: what the model says of them, and the truth. */
  readonly sample: ScoredSample;
  readonly rows: ColumnBatch;
}

/** Rows of several classes whose probabilities are computed again at most: the log keeps the answer alone. */
const MOST_CLASS_ROWS = 30_000;

/** Learns to estimate a model's performance from its held-out rows. */
export function learnEstimator(learned: Learned, scorer: Scorer): Promise<Estimator | undefined> {
  const { task } = learned.model;
  if (task === "regression") return learnRegression(learned);
  return task === "binary_classification"
    ? Promise.resolve(learnBinary(learned.sample))
    : learnClasses(learned, scorer);
}

function learnBinary(sample: ScoredSample): Estimator {
  const calibration = learnCalibration(sample.predictions, sample.labels);
  const curve = calibration?.curve;
  return {
    name: "CBPE",
    n: calibration?.n,
    basis: describeCalibration(calibration),
    estimate: async ({ predictions }) => {
      const scores = predictions.filter((value) => !Number.isNaN(value));
      const probabilities = curve === undefined ? scores : scores.map((score) => applyIsotonic(curve, score));
      return estimatePerformance(probabilities, scores);
    },
  };
}

/** The log keeps the class that was answered: its probabilities are computed again from the logged inputs. */
async function learnClasses({ version, sample, rows }: Learned, scorer: Scorer): Promise<Estimator | undefined> {
  const held = await scorer.probabilities?.(version, rows);
  if (held === undefined) return undefined;
  const calibrations = held.map((own, index) =>
    learnCalibration(
      own,
      Float64Array.from(sample.labels, (label) => (Number.isNaN(label) ? NaN : Number(label === index))),
    ),
  );
  const known = calibrations.filter((one) => one !== undefined);
  const mapped = known.filter(({ curve }) => curve !== undefined).length;
  return {
    name: "CBPE",
    n: known[0]?.n,
    basis: `isotonic for ${mapped} of ${held.length} classes, on held-out rows`,
    async estimate({ columns, predictions }) {
      const places = takeEvenly(predictions, MOST_CLASS_ROWS);
      const taken = new Map([...columns].map(([name, values]) => [name, Array.from(places, (row) => values[row])]));
      const found = await scorer.probabilities?.(version, { rowCount: places.length, columns: taken });
      if (found === undefined) return undefined;
      const said = Float64Array.from(places, (row) => predictions[row] ?? NaN);
      const { classes: _classes, ...metrics } = estimateClasses(calibrateClasses(found, calibrations), said);
      return metrics;
    },
  };
}

function takeEvenly(predictions: Float64Array, most: number): Uint32Array {
  const known = Uint32Array.from(predictions.keys()).filter((row) => !Number.isNaN(predictions[row]));
  if (known.length <= most) return known;
  return Uint32Array.from({ length: most }, (_, index) => known[Math.floor((index * known.length) / most)] ?? 0);
}

async function learnRegression({ model, sample, rows }: Learned): Promise<Estimator | undefined> {
  const pick = (columns: ReadonlyMap<string, ArrayLike<unknown>>): readonly ArrayLike<unknown>[] =>
    model.inputs.map(({ name }) => columns.get(name) ?? []);
  const loss = await learnLoss(
    { inputs: pick(rows.columns), predictions: Float64Array.from(sample.predictions) },
    sample.labels,
  );
  if (loss === undefined) return undefined;
  return {
    name: "DLE",
    n: loss.n,
    basis: `boosted trees on the errors of ${loss.n} held-out rows`,
    estimate: async ({ columns, predictions }) => loss.estimate({ inputs: pick(columns), predictions }),
  };
}

function describeCalibration(calibration: Calibration | undefined): string {
  if (calibration === undefined) return "none: too few held-out rows with labels";
  const { errorRaw, errorCalibrated, n } = calibration;
  const errors = `error ${errorRaw.toPrecision(2)} as given, ${errorCalibrated.toPrecision(2)} calibrated, on ${n} held-out rows`;
  return calibration.curve === undefined ? `none needed (${errors})` : `isotonic (${errors})`;
}
