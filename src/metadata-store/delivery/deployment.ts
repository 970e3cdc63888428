import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { DeliveryTables } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

export const DEPLOYMENT_STATUSES = ["deploying", "succeeded", "failed"] as const;
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number];

/** One attempt to put a release into its environment. */
export interface Deployment {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly releaseId: string;
  readonly reason: "deploy" | "rollback";
  readonly status: DeploymentStatus;
  /** A repeat with the same key is the same deployment. */
  readonly idempotencyKey: string;
  readonly stepRunId: string | undefined;
  readonly actor: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly target: object | undefined;
  readonly error: object | undefined;
}

/** What an environment runs of one asset. */
export interface Deployed {
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly deploymentId: string;
  readonly releaseId: string;
  readonly versionId: string;
  readonly atMs: number;
}

/** Starts a deployment. */
export async function insertDeployment(
  transaction: WriteTransaction,
  deployment: Omit<Deployment, "status" | "endedAtMs" | "target" | "error">,
): Promise<Deployment> {
  const row = {
    id: deployment.id,
    project: deployment.project,
    environment: deployment.environment,
    asset: deployment.asset,
    release_id: deployment.releaseId,
    reason: deployment.reason,
    status: "deploying",
    idempotency_key: deployment.idempotencyKey,
    step_run_id: deployment.stepRunId ?? null,
    actor: deployment.actor,
    started_at_ms: deployment.startedAtMs,
    ended_at_ms: null,
    target: null,
    error: null,
  };
  await transaction.insertInto("deployment").values(row).execute();
  return toDeployment(row);
}

/** The deployment with this id or idempotency key; undefined when there is none. */
export async function getDeployment(
  transaction: ReadTransaction,
  key: { readonly id: string } | { readonly project: string; readonly idempotencyKey: string },
): Promise<Deployment | undefined> {
  const select = transaction.selectFrom("deployment").selectAll();
  const row = await (
    "id" in key
      ? select.where("id", "=", key.id)
      : select.where("project", "=", key.project).where("idempotency_key", "=", key.idempotencyKey)
  ).executeTakeFirst();
  return row === undefined ? undefined : toDeployment(row);
}

/** Deployments, newest first; `before` is the last id of the page before. */
export async function listDeployments(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly environment?: string;
    readonly asset?: string;
    readonly status?: DeploymentStatus;
    readonly before?: string;
    readonly limit?: number;
  },
): Promise<readonly Deployment[]> {
  let select = transaction.selectFrom("deployment").selectAll().where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  if (query.asset !== undefined) select = select.where("asset", "=", query.asset);
  if (query.status !== undefined) select = select.where("status", "=", query.status);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toDeployment);
}

/** Ends a deployment; false when it had ended before (then nothing changes). */
export async function endDeployment(
  transaction: WriteTransaction,
  end: {
    readonly id: string;
    readonly status: "succeeded" | "failed";
    readonly atMs: number;
    readonly target?: object;
    readonly error?: object;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("deployment")
    .set({
      status: end.status,
      ended_at_ms: end.atMs,
      target: end.target === undefined ? null : JSON.stringify(end.target),
      error: end.error === undefined ? null : JSON.stringify(end.error),
    })
    .where("id", "=", end.id)
    .where("status", "=", "deploying")
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Ends what was left open before a deployment of the same asset to the same environment succeeded. */
export async function endSupersededDeployments(
  transaction: WriteTransaction,
  by: Pick<Deployment, "id" | "project" | "environment" | "asset"> & { readonly atMs: number },
): Promise<void> {
  await transaction
    .updateTable("deployment")
    .set({
      status: "failed",
      ended_at_ms: by.atMs,
      error: JSON.stringify({ message: `It was stopped before it was ready; deployment ${by.id} took its place` }),
    })
    .where("project", "=", by.project)
    .where("environment", "=", by.environment)
    .where("asset", "=", by.asset)
    .where("status", "=", "deploying")
    .where("id", "<", by.id)
    .execute();
}

/** Points an environment at a deployment. */
export async function setDeployed(transaction: WriteTransaction, deployed: Deployed): Promise<void> {
  const row = {
    project: deployed.project,
    environment: deployed.environment,
    asset: deployed.asset,
    deployment_id: deployed.deploymentId,
    release_id: deployed.releaseId,
    version_id: deployed.versionId,
    at_ms: deployed.atMs,
  };
  await transaction
    .insertInto("deployed")
    .values(row)
    .onConflict((conflict) => conflict.columns(["project", "environment", "asset"]).doUpdateSet(row))
    .execute();
}

/** Takes an asset out of an environment's record. */
export async function clearDeployed(
  transaction: WriteTransaction,
  key: Pick<Deployed, "project" | "environment" | "asset">,
): Promise<void> {
  await transaction
    .deleteFrom("deployed")
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("asset", "=", key.asset)
    .execute();
}

/** What runs where, by environment and asset, at most 1,000. */
export async function listDeployed(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly environment?: string;
    readonly asset?: string;
    readonly assets?: readonly string[];
  },
): Promise<readonly Deployed[]> {
  let select = transaction.selectFrom("deployed").selectAll().where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  if (query.asset !== undefined) select = select.where("asset", "=", query.asset);
  if (query.assets !== undefined) select = select.where("asset", "in", query.assets);
  const rows = await select.orderBy("environment").orderBy("asset").limit(1000).execute();
  return rows.map((row) => ({
    project: row.project,
    environment: row.environment,
    asset: row.asset,
    deploymentId: row.deployment_id,
    releaseId: row.release_id,
    versionId: row.version_id,
    atMs: row.at_ms,
  }));
}

function toDeployment(row: Selectable<DeliveryTables["deployment"]>): Deployment {
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    asset: row.asset,
    releaseId: row.release_id,
    reason: row.reason as Deployment["reason"],
    status: row.status as DeploymentStatus,
    idempotencyKey: row.idempotency_key,
    stepRunId: row.step_run_id ?? undefined,
    actor: row.actor,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
    target: row.target === null ? undefined : (JSON.parse(row.target) as object),
    error: row.error === null ? undefined : (JSON.parse(row.error) as object),
  };
}
