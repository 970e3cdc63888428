import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { textOf } from "../analytics/rows.ts";
import type { CheckedRule } from "../dataset.ts";
import { contractBroken } from "../errors.ts";
import { judgeAnomalies, type MeasuredVersion } from "./anomaly.ts";
import type { CompiledContract } from "./rules.ts";

/** A dataset as it would be published. */
export interface CheckedDataset {
  readonly dataset: string;
  readonly compiled: CompiledContract;
  readonly connection: AnalyticsConnection;
  readonly relation: string;
  /** What this write brings: anomalies are looked for there. */
  readonly added: string;
  /** What the same was in versions before, newest first. */
  readonly before: readonly MeasuredVersion[];
  readonly atMs: number;
  log(text: string): void;
}

/** What was found, for the version's record. */
export interface DatasetChecks {
  readonly checks: readonly CheckedRule[];
  /** Values that later versions are compared with, by the rule that measures them. */
  readonly measured: Readonly<Record<string, number>>;
}

/**
 * Rules about the dataset are checked on what it would hold. Warnings are said and let pass.
 *
 * @throws DATA_CONTRACT_BROKEN
 */
export async function checkDataset(of: CheckedDataset): Promise<DatasetChecks> {
  for (const key of of.compiled.unchecked) of.log(`warning: ${key} in the contract: not checked`);
  const checks: CheckedRule[] = [];
  for (const { id, expectation, severity, holds, measure } of of.compiled.dataset) {
    const [row] = await of.connection.rows(
      `select value, coalesce(${holds}, false) as holds from (${measure(of.relation)})`,
    );
    const value = textOf(row?.["value"] ?? "nothing");
    checks.push({ id, expectation, severity, value, holds: row?.["holds"] === true });
  }
  const { checks: anomalies, measured } = await judgeAnomalies(of);
  checks.push(...anomalies);
  const problems: string[] = [];
  for (const { id, expectation, severity, value, holds } of checks) {
    if (holds === true) continue;
    const found = holds === undefined ? `${id}: ${expectation}` : `${id}: ${expectation}, but it is ${value}`;
    if (holds === undefined) of.log(found);
    else if (severity === "error") problems.push(found);
    else of.log(`warning: ${found}`);
  }
  if (problems.length > 0) throw contractBroken({ dataset: of.dataset, problems });
  return { checks, measured };
}

/** What of it goes into a version's record: nothing where no rule is declared. */
export function checksFound({ checks, measured }: DatasetChecks): Partial<DatasetChecks> {
  return {
    ...(checks.length === 0 ? {} : { checks }),
    ...(Object.keys(measured).length === 0 ? {} : { measured }),
  };
}
