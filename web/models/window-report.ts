import type { WindowReport, WindowScore } from "#api";

export const SCORE_GROUPS = [
  "performance",
  "estimated",
  "slices",
  "fairness",
  "multivariate",
  "drift",
  "segments",
  "quality",
  "value",
  "steady",
  "other",
] as const;
export type ScoreGroup = (typeof SCORE_GROUPS)[number];

const PREFIXES: readonly (readonly [RegExp, ScoreGroup])[] = [
  [/^estimated_/, "estimated"],
  [/^slice\./, "slices"],
  [/^(fairness|group)\./, "fairness"],
  [/^multivariate_drift\./, "multivariate"],
  [
    /^(feature_missing|feature_stale|feature_skew|null_share|out_of_range|unseen|type_mismatch|constant|row_count|duplicates|freshness)/,
    "quality",
  ],
  [/^value\./, "value"],
  [/^(roc_auc|log_loss|brier|accuracy|precision|recall|f1|rmse|mae|r2)$/, "performance"],
];

/** Where a score is shown. */
export function groupOf({ metric, segment, breached }: WindowScore): ScoreGroup {
  const found = PREFIXES.find(([pattern]) => pattern.test(metric));
  if (found !== undefined) return found[1];
  if (!/^(drift|prediction_drift)/.test(metric)) return "other";
  if (segment !== undefined) return "segments";
  return breached === true ? "drift" : "steady";
}

/** Scores by group, in the order in which they are shown; what is out of bounds first. */
export function groupScores({ scores }: WindowReport): readonly (readonly [ScoreGroup, readonly WindowScore[]])[] {
  const groups = Map.groupBy(scores, groupOf);
  return SCORE_GROUPS.flatMap((group) => {
    const own = groups.get(group);
    if (own === undefined) return [];
    return [[group, own.toSorted((left, right) => Number(right.breached === true) - Number(left.breached === true))]];
  });
}
