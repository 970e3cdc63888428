import { type Digest, isDigest } from "#base";
import { listEvents, type ReadTransaction, type StoredEvent } from "#metadata-store";
import { digestOfRules, type EnvironmentRules, parseRules, strictest } from "./environment-rules.ts";

/** Rules that were in force, oldest first: what the events of an environment say. */
export interface RulesVersion {
  /** From 1. */
  readonly number: number;
  readonly digest: Digest;
  readonly rules: EnvironmentRules;
  /** How they came about. */
  readonly change: "declared" | "raised" | "lowered";
  readonly actor: string;
  readonly atMs: number;
  /** Who agreed to lower them. */
  readonly approvedBy: readonly string[];
}

/** Whether enough people agreed to a change of rules that was made. */
export type BackingCheck = (change: {
  readonly digest: Digest;
  readonly environment: string;
  /** Those that asked for the quorum. */
  readonly rules: EnvironmentRules;
  readonly atMs: number;
}) => Promise<boolean>;

const EVENTS_A_PAGE = 1000;

/** Every change of the rules of an environment, oldest first. */
export async function listRulesEvents(
  transaction: ReadTransaction,
  query: { readonly project?: string; readonly environment?: string },
): Promise<readonly StoredEvent[]> {
  const found: StoredEvent[] = [];
  const { project, environment } = query;
  for (let after = 0; ;) {
    const page = await listEvents(transaction, {
      subjectKind: "rules",
      after,
      limit: EVENTS_A_PAGE,
      ...(project === undefined ? {} : { project }),
      ...(environment === undefined ? {} : { subject: environment }),
    });
    found.push(...page);
    after = page.at(-1)?.sequence ?? after;
    if (page.length < EVENTS_A_PAGE) return found;
  }
}

/**
 * The rules of one environment, version by version. A lowering that does not start from the rules before it, or that
 * nobody agreed to, is none: it is left out.
 */
export async function foldRules(
  events: readonly StoredEvent[],
  environment: string,
  isBacked: BackingCheck,
): Promise<readonly RulesVersion[]> {
  const versions: RulesVersion[] = [];
  for (const event of events) {
    const next = await applyEvent(event, versions.at(-1), { environment, isBacked });
    if (next === undefined) continue;
    const digest = digestOfRules(environment, next.rules);
    if (digest === versions.at(-1)?.digest) continue;
    versions.push({ ...next, number: versions.length + 1, digest, actor: event.actor, atMs: event.atMs });
  }
  return versions;
}

type Applied = Pick<RulesVersion, "rules" | "change" | "approvedBy">;

async function applyEvent(
  event: StoredEvent,
  current: RulesVersion | undefined,
  { environment, isBacked }: { readonly environment: string; readonly isBacked: BackingCheck },
): Promise<Applied | undefined> {
  if (event.type !== "rules.declared" && event.type !== "rules.raised" && event.type !== "rules.lowered")
    return undefined;
  const rules = parseRules(event.data.rules);
  if (rules === undefined) return undefined;
  if (current === undefined) return { rules, change: "declared", approvedBy: [] };
  if (event.type !== "rules.lowered")
    return { rules: strictest(current.rules, rules, event.atMs), change: "raised", approvedBy: [] };
  const { from, change, approvedBy } = event.data;
  if (from !== current.digest || !isDigest(change)) return undefined;
  const asked = { digest: change, environment, rules: current.rules, atMs: event.atMs };
  if (current.rules.approvals > 0 && !(await isBacked(asked))) return undefined;
  return { rules, change: "lowered", approvedBy };
}

type AskedEvent = StoredEvent & { readonly type: "rules.lowering_asked" };

/** What a digest of a change stands for; the latest time that it was asked for. */
export async function askedChange(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly environment: string; readonly change: string },
): Promise<AskedEvent | undefined> {
  const events = await listRulesEvents(transaction, key);
  return events.findLast(
    (each): each is AskedEvent => each.type === "rules.lowering_asked" && each.data.change === key.change,
  );
}
