import { type AnswerComparison, bucketOfClass, bucketOfNumber } from "#delivery";
import type { ModelOutput } from "./model-runtime.ts";
import type { ModelSignature } from "./model-signature.ts";
import { describeForms, type ModelTensor, sizeOf } from "./model-tensor.ts";

/** Rows of an answer by what was answered. */
export function countOutputs(output: ModelOutput, { task }: ModelSignature): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const isProbability = task === "binary_classification";
  const add = (bucket: string): void => {
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  };
  if (output.kind === "tensors") return counts;
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
  if (given.kind === "tensors" && shadow.kind === "tensors") return compareTensors(given, shadow);
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

type Tensors = Extract<ModelOutput, { kind: "tensors" }>;

/** Of each row the mean distance of its numbers; texts agree or do not. Outputs of other forms are not compared. */
function compareTensors(given: Tensors, shadow: Tensors): AnswerComparison {
  if (describeForms(given.tensors) !== describeForms(shadow.tensors)) return { rows: 0, difference: 0, agreed: 0 };
  let [rows, difference, agreed] = [0, 0, 0];
  for (let row = 0; row < given.rowCount; row++) {
    const distances = given.tensors.flatMap((tensor, position) => distancesOf(tensor, shadow.tensors[position], row));
    const finite = distances.filter(Number.isFinite);
    if (finite.length < distances.length) continue;
    rows++;
    const mean = finite.reduce((sum, each) => sum + each, 0) / Math.max(1, finite.length);
    difference += mean;
    if (mean === 0) agreed++;
  }
  return { rows, difference, agreed };
}

function distancesOf(tensor: ModelTensor, other: ModelTensor | undefined, row: number): readonly number[] {
  const size = sizeOf(tensor);
  return Array.from({ length: size }, (_, at) => {
    const [one, two] = [tensor.values[row * size + at], other?.values[row * size + at]];
    return typeof one === "string" || typeof two === "string"
      ? Number(one !== two)
      : Math.abs(Number(one) - Number(two));
  });
}
