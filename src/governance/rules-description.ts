import { type Digest, nearestName } from "#base";
import type { MetadataStore } from "#metadata-store";
import { listApprovalRequests } from "#metadata-store/governance";
import { differences, digestOfRules, RULE_NAMES, type RuleName, textOf } from "./environment-rules.ts";
import { rulesUnknown } from "./errors.ts";
import { listRulesEvents, type RulesVersion } from "./rules-history.ts";
import { readVersions, type Rules } from "./rules.ts";

export interface RuleChange {
  readonly rule: RuleName;
  readonly before?: string | undefined;
  readonly after: string;
}

/** What protects an environment, how it came about, and what the file would have instead. */
export interface RulesDescription {
  readonly environment: string;
  /** Of the rules in force. */
  readonly digest: Digest;
  readonly rules: readonly { readonly rule: RuleName; readonly value: string }[];
  /** What `esteira.yaml` writes otherwise, and waits for the quorum. */
  readonly lowered: readonly RuleChange[];
  /** Digest that the quorum approves; undefined when nothing waits. */
  readonly change: Digest | undefined;
  /** Newest first. */
  readonly history: readonly (Omit<RulesVersion, "rules"> & { readonly changes: readonly RuleChange[] })[];
}

/** Describes the rules of one environment. @throws GOVERNANCE_RULES_UNKNOWN */
export async function describeRules(
  store: MetadataStore,
  rules: Rules,
  { project, environment }: { readonly project: string; readonly environment: string },
): Promise<RulesDescription> {
  const { versions, waiting, known } = await store.read(async (transaction) => ({
    versions: await readVersions(transaction, { project, environment }),
    waiting: (await listApprovalRequests(transaction, { project, limit: 1000 })).find(
      (request) => request.subjectKind === "rules" && request.environment === environment,
    ),
    known: (await listRulesEvents(transaction, { project })).map(({ subject }) => subject),
  }));
  const written = rules.written(environment);
  const inForce = await rules.inForce(environment);
  if (inForce === undefined) {
    const names = [...new Set(known)];
    throw rulesUnknown({ environment, known: names, nearest: nearestName(environment, names) });
  }
  return {
    environment,
    digest: versions.at(-1)?.digest ?? digestOfRules(environment, inForce),
    rules: RULE_NAMES.map((rule) => ({ rule, value: textOf(inForce, rule) })),
    lowered: written === undefined ? [] : differences(inForce, written),
    change: waiting?.digest,
    history: versions.map(toHistory).toReversed(),
  };
}

function toHistory(
  { rules, ...version }: RulesVersion,
  index: number,
  all: readonly RulesVersion[],
): RulesDescription["history"][number] {
  const before = all[index - 1]?.rules;
  const changes =
    before === undefined
      ? RULE_NAMES.map((rule) => ({ rule, after: textOf(rules, rule) }))
      : differences(before, rules);
  return { ...version, changes };
}
