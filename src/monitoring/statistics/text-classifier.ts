import { normalSurvival } from "./distributions.ts";
import { seededRandom } from "./seeded-random.ts";

const SEED = 42;
const EPOCHS = 12;
const RATE = 0.5;
const PENALTY = 1e-4;
/** Words of more texts than this share say nothing. */
const LARGEST_SHARE = 0.5;
const WORD = /[\p{L}\p{N}_]{2,}/gu;

/**
 * How well a classifier tells the texts of two samples apart: words weighted by rarity, a logistic regression on half
 * of the texts, the area under the ROC curve on the other half.
 *
 * @returns `area`: 0.5 for texts that are alike, 1 for ones that share no word; `pValue`: of an area as large by chance
 * Pure: the halves are drawn with a fixed seed. Source: Evidently 0.7 `text_content_drift`, whose classifier is
 * scikit-learn's; values are alike, not equal.
 */
export function classifyTexts(
  reference: readonly string[],
  current: readonly string[],
): { readonly area: number; readonly pValue: number } {
  const random = seededRandom(SEED);
  const texts = [
    ...reference.map((text) => ({ words: countWords(text), label: 0 })),
    ...current.map((text) => ({ words: countWords(text), label: 1 })),
  ];
  shuffle(texts, random);
  const half = texts.length >>> 1;
  const [train, test] = [texts.slice(0, half), texts.slice(half)];
  const vocabulary = weighWords(train.map(({ words }) => words));
  const rows = train.map(({ words, label }) => ({ vector: toVector(words, vocabulary), label }));
  const weights = new Float64Array(vocabulary.size);
  let [bias, step] = [0, 0];
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(rows, random);
    for (const { vector, label } of rows) {
      const rate = RATE / (1 + PENALTY * step++);
      const error = label - sigmoid(dot(vector, weights) + bias);
      for (const [place, value] of vector)
        weights[place] = (weights[place] ?? 0) * (1 - rate * PENALTY) + rate * error * value;
      bias += rate * error * 0.1;
    }
  }
  return areaOf(test.map(({ words, label }) => ({ score: dot(toVector(words, vocabulary), weights) + bias, label })));
}

function shuffle(values: unknown[], random: () => number): void {
  for (let index = values.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [values[index], values[other]] = [values[other], values[index]];
  }
}

function countWords(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

interface Word {
  readonly place: number;
  /** Smoothed logarithm of how rare it is. */
  readonly rarity: number;
}

function weighWords(texts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, Word> {
  const found = new Map<string, number>();
  for (const words of texts) for (const word of words.keys()) found.set(word, (found.get(word) ?? 0) + 1);
  const kept = [...found].filter(([, count]) => count <= Math.max(1, LARGEST_SHARE * texts.length));
  return new Map(
    kept.map(([word, count], place) => [word, { place, rarity: Math.log((1 + texts.length) / (1 + count)) + 1 }]),
  );
}

/** Of length 1. */
function toVector(
  words: ReadonlyMap<string, number>,
  vocabulary: ReadonlyMap<string, Word>,
): readonly (readonly [number, number])[] {
  const known = [...words].flatMap(([word, count]) => {
    const entry = vocabulary.get(word);
    return entry === undefined ? [] : [[entry.place, (1 + Math.log(count)) * entry.rarity] as const];
  });
  const length = Math.sqrt(known.reduce((sum, [, value]) => sum + value ** 2, 0));
  return known.map(([place, value]) => [place, value / length] as const);
}

function dot(vector: readonly (readonly [number, number])[], weights: Float64Array): number {
  return vector.reduce((sum, [place, value]) => sum + value * (weights[place] ?? 0), 0);
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** Area under the ROC curve of scores, ties count half, and the chance of one as large if scores said nothing. */
export function areaOf(rows: readonly { readonly score: number; readonly label: number }[]): {
  readonly area: number;
  readonly pValue: number;
} {
  const sorted = rows.toSorted((left, right) => left.score - right.score);
  let [rankSum, positives] = [0, 0];
  for (let start = 0; start < sorted.length;) {
    let end = start + 1;
    while (end < sorted.length && sorted[end]?.score === sorted[start]?.score) end++;
    for (let index = start; index < end; index++) {
      if (sorted[index]?.label !== 1) continue;
      positives++;
      rankSum += (start + 1 + end) / 2;
    }
    start = end;
  }
  const negatives = sorted.length - positives;
  if (positives === 0 || negatives === 0) return { area: 0.5, pValue: 1 };
  const area = (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
  const deviation = Math.sqrt((sorted.length + 1) / (12 * positives * negatives));
  return { area, pValue: normalSurvival((area - 0.5) / deviation) };
}
