import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { type ArmRecord, durationQuantile, failureShare } from "./arm-record.ts";
import { explainVerdict } from "./explain-verdict.ts";
import type { KeptTrial } from "./ports.ts";
import { limitsOf, type TrialPlan } from "./trial-plan.ts";
import type { ArmMetric, TrialCheck, TrialReason, TrialVerdict } from "./verdict.ts";

/** What one arm of a trial did. */
export interface TrialArmReport {
  readonly arm: "stable" | "candidate";
  readonly versionId: string;
  readonly model: string;
  readonly modelVersion: number;
  readonly requests: number;
  readonly rows: number;
  readonly failures: readonly { readonly code: string; readonly count: number }[];
  /** Share of its requests that it could not answer, 0–1. */
  readonly failureShare: number;
  /** To about 5 percent; undefined when nothing was answered. */
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** What the plan's metric came to, and of how many labelled rows. */
  readonly metric: ({ readonly name: string } & ArmMetric) | undefined;
}

/** A trial as people see it. */
export interface TrialReport {
  readonly kind: TrialPlan["kind"];
  /** Share of the units that the candidate answers, 0–100, and all shares where there are several. */
  readonly percent: number | undefined;
  /** The header with which a request chooses its version. */
  readonly header: string | undefined;
  readonly steps: readonly number[] | undefined;
  readonly startedAtMs: number;
  /** When its watch at this share is over. */
  readonly untilMs: number;
  readonly endedAtMs: number | undefined;
  readonly outcome: KeptTrial["outcome"];
  readonly reason: TrialReason | "replaced";
  /** The reason as a sentence. */
  readonly explanation: string;
  readonly minRequests: number;
  readonly arms: readonly TrialArmReport[];
  /** What it must show, and what is shown so far; of a trial that has ended, as it stood then. */
  readonly checks: readonly TrialCheck[];
  readonly comparison:
    | { readonly rows: number; readonly meanDifference: number; readonly agreedShare: number }
    | undefined;
}

export async function reportTrial(
  trial: KeptTrial,
  verdict: TrialVerdict | undefined,
  store: MetadataStore,
): Promise<TrialReport> {
  const { plan, record, stableVersionId, candidateVersionId } = trial;
  const { comparison } = record;
  const [stable, candidate] = await store.read((transaction) =>
    Promise.all([
      getAssetVersion(transaction, { id: stableVersionId }),
      getAssetVersion(transaction, { id: candidateVersionId }),
    ]),
  );
  return {
    kind: plan.kind,
    percent: plan.kind === "shadow" ? undefined : plan.percent,
    header: plan.kind === "shadow" ? undefined : plan.header,
    steps: plan.kind === "canary" ? plan.steps : undefined,
    startedAtMs: trial.startedAtMs,
    untilMs: plan.untilMs,
    endedAtMs: trial.endedAtMs,
    outcome: trial.outcome,
    reason: verdict?.reason ?? "replaced",
    explanation: verdict === undefined ? "the endpoint was changed meanwhile" : explainVerdict(verdict),
    minRequests: verdict?.minRequests ?? limitsOf(plan).minRequests,
    arms: [
      {
        arm: "stable",
        versionId: stableVersionId,
        ...reportArm(record.stable, stable),
        metric: metricOf(verdict, "stable"),
      },
      {
        arm: "candidate",
        versionId: candidateVersionId,
        ...reportArm(record.candidate, candidate),
        metric: metricOf(verdict, "candidate"),
      },
    ],
    checks: verdict?.checks ?? [],
    comparison:
      comparison === undefined || comparison.rows === 0
        ? undefined
        : {
            rows: comparison.rows,
            meanDifference: comparison.difference / comparison.rows,
            agreedShare: comparison.agreed / comparison.rows,
          },
  };
}

function metricOf(verdict: TrialVerdict | undefined, arm: "stable" | "candidate"): TrialArmReport["metric"] {
  const check = verdict?.checks?.find(({ name }) => name === "metric");
  const found = check?.arms?.[arm];
  return found === undefined ? undefined : { name: check?.subject ?? "", ...found };
}

function reportArm(
  record: ArmRecord,
  version: AssetVersion | undefined,
): Omit<TrialArmReport, "arm" | "versionId" | "metric"> {
  return {
    model: version?.asset ?? "",
    modelVersion: version?.version ?? 0,
    requests: record.requests,
    rows: record.rows,
    failures: Object.entries(record.failures).map(([code, count]) => ({ code, count })),
    failureShare: failureShare(record),
    p50Ms: durationQuantile(record, 0.5),
    p95Ms: durationQuantile(record, 0.95),
    p99Ms: durationQuantile(record, 0.99),
  };
}
