import { type Approval, keyProofText, type PendingApproval, type SigningKey } from "#api";
import type { Platform } from "#app";
import { isAllowed } from "#access";
import { type Digest, isDigest } from "#base";
import {
  approve,
  listApprovals,
  listKeys,
  listPendingApprovals,
  type PendingApproval as Pending,
  registerKey,
  revokeApproval,
  revokeKey,
  signerOf,
} from "#governance";
import { getAssetVersion, listVersionsByDigest } from "#metadata-store";
import {
  countApprovalRequests,
  countDecisions,
  type SigningKey as StoredKey,
  type StoredApproval,
} from "#metadata-store/governance";
import { findWaitingStepRun } from "#metadata-store/engine";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { requestInvalid } from "../errors.ts";
import { readEvidence } from "./approval-evidence.ts";

const GIVEN_SHOWN = 200;

type ApprovalHandlers = Pick<
  ApiHandlers,
  "listApprovals" | "createApproval" | "revokeApproval" | "listKeys" | "registerKey" | "revokeKey"
>;

const KEYS_SHOWN = 1000;
/** Approvals asked for and given, and the keys that they are signed with. */
export function createApprovalHandlers(platform: Platform): ApprovalHandlers {
  const { store, project, clock, commitAuthors } = platform;
  return {
    async listApprovals({ identity }) {
      const mayReview = isAllowed(identity, "approve", { project });
      const counts = await store.read(async (transaction) => ({
        pendingCount: await countApprovalRequests(transaction, project),
        givenCount: await countDecisions(transaction, project),
      }));
      return {
        pending: await pendingApprovals(platform, { name: identity.name, mayReview }),
        given: await nameApprovals(platform, await listApprovals(store, { project, limit: GIVEN_SHOWN })),
        ...counts,
      };
    },
    async createApproval({ body, identity }) {
      if (!isDigest(body.digest))
        throw requestInvalid({
          where: "body",
          problems: [`digest: ${JSON.stringify(body.digest)} is no digest; expected sha256: and 64 hexadecimal digits`],
        });
      const stored = await approve(
        store,
        {
          project,
          subjectKind: body.subjectKind === "code" ? "release" : body.subjectKind,
          digest: body.digest as Digest,
          decision: body.decision,
          environment: body.environment,
          comment: body.comment,
          envelope: body.envelope,
          expiresAtMs: body.expiresAtMs,
          identity,
        },
        { clock, commitAuthors },
      );
      const [named] = await nameApprovals(platform, [stored]);
      return named ?? toApproval(stored, undefined);
    },
    async revokeApproval({ params, body, identity }) {
      const comment = body.comment === undefined ? {} : { comment: body.comment };
      await revokeApproval(store, { id: params.id, identity, ...comment }, { clock });
      return { id: params.id };
    },
    listKeys: async () => {
      const found = await listKeys(store);
      return { items: found.slice(0, KEYS_SHOWN).map(toKey), more: found.length > KEYS_SHOWN };
    },
    registerKey: async ({ body, identity }) =>
      toKey(
        await registerKey(
          store,
          {
            identity,
            publicKey: body.publicKey,
            proof: body.proof,
            proofText: keyProofText(identity.name, body.publicKey),
            label: body.label ?? "",
          },
          { clock },
        ),
      ),
    async revokeKey({ params, identity }) {
      await revokeKey(store, { id: params.id, identity }, { clock });
      return { id: params.id };
    },
  };
}

/** What waits for a decision, seen by one caller. */
export async function pendingApprovals(
  { store, project, clock, commitAuthors }: Platform,
  caller: { readonly name: string; readonly mayReview: boolean },
  digest?: Digest,
): Promise<readonly PendingApproval[]> {
  const pending = await listPendingApprovals(
    store,
    { project, ...(digest === undefined ? {} : { digest }) },
    { clock, commitAuthors },
  );
  return Promise.all(
    pending.map((each) =>
      store.read(async (transaction) => {
        const version =
          each.versionId === undefined ? undefined : await getAssetVersion(transaction, { id: each.versionId });
        const waiting = await findWaitingStepRun(transaction, { project, gateKey: each.key });
        return {
          ...toPending(each, caller),
          evidence: await readEvidence(transaction, version),
          asset: version?.asset,
          version: version?.version,
          pipelineRunId: waiting?.pipelineRunId,
          stepRunId: waiting?.id,
        };
      }),
    ),
  );
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
    signed: each.signed,
    rulesDigest: each.rulesDigest,
    mayApprove: reason === undefined,
    mayNotReason: reason,
  };
}

/** Approvals as the API shows them, with the asset and version that each digest belongs to. */
export async function nameApprovals(
  { store, project }: Platform,
  approvals: readonly StoredApproval[],
): Promise<readonly Approval[]> {
  const digests = [...new Set(approvals.map(({ digest }) => digest))];
  const names = await store.read((transaction) =>
    Promise.all(
      digests.map(async (digest) => {
        const versions = await listVersionsByDigest(transaction, { project, digest });
        const newest = versions.toSorted((left, right) => right.version - left.version)[0];
        return [digest, newest === undefined ? undefined : `${newest.asset} ${newest.version}`] as const;
      }),
    ),
  );
  const byDigest = new Map(names);
  return approvals.map((stored) => toApproval(stored, byDigest.get(stored.digest)));
}

function toApproval(stored: StoredApproval, subject: string | undefined): Approval {
  return {
    id: stored.id,
    decision: stored.decision,
    subjectKind: stored.subjectKind,
    subject,
    digest: stored.digest,
    environment: stored.environment,
    actor: stored.actor,
    atMs: stored.atMs,
    comment: stored.comment === "" ? undefined : stored.comment,
    revokedAtMs: stored.revokedAtMs,
    expiresAtMs: stored.expiresAtMs,
    keyId: stored.envelope === undefined ? undefined : signerOf(stored.envelope),
  };
}

function toKey({ id, user, label, createdAtMs, revokedAtMs }: StoredKey): SigningKey {
  return { id, user, label, createdAtMs, revokedAtMs };
}
