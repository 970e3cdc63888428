import type { Selectable } from "kysely";
import type { Digest } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { GovernanceTables } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

export const APPROVAL_SUBJECTS = ["recipe", "notebook", "model", "code", "release", "contract", "rules"] as const;
export type ApprovalSubject = (typeof APPROVAL_SUBJECTS)[number];

/** A decision of one person over one digest. */
export interface StoredApproval {
  readonly id: string;
  readonly project: string;
  readonly subjectKind: ApprovalSubject;
  readonly digest: Digest;
  /** undefined: holds for every environment. */
  readonly environment: string | undefined;
  readonly decision: "approved" | "refused";
  readonly actor: string;
  /** The person it counts for. */
  readonly countsFor: string;
  readonly comment: string;
  readonly atMs: number;
  readonly revokedAtMs: number | undefined;
  readonly revokedBy: string | undefined;
  /** Undefined: until it is revoked. */
  readonly expiresAtMs: number | undefined;
  /** The signed decision, a DSSE envelope as JSON; undefined: not signed. */
  readonly envelope: string | undefined;
}

/** Adds a decision. Decisions are never changed, only revoked. */
export async function insertApproval(
  transaction: WriteTransaction,
  approval: Omit<StoredApproval, "revokedAtMs" | "revokedBy">,
): Promise<void> {
  await transaction
    .insertInto("approval")
    .values({
      id: approval.id,
      project: approval.project,
      subject_kind: approval.subjectKind,
      digest: approval.digest,
      environment: approval.environment ?? "",
      decision: approval.decision,
      actor: approval.actor,
      counts_for: approval.countsFor,
      comment: approval.comment,
      at_ms: approval.atMs,
      revoked_at_ms: null,
      revoked_by: null,
      expires_at_ms: approval.expiresAtMs ?? null,
      envelope: approval.envelope ?? null,
    })
    .execute();
}

/** @returns undefined when there is none */
export async function getApproval(transaction: ReadTransaction, id: string): Promise<StoredApproval | undefined> {
  const row = await transaction.selectFrom("approval").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toApproval(row);
}

/** Ends a decision; false when it was revoked before. */
export async function markApprovalRevoked(
  transaction: WriteTransaction,
  facts: { readonly id: string; readonly atMs: number; readonly actor: string },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("approval")
    .set({ revoked_at_ms: facts.atMs, revoked_by: facts.actor })
    .where("id", "=", facts.id)
    .where("revoked_at_ms", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/**
 * Decisions, newest first. `environment` also finds those that hold for every environment; `before` is the last id of
 * the page before.
 */
export async function listApprovalRows(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly digest?: string;
    readonly environment?: string;
    readonly standing?: boolean;
    readonly before?: string;
    readonly limit?: number;
  },
): Promise<readonly StoredApproval[]> {
  let select = transaction.selectFrom("approval").selectAll().where("project", "=", query.project);
  if (query.digest !== undefined) select = select.where("digest", "=", query.digest);
  if (query.environment !== undefined) select = select.where("environment", "in", ["", query.environment]);
  if (query.standing === true) select = select.where("revoked_at_ms", "is", null);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toApproval);
}

/** How many decisions a project has, revoked ones among them. */
export async function countDecisions(transaction: ReadTransaction, project: string): Promise<number> {
  const { count } = await transaction
    .selectFrom("approval")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** How many standing decisions of a project approved something. */
export async function countApprovals(transaction: ReadTransaction, project: string): Promise<number> {
  const { count } = await transaction
    .selectFrom("approval")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .where("decision", "=", "approved")
    .where("revoked_at_ms", "is", null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

function toApproval(row: Selectable<GovernanceTables["approval"]>): StoredApproval {
  return {
    id: row.id,
    project: row.project,
    subjectKind: row.subject_kind as ApprovalSubject,
    digest: row.digest as Digest,
    environment: row.environment === "" ? undefined : row.environment,
    decision: row.decision,
    actor: row.actor,
    countsFor: row.counts_for,
    comment: row.comment,
    atMs: row.at_ms,
    revokedAtMs: row.revoked_at_ms ?? undefined,
    revokedBy: row.revoked_by ?? undefined,
    expiresAtMs: row.expires_at_ms ?? undefined,
    envelope: row.envelope ?? undefined,
  };
}
