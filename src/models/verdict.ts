import { formatQuantity } from "#base";
import type { AssetVersion } from "#metadata-store";
import { evaluateAll, isLowerBetter, type MetricName, pickRows, type ScoredSample, segmentsOf } from "./evaluation.ts";
import type { ModelTask } from "./model-description.ts";
import { decideRequirement, type MetricReference, type Requirement } from "./requirement.ts";

/** Fewer rows than this are no basis for judging a segment, unless the step says otherwise. */
export const DEFAULT_MINIMUM_ROWS = 100;
const LARGEST_SEGMENT_LIST = 200;

type Metrics = Readonly<Partial<Record<MetricName, number>>>;

/** One rule with its exact numbers. */
export interface RuleResult {
  readonly text: string;
  /** Set when the rule was applied to one segment. */
  readonly segment?: string;
  readonly passed: boolean;
  /** Values of the two sides; missing when a metric does not exist. */
  readonly left?: number;
  readonly right?: number;
  /** Why it passed or failed when the numbers alone do not tell. */
  readonly note?: string;
}

/** Metrics of one segment. */
export interface SegmentResult {
  readonly column: string;
  readonly value: string;
  readonly rows: number;
  readonly metrics: Metrics;
  readonly champion?: Metrics;
}

/** What a test says of a model version; written as `verdict.json` of the report. */
export interface Verdict {
  readonly format: "verdict/1";
  readonly passed: boolean;
  /** One sentence with the numbers of every rule that failed; empty when it passed. */
  readonly reason: string;
  readonly model: TestedVersion;
  readonly champion: TestedVersion | undefined;
  readonly data: TestedVersion & {
    readonly where: Readonly<Record<string, string | number | boolean>>;
    readonly rows: number;
  };
  readonly task: ModelTask;
  readonly metrics: Metrics;
  readonly championMetrics: Metrics | undefined;
  readonly rules: readonly RuleResult[];
  /** Segments with enough rows, largest first, at most 200 per column. */
  readonly segments: readonly SegmentResult[];
}

export interface TestedVersion {
  readonly asset: string;
  readonly version: number;
  readonly versionId: string;
  readonly digest: string;
}

/** What is judged: labels with the predictions of both models on the same rows. */
export interface TestSample {
  readonly task: ModelTask;
  readonly candidate: ScoredSample;
  readonly champion: ScoredSample | undefined;
  /** Columns that segments are made of, same rows. */
  readonly segmentColumns: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** What a model must satisfy. */
export interface TestRules {
  readonly require: readonly Requirement[];
  readonly segments: {
    readonly by: readonly string[];
    readonly minimumRows: number;
    readonly require: readonly Requirement[];
  };
}

/** Decides every rule. Rules about a champion pass with a note while there is none. Pure; errors as `evaluateAll`. */
export function judge(
  sample: TestSample,
  rules: TestRules,
): Pick<Verdict, "passed" | "reason" | "metrics" | "championMetrics" | "rules" | "segments"> {
  const metrics = evaluateAll(sample.candidate, sample.task);
  const championMetrics = sample.champion === undefined ? undefined : evaluateAll(sample.champion, sample.task);
  const segments = evaluateSegments(sample, rules.segments.minimumRows);
  const lookUp = (reference: MetricReference, current?: SegmentResult): number | undefined => {
    const { segment } = reference;
    const found =
      segment === undefined
        ? current
        : segments.find(({ column, value }) => column === segment.column && value === segment.value);
    const overall = segment === undefined && current === undefined;
    const own = overall ? metrics : found?.metrics;
    const other = overall ? championMetrics : found?.champion;
    return (reference.of === "candidate" ? own : other)?.[reference.metric as MetricName];
  };
  const results = [
    ...rules.require.map((rule) =>
      applyRule(rule, { hasChampion: sample.champion !== undefined, lookUp, minimumRows: rules.segments.minimumRows }),
    ),
    ...segments
      .filter(({ column }) => rules.segments.by.includes(column))
      .flatMap((segment) =>
        rules.segments.require.map((rule) => ({
          ...applyRule(rule, {
            hasChampion: sample.champion !== undefined,
            lookUp: (reference) => lookUp(reference, segment),
            minimumRows: rules.segments.minimumRows,
          }),
          segment: `${segment.column}=${segment.value}`,
        })),
      ),
  ];
  const failed = results.filter(({ passed }) => !passed);
  return {
    passed: failed.length === 0,
    reason: failed.map(toSentence).join("; "),
    metrics,
    championMetrics,
    rules: results,
    segments: shorten(segments),
  };
}

function applyRule(
  rule: Requirement,
  facts: {
    readonly hasChampion: boolean;
    readonly lookUp: (reference: MetricReference) => number | undefined;
    readonly minimumRows: number;
  },
): RuleResult {
  if (!facts.hasChampion && rule.references.some(({ of }) => of === "champion"))
    return { text: rule.text, passed: true, note: "there is no champion yet" };
  const { left, right, passed } = decideRequirement(rule, facts.lookUp);
  const numbers = { ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) };
  if (passed !== undefined) return { text: rule.text, passed, ...numbers };
  const missing = rule.references.find((reference) => facts.lookUp(reference) === undefined);
  const where =
    missing?.segment === undefined
      ? ""
      : ` for ${missing.segment.column}=${missing.segment.value}: the segment has fewer than ${facts.minimumRows} labelled rows or only one class`;
  return {
    text: rule.text,
    passed: false,
    ...numbers,
    note: `${missing?.of === "champion" ? "champion." : ""}${missing?.metric ?? "a metric"} does not exist${where}`,
  };
}

function evaluateSegments(sample: TestSample, minimumRows: number): readonly SegmentResult[] {
  const results: SegmentResult[] = [];
  for (const [column, values] of sample.segmentColumns) {
    for (const { value, rows } of segmentsOf(values)) {
      const labelled = rows.filter((row) => !Number.isNaN(sample.candidate.labels[row]));
      if (labelled.length < minimumRows) continue;
      const champion =
        sample.champion === undefined ? undefined : evaluateAll(pickRows(sample.champion, labelled), sample.task);
      results.push({
        column,
        value,
        rows: labelled.length,
        metrics: evaluateAll(pickRows(sample.candidate, labelled), sample.task),
        ...(champion === undefined ? {} : { champion }),
      });
    }
  }
  return results;
}

function shorten(segments: readonly SegmentResult[]): readonly SegmentResult[] {
  const counts = new Map<string, number>();
  return segments.filter(({ column }) => {
    const count = (counts.get(column) ?? 0) + 1;
    counts.set(column, count);
    return count <= LARGEST_SEGMENT_LIST;
  });
}

function toSentence(result: RuleResult): string {
  const where = result.segment === undefined ? "" : ` for ${result.segment}`;
  if (result.note !== undefined) return `${result.text}${where}: ${result.note}`;
  return `${result.text}${where}: found ${format(result.left)} against ${format(result.right)}`;
}

function format(value: number | undefined): string {
  return value === undefined ? "nothing" : String(Number(value.toPrecision(6)));
}

/** The names under which a verdict cites a version. */
export function toTestedVersion(version: AssetVersion): TestedVersion {
  return { asset: version.asset, version: version.version, versionId: version.id, digest: version.digest };
}

/** The verdict as a page that a person reads. */
export function writeVerdictPage(verdict: Verdict): string {
  const name = ({ asset, version }: TestedVersion): string => `${asset} ${version}`;
  const lines = [
    `# ${name(verdict.model)}: ${verdict.passed ? "passed" : "refused"}`,
    "",
    ...(verdict.passed ? [] : [verdict.reason, ""]),
    `Tested on ${formatQuantity(verdict.data.rows, "row")} of ${name(verdict.data)}, against ${verdict.champion === undefined ? "no champion" : `the champion ${name(verdict.champion)}`}.`,
    "",
    "| metric | model | champion | better |",
    "|---|---|---|---|",
    ...Object.entries(verdict.metrics).map(
      ([metric, value]) =>
        `| ${metric} | ${format(value)} | ${format(verdict.championMetrics?.[metric as MetricName])} | ${isLowerBetter(metric as MetricName) ? "lower" : "higher"} |`,
    ),
    "",
    "| rule | result | numbers |",
    "|---|---|---|",
    ...verdict.rules.map(
      (rule) =>
        `| \`${rule.text}\`${rule.segment === undefined ? "" : ` for ${rule.segment}`} | ${rule.passed ? "holds" : "fails"} | ${rule.note ?? `${format(rule.left)} against ${format(rule.right)}`} |`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
