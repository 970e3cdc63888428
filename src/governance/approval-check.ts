import type { Clock, Digest, Json } from "#base";
import { appendEvent, type AssetVersion, type MetadataStore } from "#metadata-store";
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
import { approvalGateKey, listApprovers } from "./approve.ts";

/** Rules of an environment; the same shape as `delivery` asks with. */
export interface ProtectionRules {
  readonly approvals: number;
  readonly bind: "version" | "recipe";
}

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
}

interface Binding {
  readonly digest: Digest;
  readonly subjectKind: ApprovalSubject;
  /** For people: `the recipe of delay`, `delay 3`. */
  readonly name: string;
}

/**
 * Decides whether a version may go to an environment; implements `ApprovalCheck` of `delivery`.
 *
 * Roles and authorship are checked again at this moment: a removed reviewer no longer counts. A closed gate is noted as
 * a request, with its event `approval.requested`.
 */
export function createApprovalCheck(options: ApprovalCheckOptions): {
  check(subject: {
    readonly project: string;
    readonly environment: string;
    readonly rules: ProtectionRules;
    readonly version: AssetVersion;
    readonly deploy: Json;
    readonly requestedBy: string;
  }): Promise<ProtectionDecision>;
} {
  const { store } = options;
  return {
    async check({ project, environment, rules, version, deploy, requestedBy }) {
      if (rules.approvals === 0) return { open: true, approvedBy: [], digest: undefined };
      const verdict = await store.read((transaction) => getVerdict(transaction, version.id));
      const recipe = rules.bind === "recipe" && verdict?.passed === true;
      const binding = await bindingOf(options.objects, { version, verdict: recipe ? verdict : undefined, deploy });
      const key = approvalGateKey(binding.digest, environment);
      if (rules.bind === "recipe" && verdict?.passed === false) {
        return {
          open: false,
          refused: true,
          gate: {
            key,
            reason: `${version.asset} ${version.version} did not pass its test, so it may not go to ${environment}`,
          },
        };
      }
      const refusal = await findRefusal(store, { project, digest: binding.digest, environment });
      if (refusal !== undefined) {
        return {
          open: false,
          refused: true,
          gate: {
            key,
            reason: `${refusal.actor} refused ${binding.name} for ${environment}${refusal.comment === "" ? "" : `: ${refusal.comment}`}`,
          },
        };
      }
      const { authors } = await findSubject(
        store,
        { project, digest: binding.digest, madeBy: binding.subjectKind === "recipe" ? version : undefined },
        options.commitAuthors,
      );
      const count = (): Promise<readonly string[]> =>
        store.read((transaction) =>
          listApprovers(transaction, { project, digest: binding.digest, environment, authors }),
        );
      let approvedBy = await count();
      if (approvedBy.length < rules.approvals) {
        // Counted again after the request was noted: an approval given in between did not see it and opened no gate.
        await request(options, { project, environment, version, binding, requestedBy, needed: rules.approvals });
        approvedBy = await count();
      }
      if (approvedBy.length >= rules.approvals) {
        await close(options, { project, environment, digest: binding.digest });
        return { open: true, approvedBy, digest: binding.digest };
      }
      return {
        open: false,
        refused: false,
        gate: { key, reason: describeNeed({ binding, environment, needed: rules.approvals, approvedBy, authors }) },
      };
    },
  };
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
