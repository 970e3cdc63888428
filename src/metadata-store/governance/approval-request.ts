import type { Selectable } from "kysely";
import type { Digest } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { ApprovalSubject } from "./approval.ts";
import type { GovernanceTables } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** Something that waits for a decision. */
export interface ApprovalRequest {
  readonly project: string;
  readonly digest: Digest;
  readonly environment: string;
  readonly subjectKind: ApprovalSubject;
  /** The name a person knows: `delay 3`. */
  readonly subject: string;
  /** The asset version that wants to go there. */
  readonly versionId: string | undefined;
  readonly reason: string;
  /** Distinct approvals needed. */
  readonly needed: number;
  readonly requestedBy: string;
  readonly requestedAtMs: number;
}

/** Asks for a decision; asking again opens it again and keeps the newest reason. */
export async function upsertApprovalRequest(transaction: WriteTransaction, request: ApprovalRequest): Promise<void> {
  await transaction
    .insertInto("approval_request")
    .values({
      project: request.project,
      digest: request.digest,
      environment: request.environment,
      subject_kind: request.subjectKind,
      subject: request.subject,
      version_id: request.versionId ?? null,
      reason: request.reason,
      needed: request.needed,
      requested_by: request.requestedBy,
      requested_at_ms: request.requestedAtMs,
      closed_at_ms: null,
    })
    .onConflict((conflict) =>
      conflict.columns(["project", "digest", "environment"]).doUpdateSet((update) => ({
        subject: update.ref("excluded.subject"),
        version_id: update.ref("excluded.version_id"),
        reason: update.ref("excluded.reason"),
        needed: update.ref("excluded.needed"),
        closed_at_ms: null,
      })),
    )
    .execute();
}

/** Closes a request that was decided. */
export async function closeApprovalRequest(
  transaction: WriteTransaction,
  request: { readonly project: string; readonly digest: string; readonly environment: string; readonly atMs: number },
): Promise<void> {
  await transaction
    .updateTable("approval_request")
    .set({ closed_at_ms: request.atMs })
    .where("project", "=", request.project)
    .where("digest", "=", request.digest)
    .where("environment", "=", request.environment)
    .execute();
}

/**
 * Open requests, oldest first; of one digest when it is given. With `decided` also those that were closed, but for
 * changes of rules, which are settled once.
 */
export async function listApprovalRequests(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly digest?: string;
    readonly limit?: number;
    readonly decided?: boolean;
  },
): Promise<readonly ApprovalRequest[]> {
  let select = transaction.selectFrom("approval_request").selectAll().where("project", "=", query.project);
  select =
    query.decided === true
      ? select.where((where) => where.or([where("closed_at_ms", "is", null), where("subject_kind", "<>", "rules")]))
      : select.where("closed_at_ms", "is", null);
  if (query.digest !== undefined) select = select.where("digest", "=", query.digest);
  const rows = await select
    .orderBy("requested_at_ms")
    .orderBy("digest")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toRequest);
}

/** How many requests of a project are open. */
export async function countApprovalRequests(transaction: ReadTransaction, project: string): Promise<number> {
  const { count } = await transaction
    .selectFrom("approval_request")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .where("closed_at_ms", "is", null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

function toRequest(row: Selectable<GovernanceTables["approval_request"]>): ApprovalRequest {
  return {
    project: row.project,
    digest: row.digest as Digest,
    environment: row.environment,
    subjectKind: row.subject_kind as ApprovalSubject,
    subject: row.subject,
    versionId: row.version_id ?? undefined,
    reason: row.reason,
    needed: row.needed,
    requestedBy: row.requested_by,
    requestedAtMs: row.requested_at_ms,
  };
}
