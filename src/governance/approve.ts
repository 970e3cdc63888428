import { type Identity, roleIn } from "#access";
import { type Clock, type Digest, newId } from "#base";
import { appendEvent, type MetadataStore, type ReadTransaction, type WriteTransaction } from "#metadata-store";
import { hasUsers } from "#metadata-store/access";
import {
  type ApprovalRequest,
  type ApprovalSubject,
  closeApprovalRequest,
  getApproval,
  insertApproval,
  listApprovalRequests,
  listApprovalRows,
  markApprovalRevoked,
  type StoredApproval,
} from "#metadata-store/governance";
import { openGate, refuseGate } from "#engine";
import { approvalGateKey } from "./approval-gate.ts";
import { type ApprovalSubjectFacts, type CommitAuthors, findSubject } from "./approval-subject.ts";
import { listApprovers } from "./approvers.ts";
import { completeRules, digestOfRules, type EnvironmentRules } from "./environment-rules.ts";
import {
  approvalMissing,
  authorCannotApprove,
  expiryInvalid,
  isMoment,
  reviewerRequired,
  revocationDenied,
  signatureInvalid,
  signatureNeeded,
  subjectUnknown,
} from "./errors.ts";
import { readVersions, settleChange } from "./rules.ts";
import { digestOfEnvelope, readSignedDecision, type SignedDecision } from "./signed-approval.ts";

/** One person's decision over a digest. */
export interface NewDecision {
  readonly project: string;
  readonly subjectKind: ApprovalSubject;
  readonly digest: Digest;
  /** Default: every environment. */
  readonly environment?: string | undefined;
  readonly decision?: "approved" | "refused";
  /** Who decides. */
  readonly identity: Identity;
  readonly comment?: string | undefined;
  /** The decision as its reviewer signed it: a DSSE envelope as JSON. */
  readonly envelope?: string | undefined;
  /** Until when it counts, epoch milliseconds; of a signed one, what it says itself. */
  readonly expiresAtMs?: number | undefined;
}

export interface ApproveOptions {
  readonly clock: Clock;
  readonly commitAuthors?: CommitAuthors | undefined;
}

/**
 * Records a decision, bound to the digest: any change of the content needs a new one. When enough people have approved,
 * the gates that wait for it open in the same transaction; a refusal refuses them. The same person's repeat of a
 * standing decision changes nothing.
 *
 * @throws GOVERNANCE_AUTHOR_CANNOT_APPROVE, GOVERNANCE_REVIEWER_REQUIRED, GOVERNANCE_SUBJECT_UNKNOWN,
 *   GOVERNANCE_SIGNATURE_NEEDED, GOVERNANCE_SIGNATURE_INVALID, GOVERNANCE_EXPIRY_INVALID
 */
export async function approve(
  store: MetadataStore,
  decision: NewDecision,
  options: ApproveOptions,
): Promise<StoredApproval> {
  const subject = await findSubject(store, { ...decision, decided: true }, options.commitAuthors);
  const approval = await store.write((transaction) =>
    decide(transaction, decision, { subject, atMs: options.clock.now() }),
  );
  // A request that was being written at the same moment saw no approval, and was not seen: now that the approval is
  // visible, it is.
  const { project, digest } = decision;
  const missed = await store.read((transaction) => listApprovalRequests(transaction, { project, digest }));
  if (missed.length > 0)
    await store.write((transaction) => moveGates(transaction, approval, { subject, atMs: options.clock.now() }));
  return approval;
}

async function decide(
  transaction: WriteTransaction,
  decision: NewDecision,
  facts: { readonly subject: ApprovalSubjectFacts; readonly atMs: number },
): Promise<StoredApproval> {
  const { project, digest, identity, environment } = decision;
  const { subject, atMs } = facts;
  const actor = identity.name;
  const chosen = decision.decision ?? "approved";
  // What waits says what it is; callers that know only a digest guess.
  const subjectKind = subject.requests[0]?.subjectKind ?? decision.subjectKind;
  const reviewer = toReviewer(identity, { project, areUsersKnown: await hasUsers(transaction) });
  if (subject.versions.length === 0 && subject.requests.length === 0) {
    const pending = await listApprovalRequests(transaction, { project });
    throw subjectUnknown({
      digest,
      project,
      pending: pending.map((request) => `${request.subject} (${request.digest}) for ${request.environment}`),
    });
  }
  const self = [actor, reviewer.countsFor].find((name) => subject.authors.includes(name));
  if (self !== undefined) throw authorCannotApprove({ actor, subject: subject.name, authors: subject.authors });
  const sealed = await readSeal(transaction, { ...decision, chosen, atMs, needed: subject.requests });
  const standing = await listApprovalRows(transaction, { project, digest, standing: true, limit: 1000 });
  const { countsFor } = reviewer;
  const same = sameDecision(standing, { ...decision, countsFor, chosen, expiresAtMs: sealed.expiresAtMs, atMs });
  const approval: StoredApproval = same ?? {
    id: newId(),
    project,
    subjectKind,
    digest,
    environment,
    decision: chosen,
    actor,
    countsFor: reviewer.countsFor,
    comment: decision.comment ?? "",
    atMs,
    revokedAtMs: undefined,
    revokedBy: undefined,
    expiresAtMs: sealed.expiresAtMs,
    envelope: decision.envelope,
  };
  if (same === undefined) {
    await insertApproval(transaction, approval);
    await appendEvent(transaction, {
      atMs,
      project,
      type: chosen === "approved" ? "approval.given" : "approval.refused",
      subjectKind: "approval",
      subject: digest,
      actor,
      data: {
        id: approval.id,
        kind: subjectKind,
        name: subject.name,
        environment,
        countsFor: reviewer.countsFor,
        comment: approval.comment,
        key: sealed.keyId,
        expiresAtMs: sealed.expiresAtMs,
      },
    });
  }
  await moveGates(transaction, approval, { subject, atMs });
  return approval;
}

/** The same person's decision that says as much already. @throws GOVERNANCE_EXPIRY_INVALID when it lasts longer */
function sameDecision(
  standing: readonly StoredApproval[],
  asked: Pick<NewDecision, "environment" | "envelope" | "expiresAtMs"> & {
    readonly countsFor: string;
    readonly chosen: StoredApproval["decision"];
    readonly atMs: number;
  },
): StoredApproval | undefined {
  const until = asked.expiresAtMs ?? Infinity;
  const alike = standing.find(
    (each) =>
      each.countsFor === asked.countsFor &&
      each.decision === asked.chosen &&
      each.environment === asked.environment &&
      each.envelope === asked.envelope &&
      (each.expiresAtMs ?? Infinity) > asked.atMs,
  );
  if (alike === undefined || until > (alike.expiresAtMs ?? Infinity)) return undefined;
  if (until < (alike.expiresAtMs ?? Infinity)) throw expiryInvalid({ expiresAtMs: until, standing: alike });
  return alike;
}

async function moveGates(
  transaction: WriteTransaction,
  approval: StoredApproval,
  facts: { readonly subject: ApprovalSubjectFacts; readonly atMs: number },
): Promise<void> {
  const { project, digest, actor } = approval;
  const { atMs } = facts;
  const open = await listApprovalRequests(transaction, { project, digest, limit: 1000 });
  for (const request of open.filter(
    (each) => approval.environment === undefined || each.environment === approval.environment,
  )) {
    const { environment } = request;
    if (request.subjectKind === "rules" && approval.decision === "approved") {
      await settleChange(transaction, { project, environment, change: digest, actor, atMs });
      continue;
    }
    const gate = { project, key: approvalGateKey(digest, environment), atMs, actor };
    if (approval.decision === "refused") {
      await refuseGate(transaction, {
        ...gate,
        reason: `${request.subject} was refused for ${request.environment} by ${actor}${approval.comment === "" ? "" : `: ${approval.comment}`}`,
      });
    } else {
      const approvers = await listApprovers(transaction, {
        project,
        digest,
        environment,
        authors: facts.subject.authors,
        ...(await rulesOf(transaction, request)),
        atMs,
      });
      if (approvers.length < request.needed) continue;
      await openGate(transaction, gate);
    }
    await closeApprovalRequest(transaction, { project, digest, environment: request.environment, atMs });
  }
}

/** The rules that the store knows for what waits; whoever lets it through looks at the file too. */
async function rulesOf(
  transaction: ReadTransaction,
  request: { readonly project: string; readonly environment: string; readonly needed: number },
): Promise<{ readonly rules: EnvironmentRules; readonly rulesDigest: Digest }> {
  const version = (await readVersions(transaction, request)).at(-1);
  if (version !== undefined) return { rules: version.rules, rulesDigest: version.digest };
  const rules = completeRules({ approvals: request.needed, bind: "version" });
  return { rules, rulesDigest: digestOfRules(request.environment, rules) };
}

/** What the signature of a decision says; where the rules ask for one and there is none, it is refused. */
async function readSeal(
  transaction: ReadTransaction,
  decision: NewDecision & {
    readonly chosen: "approved" | "refused";
    readonly atMs: number;
    readonly needed: readonly ApprovalRequest[];
  },
): Promise<{ readonly expiresAtMs: number | undefined; readonly keyId: string | undefined }> {
  const { project, digest, environment, envelope, expiresAtMs, identity, chosen, atMs } = decision;
  if (expiresAtMs !== undefined && (!isMoment(expiresAtMs) || expiresAtMs <= atMs))
    throw expiryInvalid({ expiresAtMs });
  const asked = decision.needed.filter((each) => environment === undefined || each.environment === environment);
  if (envelope === undefined) {
    for (const request of chosen === "approved" ? asked : [])
      if ((await rulesOf(transaction, request)).rules.signed)
        throw signatureNeeded({ environment: request.environment });
    return { expiresAtMs, keyId: undefined };
  }
  if (environment === undefined) throw signatureInvalid({ problem: "it names no environment" });
  const needed = asked[0]?.needed ?? 0;
  const { rulesDigest } = await rulesOf(transaction, { project, environment, needed });
  const read = await readSignedDecision(transaction, envelope, { project, digest, environment, rulesDigest });
  if ("problem" in read) throw signatureInvalid(read);
  assertOwn(read, { actor: identity.name, chosen, atMs });
  return { expiresAtMs: read.expiresAtMs, keyId: read.key.id };
}

function assertOwn(
  read: SignedDecision,
  { actor, chosen, atMs }: { readonly actor: string; readonly chosen: string; readonly atMs: number },
): void {
  if (read.reviewer !== actor) throw signatureInvalid({ problem: `it is signed by ${read.reviewer}` });
  if (read.decision !== chosen) throw signatureInvalid({ problem: `it says ${read.decision}` });
  if (read.key.revokedAtMs !== undefined) throw signatureInvalid({ problem: "its key was revoked" });
  if (read.expiresAtMs !== undefined && read.expiresAtMs <= atMs)
    throw expiryInvalid({ expiresAtMs: read.expiresAtMs });
}

/**
 * For whom the decision of a caller counts. While no user is set up, names cannot be checked and any but the author's
 * is taken; afterwards only who is signed in decides.
 */
function toReviewer(
  identity: Identity,
  { project, areUsersKnown }: { readonly project: string; readonly areUsersKnown: boolean },
): { readonly countsFor: string } {
  const { name, owner } = identity;
  if (!areUsersKnown) return { countsFor: name };
  const role = isSignedIn(identity) ? roleIn(identity, project) : undefined;
  if (role !== "reviewer" && role !== "admin") throw reviewerRequired({ project, actor: name, role });
  return { countsFor: owner ?? name };
}

function isSignedIn({ kind }: Identity): boolean {
  return kind === "user" || kind === "token";
}

/**
 * Ends a decision. What was deployed with it stays deployed; the event `approval.revoked` tells who watches.
 *
 * @throws GOVERNANCE_APPROVAL_MISSING, GOVERNANCE_REVOCATION_DENIED
 */
export async function revokeApproval(
  store: MetadataStore,
  facts: { readonly id: string; readonly identity: Identity; readonly comment?: string },
  options: { readonly clock: Clock },
): Promise<void> {
  await store.write(async (transaction) => {
    const atMs = options.clock.now();
    const approval = await getApproval(transaction, facts.id);
    if (approval === undefined) throw approvalMissing({ id: facts.id });
    const { identity } = facts;
    const actor = identity.name;
    const isAdmin = isSignedIn(identity) && roleIn(identity, approval.project) === "admin";
    if (actor !== approval.actor && actor !== approval.countsFor && !isAdmin)
      throw revocationDenied({ actor, id: facts.id, by: approval.actor });
    if (!(await markApprovalRevoked(transaction, { id: facts.id, atMs, actor })))
      throw approvalMissing({ id: facts.id });
    await appendEvent(transaction, {
      atMs,
      project: approval.project,
      type: "approval.revoked",
      subjectKind: "approval",
      subject: approval.digest,
      actor,
      data: {
        id: approval.id,
        kind: approval.subjectKind,
        environment: approval.environment,
        comment: facts.comment,
        envelope: approval.envelope === undefined ? undefined : digestOfEnvelope(approval.envelope),
      },
    });
  });
}

/** Decisions, newest first: every one, or the newest `limit`. */
export async function listApprovals(
  store: MetadataStore,
  query: { readonly project: string; readonly digest?: string; readonly limit?: number },
): Promise<readonly StoredApproval[]> {
  return store.read(async (transaction) => {
    if (query.limit !== undefined) return listApprovalRows(transaction, query);
    const found: StoredApproval[] = [];
    for (;;) {
      const before = found.at(-1)?.id;
      const page = { ...query, limit: DECISIONS_A_PAGE, ...(before === undefined ? {} : { before }) };
      const rows = await listApprovalRows(transaction, page);
      found.push(...rows);
      if (rows.length < DECISIONS_A_PAGE) return found;
    }
  });
}

const DECISIONS_A_PAGE = 1000;

/** Something that waits for a decision, with who has decided so far. */
export interface PendingApproval {
  /** Key of the gate. */
  readonly key: string;
  readonly subjectKind: ApprovalSubject;
  readonly subject: string;
  readonly versionId: string | undefined;
  readonly digest: Digest;
  readonly environment: string;
  readonly reason: string;
  readonly needed: number;
  /** Only signed approvals count. */
  readonly signed: boolean;
  /** Digest of the rules: part of what is signed. */
  readonly rulesDigest: Digest;
  readonly approvedBy: readonly string[];
  readonly authors: readonly string[];
  readonly requestedBy: string;
  readonly requestedAtMs: number;
}

/** What waits for approval, oldest first, at most 100 unless told; of one digest when it is given. */
export async function listPendingApprovals(
  store: MetadataStore,
  query: { readonly project: string; readonly digest?: Digest; readonly limit?: number },
  { clock, commitAuthors }: ApproveOptions,
): Promise<readonly PendingApproval[]> {
  const requests = await store.read((transaction) => listApprovalRequests(transaction, query));
  const pending: PendingApproval[] = [];
  for (const request of requests) {
    const { authors } = await findSubject(store, request, commitAuthors);
    const approvedBy = await store.read(async (transaction) =>
      listApprovers(transaction, {
        ...request,
        authors,
        ...(await rulesOf(transaction, request)),
        atMs: clock.now(),
      }),
    );
    const { rules, rulesDigest } = await store.read((transaction) => rulesOf(transaction, request));
    const { subjectKind, subject, versionId, digest, environment, reason, needed, requestedBy, requestedAtMs } =
      request;
    pending.push({
      key: approvalGateKey(digest, environment),
      subjectKind,
      subject,
      versionId,
      digest,
      environment,
      reason,
      needed,
      signed: rules.signed,
      rulesDigest,
      approvedBy,
      authors,
      requestedBy,
      requestedAtMs,
    });
  }
  return pending;
}
