import { type AnswerComparison, bucketOfClass, bucketOfNumber } from "#delivery";
import type { ModelOutput } from "./model-runtime.ts";
import type { ModelSignature } from "./model-signature.ts";

/** Rows of an answer by what was answered. */
export function countOutputs(output: ModelOutput, { task }: ModelSignature): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const isProbability = task === "binary_classification";
  const add = (bucket: string): void => {
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  };
  if (output.kind === "classes") for (const label of output.labels) add(bucketOfClass(label));
  else for (const value of output.values) add(bucketOfNumber(value, isProbability));
  return counts;
}

/** How far two answers to the same rows lie apart. Rows that either did not answer with a number are left out. */
export function compareOutputs(given: ModelOutput, shadow: ModelOutput): AnswerComparison {
  if (given.kind === "classes" && shadow.kind === "classes") {
    const { labels } = shadow;
    return {
      rows: given.labels.length,
      difference: 0,
      agreed: given.labels.filter((label, row) => label === labels[row]).length,
    };
  }
  if (given.kind !== "numbers" || shadow.kind !== "numbers") return { rows: 0, difference: 0, agreed: 0 };
  let [rows, difference, agreed] = [0, 0, 0];
  for (const [row, value] of given.values.entries()) {
    const apart = Math.abs(value - (shadow.values[row] ?? NaN));
    if (!Number.isFinite(apart)) continue;
    rows++;
    difference += apart;
    if (apart === 0) agreed++;
  }
  return { rows, difference, agreed };
}
