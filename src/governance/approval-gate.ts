import type { WriteTransaction } from "#metadata-store";
import { closeApprovalRequest, listApprovalRequests } from "#metadata-store/governance";
import { openGate } from "#engine";

/** Key of the gate that an approval opens. */
export function approvalGateKey(digest: string, environment: string): string {
  return `approval:${digest}:${environment}`;
}

/**
 * What waits for an approval in an environment asks again, because its rules are others now: the requests made under
 * the rules before are closed, and the steps that wait for them look at the new ones.
 */
export async function askAgain(
  transaction: WriteTransaction,
  facts: { readonly project: string; readonly environment: string; readonly actor: string; readonly atMs: number },
): Promise<void> {
  const { project, environment, actor, atMs } = facts;
  for (const request of await listApprovalRequests(transaction, { project, limit: 1000 })) {
    if (request.environment !== environment || request.subjectKind === "rules") continue;
    await closeApprovalRequest(transaction, { ...request, atMs });
    await openGate(transaction, { project, key: approvalGateKey(request.digest, environment), atMs, actor });
  }
}
