import { roleIn, type Role } from "#access";
import type { Digest } from "#base";
import type { ReadTransaction } from "#metadata-store";
import { getUser, hasUsers } from "#metadata-store/access";
import { listApprovalRows, type StoredApproval } from "#metadata-store/governance";
import { digestOfRules, type EnvironmentRules } from "./environment-rules.ts";
import type { BackingCheck } from "./rules-history.ts";
import { countSigned } from "./signed-approval.ts";

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
  /** Of the rules that the store knows: what signed decisions name. */
  readonly rulesDigest: Digest;
  /** Now. */
  readonly atMs: number;
}

/** Distinct people whose standing approval counts now: still reviewers, and no authors. Sorted. */
export async function listApprovers(transaction: ReadTransaction, subject: CountedSubject): Promise<readonly string[]> {
  const { project, digest, environment, authors, rules, atMs } = subject;
  const rows = await listApprovalRows(transaction, {
    project,
    digest,
    environment,
    standing: true,
    limit: DECISIONS_READ,
  });
  const people = new Set<string>();
  for (const row of rows) {
    if (row.decision !== "approved" || (row.expiresAtMs !== undefined && row.expiresAtMs <= atMs)) continue;
    const given = rules.signed ? await countSigned(transaction, row, subject) : row;
    if (given === undefined || authors.includes(given.countsFor) || authors.includes(given.actor)) continue;
    if (!isNamed(given, rules)) continue;
    if (await isStillReviewer(transaction, { project, actor: given.actor })) people.add(given.countsFor);
  }
  return [...people].toSorted();
}

/** Checks that a change of rules that was made had its quorum when it was made. */
export function createBackingCheck(transaction: ReadTransaction, project: string): BackingCheck {
  return async ({ digest, environment, rules, atMs }) => {
    const rows = await listApprovalRows(transaction, { project, digest, environment, limit: DECISIONS_READ });
    const subject = { project, digest, environment, rulesDigest: digestOfRules(environment, rules), atMs };
    const people = new Set<string>();
    for (const row of rows) {
      if (row.decision !== "approved" || row.atMs > atMs) continue;
      if (row.revokedAtMs !== undefined && row.revokedAtMs <= atMs) continue;
      const given = rules.signed ? await countSigned(transaction, row, subject) : row;
      if (given !== undefined && isNamed(given, rules)) people.add(given.countsFor);
    }
    return people.size >= rules.approvals;
  };
}

function isNamed({ countsFor }: Pick<StoredApproval, "countsFor">, { reviewers }: EnvironmentRules): boolean {
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
