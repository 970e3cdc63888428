import type { MonitorScore } from "#metadata-store/monitoring";
import { sampledOf } from "./row-sample.ts";
import type { FeaturesRule } from "./watch-rules.ts";
import type { WindowRows } from "./window-rows.ts";

/** What became of a feature that was asked of the online store, as it is judged. */
export type FeatureLack = "missing" | "stale";

/** Statuses of the log; a default stands for what was missing or too old. */
const LACKS: Readonly<Record<FeatureLack, readonly string[]>> = {
  missing: ["NOT_FOUND", "DEFAULT"],
  stale: ["OUTSIDE_MAX_AGE"],
};

/**
 * Statuses of one row by feature; what was read as it is stored has none. undefined for a row that asked for no
 * feature. Each text of the log is read once.
 */
export function createStatusReader(): (text: unknown) => ReadonlyMap<string, unknown> | undefined {
  const known = new Map<unknown, ReadonlyMap<string, unknown>>();
  return (text) => {
    if (typeof text !== "string") return undefined;
    const found = known.get(text);
    if (found !== undefined) return found;
    const value: unknown = JSON.parse(text);
    const statuses = new Map<string, unknown>(Object.entries(typeof value === "object" && value !== null ? value : {}));
    if (known.size < 10_000) known.set(text, statuses);
    return statuses;
  };
}

/** Whether a feature lacked in this way in a row; undefined where it was not asked for, or its caller sent it. */
export function lacks(
  statuses: ReadonlyMap<string, unknown> | undefined,
  feature: string,
  lack: FeatureLack,
): boolean | undefined {
  if (statuses === undefined) return undefined;
  const status = statuses.get(feature);
  return status === "CALLER" ? undefined : LACKS[lack].includes(String(status));
}

/** A version without a feature service, and rows logged by a release that did not tell these apart. */
const NOTHING_ASKED = "no row of the window asked the online store for features";

/** Shares of the rows that asked the online store for a feature and got none, or one that was too old. */
export function featureScores(
  { featureStatus, rowCount }: WindowRows,
  inputs: readonly string[],
  rules: readonly FeaturesRule[],
): readonly MonitorScore[] {
  if (rules.length === 0) return [];
  const read = createStatusReader();
  const counts = new Map(inputs.map((name) => [name, { asked: 0, missing: 0, stale: 0 }]));
  let readRows = 0;
  for (let row = 0; row < featureStatus.length; row++) {
    const statuses = read(featureStatus[row]);
    if (statuses === undefined) continue;
    readRows++;
    for (const [name, count] of counts) {
      if (statuses.get(name) === "CALLER") continue;
      count.asked++;
      if (lacks(statuses, name, "missing") === true) count.missing++;
      else if (lacks(statuses, name, "stale") === true) count.stale++;
    }
  }
  const sampled = sampledOf(featureStatus.length, rowCount);
  return [...counts].flatMap(([subject, count]) =>
    (["missing", "stale"] as const).map((lack): MonitorScore => ({
      metric: `feature_${lack}`,
      subject,
      segment: "",
      value: count.asked === 0 ? undefined : count[lack] / count.asked,
      baseline: undefined,
      threshold: undefined,
      breached: undefined,
      n: count.asked,
      nReference: undefined,
      method:
        count.asked === 0 ? { reason: readRows === 0 ? NOTHING_ASKED : "the callers sent it themselves" } : sampled,
    })),
  );
}
