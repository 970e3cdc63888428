import type { WriteTransaction } from "#metadata-store";
import { changeAlert, listAlerts, openAlert } from "#metadata-store/monitoring";

const HOUR_MS = 3600 * 1000;
const METRIC = "approval";

/** What runs in an environment, and what is wrong with its approvals. */
export interface StandingFacts {
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly endpoint: string;
  readonly versionId: string;
  /** Undefined: they stand. */
  readonly problem: string | undefined;
}

/** Opens an alert for what runs without its approvals, and closes it when they stand again. */
export async function alertStanding(transaction: WriteTransaction, facts: StandingFacts, atMs: number): Promise<void> {
  const { project, environment, asset, endpoint, versionId, problem } = facts;
  const monitor = `${asset}.${METRIC}`;
  if (problem === undefined) {
    const query = { project, environment, endpoint, states: ["open", "acknowledged"] as const, limit: 1000 };
    for (const alert of await listAlerts(transaction, query))
      if (alert.monitor === monitor && alert.metric === METRIC)
        await changeAlert(transaction, { project, id: alert.id, state: "closed", actor: "engine", atMs });
    return;
  }
  const windowStartMs = Math.floor(atMs / HOUR_MS) * HOUR_MS;
  await openAlert(transaction, {
    project,
    environment,
    endpoint,
    monitor,
    metric: METRIC,
    subject: "",
    segment: "",
    value: 0,
    threshold: 1,
    windowStartMs,
    windowEndMs: windowStartMs + HOUR_MS,
    n: 0,
    modelVersionId: versionId,
    message: problem,
    atMs,
    targets: [],
  });
}
