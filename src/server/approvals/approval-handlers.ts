import type { Approval, PendingApproval } from "#api";
import type { Platform } from "#app";
import { isAllowed } from "#access";
import { type Digest, isDigest } from "#base";
import { approve, listApprovals, listPendingApprovals, type PendingApproval as Pending } from "#governance";
import { findWaitingStepRun, getAssetVersion, type StoredApproval } from "#metadata-store";
import type { ApiHandlers } from "../api/mount-api.ts";
import { requestInvalid } from "../errors.ts";

const GIVEN_SHOWN = 200;

/** Approvals asked for and given. */
export function createApprovalHandlers(platform: Platform): Pick<ApiHandlers, "listApprovals" | "createApproval"> {
  const { store, project, clock, commitAuthors } = platform;
  return {
    async listApprovals({ identity }) {
      const mayReview = isAllowed(identity, "approve", project);
      return {
        pending: await pendingApprovals(platform, { name: identity.name, mayReview }),
        given: (await listApprovals(store, { project, limit: GIVEN_SHOWN })).map(toApproval),
      };
    },
    async createApproval({ body, identity }) {
      if (!isDigest(body.digest)) throw requestInvalid({ where: "body", problems: [`digest: ${JSON.stringify(body.digest)} is no digest; expected sha256: and 64 hexadecimal digits`] });
      const stored = await approve(
        store,
        { project, subjectKind: body.subjectKind === "code" ? "release" : body.subjectKind, digest: body.digest as Digest, decision: body.decision, environment: body.environment, comment: body.comment, actor: identity.name },
        { clock, commitAuthors },
      );
      return toApproval(stored);
    },
  };
}

/** What waits for a decision, seen by one caller. */
export async function pendingApprovals({ store, project, commitAuthors }: Platform, caller: { readonly name: string; readonly mayReview: boolean }, digest?: Digest): Promise<readonly PendingApproval[]> {
  const pending = await listPendingApprovals(store, { project, ...(digest === undefined ? {} : { digest }) }, commitAuthors);
  return Promise.all(pending.map((each) => store.read(async (transaction) => {
    const version = each.versionId === undefined ? undefined : await getAssetVersion(transaction, { id: each.versionId });
    const waiting = await findWaitingStepRun(transaction, { project, gateKey: each.key });
    return { ...toPending(each, caller), version: version?.version, pipelineRunId: waiting?.pipelineRunId, stepRunId: waiting?.id };
  })));
}

function toPending(each: Pending, caller: { readonly name: string; readonly mayReview: boolean }): PendingApproval {
  const reason = each.authors.includes(caller.name) ? "author" : caller.mayReview ? undefined : "role";
  return {
    key: each.key,
    subjectKind: each.subjectKind,
    subject: each.subject,
    versionId: each.versionId,
    digest: each.digest,
    environment: each.environment,
    author: each.authors[0],
    sinceMs: each.requestedAtMs,
    reason: each.reason,
    required: each.needed,
    given: each.approvedBy.length,
    mayApprove: reason === undefined,
    mayNotReason: reason,
  };
}

export function toApproval(stored: StoredApproval): Approval {
  return {
    id: stored.id,
    decision: stored.decision,
    subjectKind: stored.subjectKind,
    digest: stored.digest,
    environment: stored.environment,
    actor: stored.actor,
    atMs: stored.atMs,
    comment: stored.comment === "" ? undefined : stored.comment,
    revokedAtMs: stored.revokedAtMs,
  };
}
