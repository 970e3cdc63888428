import { roleIn, type Role } from "#access";
import type { ReadTransaction } from "#metadata-store";
import { getUser, hasUsers } from "#metadata-store/access";
import { listApprovalRows, type StoredApproval } from "#metadata-store/governance";
import type { EnvironmentRules } from "./environment-rules.ts";
import type { BackingCheck } from "./rules-history.ts";

const DECISIONS_READ = 1000;

/** What approvals are counted for. */
export interface CountedSubject {
  readonly project: string;
  readonly digest: string;
  readonly environment: string;
  /** Who made it: theirs do not count. */
  readonly authors: readonly string[];
  /** Rules in force. */
  readonly rules: EnvironmentRules;
  /** Now. */
  readonly atMs: number;
}

/** Distinct people whose standing approval counts now: still reviewers, and no authors. Sorted. */
export async function listApprovers(transaction: ReadTransaction, subject: CountedSubject): Promise<readonly string[]> {
  const { project, digest, environment, authors, rules } = subject;
  const rows = await listApprovalRows(transaction, {
    project,
    digest,
    environment,
    standing: true,
    limit: DECISIONS_READ,
  });
  const people = new Set<string>();
  for (const row of rows) {
    if (row.decision !== "approved" || authors.includes(row.countsFor) || authors.includes(row.actor)) continue;
    if (!isNamed(row, rules)) continue;
    if (await isStillReviewer(transaction, { project, actor: row.actor })) people.add(row.countsFor);
  }
  return [...people].toSorted();
}

/** Checks that a change of rules that was made had its quorum when it was made. */
export function createBackingCheck(transaction: ReadTransaction, project: string): BackingCheck {
  return async ({ digest, environment, rules, atMs }) => {
    const rows = await listApprovalRows(transaction, { project, digest, environment, limit: DECISIONS_READ });
    const stood = rows.filter(
      (row) =>
        row.decision === "approved" &&
        row.atMs <= atMs &&
        (row.revokedAtMs === undefined || row.revokedAtMs > atMs) &&
        isNamed(row, rules),
    );
    return new Set(stood.map(({ countsFor }) => countsFor)).size >= rules.approvals;
  };
}

function isNamed({ countsFor }: StoredApproval, { reviewers }: EnvironmentRules): boolean {
  return reviewers === undefined || reviewers.includes(countsFor);
}

/** Whether who decided once may still decide. */
async function isStillReviewer(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly actor: string },
): Promise<boolean> {
  if (!(await hasUsers(transaction))) return true;
  const user = await getUser(transaction, key.actor);
  if (user === undefined) return false;
  const roles = user.grants.map(({ project, role }) => ({ project, role: role as Role }));
  const role = roleIn({ name: user.name, kind: "user", roles }, key.project);
  return role === "reviewer" || role === "admin";
}
