import type { MonitorScore } from "#metadata-store/monitoring";
import type { ModelTask } from "#models";
import type { FairnessRule } from "./watch-rules.ts";
import { compareGroups, GROUP_RATES, type GroupCounts, needsLabels, ratesOf } from "./statistics/fairness.ts";
import type { WindowRows } from "./window-rows.ts";

/** Groups of one attribute; a column with more is no group. */
const MOST_GROUPS = 50;
/** A tie goes to class 0, as in every other metric. */
const DECISION_THRESHOLD = 0.5;

type Countable = { -readonly [Key in keyof GroupCounts]: GroupCounts[Key] };

/** Rates of each group that is large enough, and how they differ; a reason where they cannot be compared. */
export function fairnessScores(
  rows: Pick<WindowRows, "segments" | "predictions" | "outcomes">,
  task: ModelTask,
  rules: readonly FairnessRule[],
): readonly MonitorScore[] {
  return rules.flatMap((rule) =>
    rule.attributes.flatMap((attribute): readonly MonitorScore[] => {
      if (task !== "binary_classification")
        return [noScore(rule, attribute, "groups are compared for classifiers of two classes only")];
      const counts = countGroups(rows, attribute);
      if (counts.length > MOST_GROUPS)
        return [
          noScore(
            rule,
            attribute,
            `${attribute} has ${counts.length} values; give a column with at most ${MOST_GROUPS}`,
          ),
        ];
      return compare(counts, attribute, rule);
    }),
  );
}

function countGroups(
  rows: Pick<WindowRows, "segments" | "predictions" | "outcomes">,
  attribute: string,
): GroupCounts[] {
  const groups = new Map<string, Countable>();
  const find = (value: unknown): Countable => {
    const group = nameOf(value);
    const known = groups.get(group) ?? { group, rows: 0, selected: 0, tp: 0, fp: 0, fn: 0, tn: 0 };
    groups.set(group, known);
    return known;
  };
  const values = rows.segments.get(attribute) ?? [];
  for (const [row, prediction] of rows.predictions.entries()) {
    if (Number.isNaN(prediction)) continue;
    const counts = find(values[row]);
    counts.rows++;
    if (prediction > DECISION_THRESHOLD) counts.selected++;
  }
  const { outcomes } = rows;
  const ofLabelled = outcomes.segments.get(attribute) ?? [];
  for (const [row, label] of outcomes.labels.entries()) {
    const prediction = outcomes.predictions[row] ?? NaN;
    if (Number.isNaN(prediction)) continue;
    const isSelected = prediction > DECISION_THRESHOLD;
    const place = label === 1 ? (isSelected ? "tp" : "fn") : isSelected ? "fp" : "tn";
    find(ofLabelled[row])[place]++;
  }
  return [...groups.values()].sort((left, right) => right.rows - left.rows || (left.group < right.group ? -1 : 1));
}

function nameOf(value: unknown): string {
  const isMissing = value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
  return isMissing ? "null" : textOf(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}

function compare(counts: readonly GroupCounts[], attribute: string, rule: FairnessRule): readonly MonitorScore[] {
  const withLabels = needsLabels(rule.metric);
  const sizeOf = (group: GroupCounts): number => (withLabels ? group.tp + group.fp + group.fn + group.tn : group.rows);
  const large = counts.filter((group) => sizeOf(group) >= rule.min_group);
  const n = large.reduce((sum, group) => sum + sizeOf(group), 0);
  const of = withLabels ? "rows with a label" : "rows";
  if (large.length < 2)
    return [
      noScore(
        rule,
        attribute,
        `${large.length} of ${counts.length} groups have ${rule.min_group} ${of}; two are needed`,
      ),
    ];
  const value = compareGroups(rule.metric, large);
  if (value === undefined)
    return [noScore(rule, attribute, "a rate does not exist in two groups: no row of that label, or none answered so")];
  const left = counts.filter((group) => !large.includes(group)).map(({ group }) => group);
  return [
    {
      ...factsOf(rule, attribute),
      value,
      n,
      method: {
        source: "fairlearn, between groups",
        groups: large.map(({ group }) => group).join(", "),
        min_group: rule.min_group,
        ...(left.length === 0 ? {} : { tooSmall: left.slice(0, 20).join(", ") }),
      },
    },
    ...large.flatMap((group) => groupScores(group, attribute)),
  ];
}

function groupScores(group: GroupCounts, attribute: string): readonly MonitorScore[] {
  const rates = ratesOf(group);
  const labelled = group.tp + group.fp + group.fn + group.tn;
  return GROUP_RATES.flatMap((rate): MonitorScore[] => {
    const value = rates[rate];
    if (value === undefined) return [];
    return [
      {
        metric: `group.${rate}`,
        subject: attribute,
        segment: `${attribute}=${group.group}`,
        value,
        baseline: undefined,
        threshold: undefined,
        breached: undefined,
        n: rate === "selection_rate" ? group.rows : labelled,
        nReference: undefined,
        method: {},
      },
    ];
  });
}

function factsOf(rule: FairnessRule, attribute: string): Omit<MonitorScore, "value" | "n" | "method"> {
  return {
    metric: `fairness.${rule.metric}`,
    subject: attribute,
    segment: "",
    baseline: undefined,
    threshold: undefined,
    breached: undefined,
    nReference: undefined,
  };
}

/** No data is no verdict, and says so. */
function noScore(rule: FairnessRule, attribute: string, reason: string): MonitorScore {
  return { ...factsOf(rule, attribute), value: undefined, n: 0, method: { reason } };
}
