import type { Clock, Digest, Json } from "#base";
import { findWeaklyMade } from "#engine";
import { appendEvent, type AssetVersion, type MetadataStore, type ReadTransaction } from "#metadata-store";
import {
  type ApprovalSubject,
  closeApprovalRequest,
  getVerdict,
  listApprovalRequests,
  listApprovalRows,
  upsertApprovalRequest,
  type StoredVerdict,
} from "#metadata-store/governance";
import type { Blobs } from "#storage";
import { digestOfRecipe, formatRecipe, parseRecipe, type Recipe, recipeOf, releaseRecipe } from "#pipeline";
import { type CommitAuthors, findSubject, subjectKindOf } from "./approval-subject.ts";
import { approvalGateKey } from "./approval-gate.ts";
import { listApprovers } from "./approvers.ts";
import {
  completeRules,
  digestOfRules,
  type EnvironmentRules,
  freezeAt,
  type FreezePeriod,
  type WrittenRules,
} from "./environment-rules.ts";
import type { Rules } from "./rules.ts";

export type ProtectionDecision =
  | { readonly open: true; readonly approvedBy: readonly string[]; readonly digest: Digest | undefined }
  | {
      readonly open: false;
      readonly refused: boolean;
      readonly gate: { readonly key: string; readonly reason: string };
    };

export interface ApprovalCheckOptions {
  readonly store: MetadataStore;
  /** Where recipes are kept. */
  readonly objects: Blobs;
  readonly clock: Clock;
  readonly commitAuthors?: CommitAuthors | undefined;
  /** Rules in force; without them those that a caller gives are. */
  readonly rules?: Rules | undefined;
}

interface Binding {
  readonly digest: Digest;
  readonly subjectKind: ApprovalSubject;
  /** For people: `the recipe of delay`, `delay 3`. */
  readonly name: string;
}

/** A version that is to go to an environment, or that is there. */
export interface ProtectedSubject {
  readonly project: string;
  readonly environment: string;
  /** As the caller knows them: the rules in force may ask for more. */
  readonly rules: WrittenRules;
  readonly version: AssetVersion;
  readonly deploy: Json;
  readonly requestedBy: string;
  /** A rollback brings back what ran there before: it goes in a freeze too. */
  readonly isRollback?: boolean | undefined;
}

/** `ApprovalCheck` of `delivery`, and the same question over what is there already. */
export interface ProtectionCheck {
  /**
   * Decides whether a version may go to an environment.
   *
   * Roles and authorship are checked again at this moment: a removed reviewer no longer counts. A closed gate is noted
   * as a request, with its event `approval.requested`.
   */
  check(subject: ProtectedSubject): Promise<ProtectionDecision>;
  /** Whether what runs there could go there now; a freeze does not count. Nothing is noted. */
  stands(subject: ProtectedSubject): Promise<ProtectionDecision>;
}

/** Opens the check that guards every way into an environment. */
export function createApprovalCheck(options: ApprovalCheckOptions): ProtectionCheck {
  return {
    async check(subject) {
      await options.rules?.declare(subject.requestedBy);
      const rules = await rulesOf(subject, options);
      const freeze = subject.isRollback === true ? undefined : freezeAt(rules, options.clock.now());
      if (freeze !== undefined) return refuse(`freeze:${subject.environment}`, frozen(subject, freeze));
      const judged = await judge(subject, rules, options);
      if ("open" in judged) return judged;
      // Counted again after the request was noted: an approval given in between did not see it and opened no gate.
      const { project, environment, version, requestedBy } = subject;
      const { binding } = judged;
      let { approvedBy } = judged;
      if (approvedBy.length < rules.approvals) {
        await request(options, { project, environment, version, binding, requestedBy, needed: rules.approvals });
        approvedBy = await judged.count();
      }
      if (approvedBy.length >= rules.approvals) await close(options, { project, environment, digest: binding.digest });
      return decide(subject, { ...judged, approvedBy, needed: rules.approvals });
    },
    async stands(subject) {
      const rules = await rulesOf(subject, options);
      const judged = await judge(subject, rules, options);
      return "open" in judged ? judged : decide(subject, { ...judged, needed: rules.approvals });
    },
  };
}

async function rulesOf(subject: ProtectedSubject, { rules }: ApprovalCheckOptions): Promise<EnvironmentRules> {
  return (await rules?.inForce(subject.environment)) ?? completeRules(subject.rules);
}

function frozen({ environment }: ProtectedSubject, { to, reason }: FreezePeriod): string {
  return `${environment} is frozen until ${to}${reason === undefined ? "" : `: ${reason}`}`;
}

function refuse(key: string, reason: string): ProtectionDecision {
  return { open: false, refused: true, gate: { key, reason } };
}

/** What of a version was made with less isolation than an environment requires; undefined when nothing. */
export async function explainWeakness(
  transaction: ReadTransaction,
  version: AssetVersion,
  { sandbox }: Pick<EnvironmentRules, "sandbox">,
): Promise<string | undefined> {
  if (!sandbox) return undefined;
  const weak = await findWeaklyMade(transaction, version, "sandbox");
  if (weak === undefined) return undefined;
  const { version: made, level } = weak;
  return `${made.asset} ${made.version} ${level === undefined ? "does not say how it was made" : `was made with "${level}"`}`;
}

interface Judged {
  readonly binding: Binding;
  readonly authors: readonly string[];
  readonly approvedBy: readonly string[];
  readonly count: () => Promise<readonly string[]>;
}

/** What stands for and against a version; a decision where there is nothing to count. */
async function judge(
  { project, environment, version, deploy }: ProtectedSubject,
  rules: EnvironmentRules,
  options: ApprovalCheckOptions,
): Promise<ProtectionDecision | Judged> {
  const { store, clock } = options;
  const weak = await store.read((transaction) => explainWeakness(transaction, version, rules));
  if (weak !== undefined)
    return refuse(
      `isolation:${environment}`,
      `${environment} requires a sandbox of what runs there and of what it was made from: ${weak}`,
    );
  if (rules.approvals === 0) return { open: true, approvedBy: [], digest: undefined };
  const verdict = await store.read((transaction) => getVerdict(transaction, version.id));
  const recipe = rules.bind === "recipe" && verdict?.passed === true;
  const binding = await bindingOf(options.objects, { version, verdict: recipe ? verdict : undefined, deploy });
  const { digest } = binding;
  const key = approvalGateKey(digest, environment);
  if (rules.bind === "recipe" && verdict?.passed === false)
    return refuse(key, `${version.asset} ${version.version} did not pass its test, so it may not go to ${environment}`);
  const refusal = await findRefusal(store, { project, digest, environment });
  if (refusal !== undefined) {
    const why = refusal.comment === "" ? "" : `: ${refusal.comment}`;
    return refuse(key, `${refusal.actor} refused ${binding.name} for ${environment}${why}`);
  }
  const madeBy = binding.subjectKind === "recipe" ? version : undefined;
  const { authors } = await findSubject(store, { project, digest, madeBy }, options.commitAuthors);
  const rulesDigest = (await options.rules?.digestOf(environment)) ?? digestOfRules(environment, rules);
  const subject = { project, digest, environment, authors, rules, rulesDigest };
  const count = (): Promise<readonly string[]> =>
    store.read((transaction) => listApprovers(transaction, { ...subject, atMs: clock.now() }));
  return { binding, authors, count, approvedBy: await count() };
}

function decide(
  { environment }: ProtectedSubject,
  facts: Omit<Judged, "count"> & { readonly needed: number },
): ProtectionDecision {
  const { binding, approvedBy, authors, needed } = facts;
  const { digest } = binding;
  if (approvedBy.length >= needed) return { open: true, approvedBy, digest };
  const reason = describeNeed({ binding, environment, needed, approvedBy, authors });
  return { open: false, refused: false, gate: { key: approvalGateKey(digest, environment), reason } };
}

function describeNeed(facts: {
  readonly binding: Binding;
  readonly environment: string;
  readonly needed: number;
  readonly approvedBy: readonly string[];
  readonly authors: readonly string[];
}): string {
  const missing = facts.needed - facts.approvedBy.length;
  const not = facts.authors.length === 0 ? "" : `, not ${facts.authors.join(" or ")}`;
  return `${facts.binding.name} needs ${missing} approval${missing === 1 ? "" : "s"} for ${facts.environment} by a reviewer${not}: esteira approve ${facts.binding.digest} --environment ${facts.environment}`;
}

/**
 * The recipe that made a tested model, or the version itself. A recipe can only speak for a model that passed its test;
 * versions and verdicts of before recipes have none.
 */
async function bindingOf(
  objects: Blobs,
  of: { readonly version: AssetVersion; readonly verdict: StoredVerdict | undefined; readonly deploy: Json },
): Promise<Binding> {
  const { version } = of;
  const recipe = await findRecipe(objects, of);
  if (recipe === undefined)
    return {
      digest: version.digest,
      subjectKind: subjectKindOf(version.kind),
      name: `${version.asset} ${version.version}`,
    };
  await objects.put(formatRecipe(recipe));
  return { digest: digestOfRecipe(recipe), subjectKind: "recipe", name: `the recipe of ${version.asset}` };
}

async function findRecipe(
  objects: Blobs,
  of: { readonly version: AssetVersion; readonly verdict: StoredVerdict | undefined; readonly deploy: Json },
): Promise<Recipe | undefined> {
  const { version, verdict, deploy } = of;
  const made = recipeOf(version);
  const judged = verdict === undefined ? undefined : recipeOf(verdict);
  if (verdict === undefined || made === undefined || judged === undefined) return undefined;
  const read = async (digest: Digest): Promise<Recipe> => parseRecipe((await objects.get(digest)).toString("utf8"));
  return releaseRecipe(await read(made), await read(judged), { asset: version.asset, gate: stepOf(verdict), deploy });
}

/** The step that judged. */
function stepOf({ content }: StoredVerdict): string {
  return "step" in content && typeof content.step === "string" ? content.step : "test";
}

async function findRefusal(
  store: MetadataStore,
  key: { readonly project: string; readonly digest: string; readonly environment: string },
): Promise<{ readonly actor: string; readonly comment: string } | undefined> {
  const rows = await store.read((transaction) =>
    listApprovalRows(transaction, { ...key, standing: true, limit: 1000 }),
  );
  return rows.find(({ decision }) => decision === "refused");
}

async function request(
  options: ApprovalCheckOptions,
  facts: {
    readonly project: string;
    readonly environment: string;
    readonly version: AssetVersion;
    readonly binding: Binding;
    readonly requestedBy: string;
    readonly needed: number;
  },
): Promise<void> {
  const { project, environment, version, binding, requestedBy, needed } = facts;
  await options.store.write(async (transaction) => {
    const known = await listApprovalRequests(transaction, { project, digest: binding.digest, limit: 1000 });
    const atMs = options.clock.now();
    const reason = `${version.asset} ${version.version} wants to go to ${environment}`;
    await upsertApprovalRequest(transaction, {
      project,
      digest: binding.digest,
      environment,
      subjectKind: binding.subjectKind,
      subject: binding.name,
      versionId: version.id,
      reason,
      needed,
      requestedBy,
      requestedAtMs: atMs,
    });
    if (known.some((each) => each.environment === environment)) return;
    await appendEvent(transaction, {
      atMs,
      project,
      type: "approval.requested",
      subjectKind: "approval",
      subject: binding.digest,
      actor: requestedBy,
      data: { kind: binding.subjectKind, name: binding.name, environment, needed, reason },
    });
  });
}

async function close(
  options: ApprovalCheckOptions,
  key: { readonly project: string; readonly digest: string; readonly environment: string },
): Promise<void> {
  await options.store.write((transaction) => closeApprovalRequest(transaction, { ...key, atMs: options.clock.now() }));
}
