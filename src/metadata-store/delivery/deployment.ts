import { type Selectable, sql } from "kysely";
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
  /** Why it was asked for, in words of who did. */
  readonly comment?: string | undefined;
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
    comment: deployment.comment ?? null,
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

/** What became of a release in its environment. */
export interface ReleaseCourse {
  /** Its newest deployment; undefined while nobody deployed it. */
  readonly latest: Deployment | undefined;
  /** The deployment that took the place of its newest successful one. */
  readonly successor: Deployment | undefined;
  /** The release that ran before its newest successful deployment; without one, the release that runs. */
  readonly replacedId: string | undefined;
  /** The release that ran when it was deployed first: where a rollback that names none goes. */
  readonly beforeId: string | undefined;
}

/** What became of these releases, however long their history is. */
export async function listReleaseCourses(
  transaction: ReadTransaction,
  releaseIds: readonly string[],
): Promise<ReadonlyMap<string, ReleaseCourse>> {
  if (releaseIds.length === 0) return new Map();
  const { rows } = await sql<Course>`
    select r.id as id,
      (select max(d.id) from deployment d where d.release_id = r.id) as latest,
      (select min(n.id) from deployment n
        where n.project = r.project and n.environment = r.environment and n.asset = r.asset and n.status = 'succeeded'
          and n.id > s.id) as successor,
      (select p.release_id from deployment p
        where p.project = r.project and p.environment = r.environment and p.asset = r.asset and p.status = 'succeeded'
          and (s.id is null or p.id < s.id) and p.release_id <> r.id order by p.id desc limit 1) as replaced,
      (select b.release_id from deployment b
        where b.project = r.project and b.environment = r.environment and b.asset = r.asset and b.status = 'succeeded'
          and (s.first is null or b.id < s.first) and b.release_id <> r.id order by b.id desc limit 1) as before
    from release r
    left join (select release_id, max(id) as id, min(id) as first from deployment
      where release_id in (${sql.join(releaseIds)}) and status = 'succeeded' group by release_id) s on s.release_id = r.id
    where r.id in (${sql.join(releaseIds)})`.execute(transaction);
  const deployments = await listDeploymentsById(
    transaction,
    rows.flatMap(({ latest, successor }) => [latest, successor]),
  );
  return new Map(
    rows.map(({ id, latest, successor, replaced, before }) => {
      const course = {
        latest: deployments.get(latest ?? ""),
        successor: deployments.get(successor ?? ""),
        replacedId: replaced ?? undefined,
        beforeId: before ?? undefined,
      };
      return [id, course] as const;
    }),
  );
}

async function listDeploymentsById(
  transaction: ReadTransaction,
  ids: readonly (string | null)[],
): Promise<ReadonlyMap<string, Deployment>> {
  const wanted = [...new Set(ids.flatMap((id) => id ?? []))];
  if (wanted.length === 0) return new Map();
  const rows = await transaction.selectFrom("deployment").selectAll().where("id", "in", wanted).execute();
  return new Map(rows.map((row) => [row.id, toDeployment(row)]));
}

interface Course {
  readonly id: string;
  readonly latest: string | null;
  readonly successor: string | null;
  readonly replaced: string | null;
  readonly before: string | null;
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

/** What runs where, by environment and asset. */
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
  const rows = await select.orderBy("environment").orderBy("asset").execute();
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
    comment: row.comment ?? undefined,
  };
}
