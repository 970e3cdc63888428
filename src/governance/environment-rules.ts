import { z } from "zod";
import { type Digest, digestOfJson } from "#base";

const RULES_FORMAT = "environment-rules/1";
const CHANGE_FORMAT = "environment-rules-change/1";

/** A time in which nothing new is deployed; ISO moments in UTC, `to` is left out. */
export interface FreezePeriod {
  readonly from: string;
  readonly to: string;
  readonly reason?: string | undefined;
}

/** What protects an environment. */
export interface EnvironmentRules {
  /** Distinct approvals that must stand; 0 for none. */
  readonly approvals: number;
  readonly bind: "version" | "recipe";
  /** Processes that work for it run in a sandbox, or not at all. */
  readonly sandbox: boolean;
  /** Only signed approvals count. */
  readonly signed: boolean;
  /** Users whose approvals count, sorted; undefined: every reviewer. */
  readonly reviewers?: readonly string[] | undefined;
  readonly freeze: readonly FreezePeriod[];
  /** Aliases of registered models that follow what runs here, sorted. */
  readonly aliases: readonly string[];
}

/** Rules as they may be given: what is left out protects nothing. */
export type WrittenRules = Pick<EnvironmentRules, "approvals" | "bind"> & Partial<EnvironmentRules>;

const rulesSchema: z.ZodType<EnvironmentRules> = z.object({
  approvals: z.int().min(0),
  bind: z.enum(["version", "recipe"]),
  sandbox: z.boolean(),
  signed: z.boolean(),
  reviewers: z.array(z.string()).optional(),
  freeze: z.array(z.object({ from: z.string(), to: z.string(), reason: z.string().optional() })),
  aliases: z.array(z.string()),
});

/** Reads rules that were kept as JSON; undefined when they are none. */
export function parseRules(value: unknown): EnvironmentRules | undefined {
  return rulesSchema.safeParse(value).data;
}

/** Fills in what is left out, and sorts what has no order. */
export function completeRules(written: WrittenRules): EnvironmentRules {
  const { approvals, bind, sandbox = false, signed = false, reviewers, freeze = [], aliases = [] } = written;
  return {
    approvals,
    bind,
    sandbox,
    signed,
    ...(reviewers === undefined ? {} : { reviewers: sorted(reviewers) }),
    freeze: freeze.toSorted((left, right) => (left.from + left.to < right.from + right.to ? -1 : 1)),
    aliases: sorted(aliases),
  };
}

/** What a signed approval is given under: other rules, another approval. */
export function digestOfRules(environment: string, rules: EnvironmentRules): Digest {
  return digestOfJson({ format: RULES_FORMAT, environment, rules });
}

/** What is approved when rules are lowered: from these very rules to those. */
export function digestOfChange(change: {
  readonly project: string;
  readonly environment: string;
  readonly from: Digest;
  readonly to: EnvironmentRules;
}): Digest {
  return digestOfJson({ format: CHANGE_FORMAT, ...change });
}

/**
 * Of every rule the one that asks for more. Who may approve is one rule: fewer of the same people ask for more, other
 * people do not.
 */
export function strictest(inForce: EnvironmentRules, written: EnvironmentRules, nowMs: number): EnvironmentRules {
  const approvals = Math.max(inForce.approvals, written.approvals);
  return completeRules({
    approvals,
    bind: inForce.bind === "version" || written.bind === "version" ? "version" : "recipe",
    sandbox: inForce.sandbox || written.sandbox,
    signed: inForce.signed || written.signed,
    reviewers: narrower(inForce.reviewers, written.reviewers, approvals),
    freeze: joinPeriods(inForce.freeze, written.freeze, nowMs),
    aliases: [...inForce.aliases, ...written.aliases],
  });
}

export type RuleName = keyof EnvironmentRules;

/** One rule that asks for less than it did. */
export interface LoweredRule {
  readonly rule: RuleName;
  readonly from: string;
  readonly to: string;
}

/** The rules that ask for less than those in force; what a quorum decides over. */
export function loweredRules(
  written: EnvironmentRules,
  inForce: EnvironmentRules,
  nowMs: number,
): readonly LoweredRule[] {
  const kept = strictest(inForce, written, nowMs);
  return differences(written, kept).map(({ rule, before, after }) => ({ rule, from: after, to: before }));
}

/** The rules that are others, as text for people. */
export function differences(
  before: EnvironmentRules,
  after: EnvironmentRules,
): readonly { readonly rule: RuleName; readonly before: string; readonly after: string }[] {
  return RULE_NAMES.flatMap((rule) => {
    const [was, is] = [textOf(before, rule), textOf(after, rule)];
    return was === is ? [] : [{ rule, before: was, after: is }];
  });
}

export const RULE_NAMES: readonly RuleName[] = [
  "approvals",
  "bind",
  "signed",
  "reviewers",
  "sandbox",
  "freeze",
  "aliases",
];

/** One rule as text: `2`, `recipe`, `rui, eva`. */
export function textOf(rules: EnvironmentRules, rule: RuleName): string {
  if (rule === "freeze") return rules.freeze.map(({ from, to }) => `${from}/${to}`).join(", ") || "none";
  if (rule === "reviewers") return rules.reviewers?.join(", ") ?? "every reviewer";
  if (rule === "aliases") return rules.aliases.join(", ") || "none";
  return String(rules[rule]);
}

/** The freeze that holds at a moment. */
export function freezeAt(rules: EnvironmentRules, nowMs: number): FreezePeriod | undefined {
  return rules.freeze.find(({ from, to }) => Date.parse(from) <= nowMs && nowMs < Date.parse(to));
}

function narrower(
  inForce: readonly string[] | undefined,
  written: readonly string[] | undefined,
  approvals: number,
): readonly string[] | undefined {
  if (inForce === undefined || written === undefined) return inForce ?? written;
  const isPart = written.every((name) => inForce.includes(name));
  return isPart && written.length >= approvals ? written : inForce;
}

/** All periods but those that are over and those that another covers. */
function joinPeriods(
  inForce: readonly FreezePeriod[],
  written: readonly FreezePeriod[],
  nowMs: number,
): readonly FreezePeriod[] {
  const isOpen = inForce.filter(({ to }) => Date.parse(to) > nowMs);
  const kept = isOpen.filter((period) => !written.some((each) => covers(each, period)));
  return [...written.filter((period) => !kept.some((each) => covers(each, period))), ...kept];
}

function covers(wide: FreezePeriod, narrow: FreezePeriod): boolean {
  return wide.from <= narrow.from && wide.to >= narrow.to;
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted();
}
