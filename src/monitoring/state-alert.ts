import type { WriteTransaction } from "#metadata-store";
import type { AlertAdvice } from "#api";
import type { EndpointKey } from "#metadata-store/serving";
import { formatExplanation } from "./explanation.ts";
import { changeAlert, listAlerts, openAlert } from "#metadata-store/monitoring";

const HOUR_MS = 3600 * 1000;
const NAMED_FILES = 3;

/** What runs in an environment, and what is wrong with its approvals. */
export interface StandingFacts {
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly endpoint: string;
  readonly versionId: string;
  /** Undefined: they stand. */
  readonly problem: string | undefined;
  /** Who is told. Default: nobody. */
  readonly targets?: readonly string[];
}

/** Opens an alert for what runs without its approvals, and closes it when they stand again. */
export function alertStanding(
  transaction: WriteTransaction,
  { asset, versionId, ...facts }: StandingFacts,
  atMs: number,
): Promise<void> {
  const metric = "approval";
  const monitor = `${asset}.${metric}`;
  const wellAgain = "its approvals stand again";
  const advice = [{ kind: "approve", name: asset }] as const;
  return alertState(transaction, { ...facts, wellAgain, metric, monitor, modelVersionId: versionId, advice }, atMs);
}

/** A file of the store that is not what was recorded. */
export interface DamagedFile {
  readonly file: string;
  readonly problem: string;
  /** `environment/endpoint` of those that are made of it. */
  readonly endpoints: readonly string[];
}

/** Opens an alert for an endpoint that is made of damaged files, and closes it when they are whole again. */
export function alertDamage(
  transaction: WriteTransaction,
  place: EndpointKey,
  {
    damages,
    atMs,
    targets = [],
  }: { readonly damages: readonly DamagedFile[]; readonly atMs: number; readonly targets?: readonly string[] },
): Promise<void> {
  const metric = "damage";
  const own = damages.filter(({ endpoints }) => endpoints.includes(`${place.environment}/${place.endpoint}`));
  const facts = {
    ...place,
    metric,
    monitor: `store.${metric}`,
    modelVersionId: undefined,
    problem: describe(own),
    wellAgain: "its files are whole again",
    advice: [{ kind: "verify_store" }, { kind: "restore_backup" }] as const,
    targets,
  };
  return alertState(transaction, facts, atMs);
}

function describe(damages: readonly DamagedFile[]): string | undefined {
  if (damages.length === 0) return undefined;
  const named = damages.slice(0, NAMED_FILES).map(({ file, problem }) => `${file}: ${problem}`);
  const more = damages.length - named.length;
  return `files that it is made of are damaged: ${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

async function alertState(
  transaction: WriteTransaction,
  facts: EndpointKey & {
    /** Undefined: all is well. */
    readonly problem: string | undefined;
    /** Why the alert closes. */
    readonly wellAgain: string;
    readonly monitor: string;
    readonly metric: string;
    readonly modelVersionId: string | undefined;
    /** What to do. */
    readonly advice: readonly AlertAdvice[];
    readonly targets?: readonly string[];
  },
  atMs: number,
): Promise<void> {
  const { problem, wellAgain: reason, advice, targets = [], ...place } = facts;
  const { project, environment, endpoint, monitor, metric } = place;
  if (problem === undefined) {
    const query = { project, environment, endpoint, states: ["open", "acknowledged"] as const, limit: 1000 };
    for (const alert of await listAlerts(transaction, query))
      if (alert.monitor === monitor && alert.metric === metric)
        await changeAlert(transaction, { project, id: alert.id, state: "closed", actor: "engine", atMs, reason });
    return;
  }
  const windowStartMs = Math.floor(atMs / HOUR_MS) * HOUR_MS;
  await openAlert(transaction, {
    ...place,
    subject: "",
    segment: "",
    value: 0,
    threshold: 1,
    windowStartMs,
    windowEndMs: windowStartMs + HOUR_MS,
    n: 0,
    message: problem,
    explanation: formatExplanation({
      since: { windowStartMs, windows: 1, atMs },
      columns: [],
      segments: [],
      causes: [],
      advice,
    }),
    atMs,
    targets,
  });
}
