import type { Clock, Digest } from "#base";
import { appendEvent, type MetadataStore, type ReadTransaction, type WriteTransaction } from "#metadata-store";
import { listUsers } from "#metadata-store/access";
import {
  closeApprovalRequest,
  listApprovalRequests,
  listApprovalRows,
  upsertApprovalRequest,
} from "#metadata-store/governance";
import { askAgain } from "./approval-gate.ts";
import { createBackingCheck, listApprovers } from "./approvers.ts";
import {
  completeRules,
  digestOfChange,
  digestOfRules,
  type EnvironmentRules,
  loweredRules,
  strictest,
  type WrittenRules,
} from "./environment-rules.ts";
import { askedChange, foldRules, listRulesEvents, type RulesVersion } from "./rules-history.ts";

/** An environment as `esteira.yaml` writes it. */
export type WrittenEnvironment = WrittenRules & { readonly name: string };

export interface RulesOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly project: string;
  /** What this process read from `esteira.yaml`. */
  readonly environments: readonly WrittenEnvironment[];
  /** Addresses of those who committed `esteira.yaml` since a time, and last. */
  readonly fileAuthors?: ((sinceMs: number) => Promise<readonly string[]>) | undefined;
}

/** Rules of the environments of a project: the file raises those in force at once, and lowers them with a quorum. */
export interface Rules {
  /**
   * Compares the file with what is in force, once in a process: raises, and asks for the approvals that lowering takes.
   *
   * @param actor who brought the file
   */
  declare(actor: string): Promise<void>;
  /** Reads what is in force for `current`, and changes nothing. */
  refresh(): Promise<void>;
  /**
   * What protects an environment now: of the store and the file the stricter; undefined where neither knows it.
   * Reads the store.
   */
  inForce(environment: string): Promise<EnvironmentRules | undefined>;
  /** Digest of the rules that the store knows, which signed decisions name; undefined before the first declaration. */
  digestOf(environment: string): Promise<Digest | undefined>;
  /** As the file of this process writes them; undefined when it does not name the environment. */
  written(environment: string): EnvironmentRules | undefined;
  /** The same for every environment of the file, as of the last `declare` or `refresh`. */
  current(): readonly (EnvironmentRules & { readonly name: string })[];
}

/** Opens the rules of a project. */
export function createRules(options: RulesOptions): Rules {
  const { store, clock, project, environments } = options;
  const written = new Map(environments.map((environment) => [environment.name, completeRules(environment)]));
  let known: ReadonlyMap<string, EnvironmentRules> = written;
  let declaring: Promise<void> | undefined;
  const strict = (name: string, versions: readonly RulesVersion[]): EnvironmentRules | undefined => {
    const [file, kept] = [written.get(name), versions.at(-1)?.rules];
    return file === undefined || kept === undefined ? (kept ?? file) : strictest(kept, file, clock.now());
  };
  const declareAll = async (actor: string): Promise<void> => {
    const found = new Map<string, EnvironmentRules>();
    for (const [name, rules] of written) {
      const since = (await store.read((transaction) => readVersions(transaction, { project, environment: name }))).at(
        -1,
      )?.atMs;
      const addresses = (await options.fileAuthors?.(since ?? clock.now())) ?? [];
      const inForce = await store.write((transaction) =>
        declareEnvironment(transaction, {
          project,
          environment: name,
          written: rules,
          others: [...written.keys()],
          actor,
          addresses,
          atMs: clock.now(),
        }),
      );
      found.set(name, inForce);
    }
    known = found;
  };
  return {
    async refresh() {
      const found = new Map<string, EnvironmentRules>();
      for (const [name, rules] of written) {
        const versions = await store.read((transaction) => readVersions(transaction, { project, environment: name }));
        found.set(name, strict(name, versions) ?? rules);
      }
      known = found;
    },
    declare: (actor) =>
      (declaring ??= declareAll(actor).catch((error: unknown) => {
        declaring = undefined;
        throw error;
      })),
    async inForce(environment) {
      const versions = await store.read((transaction) => readVersions(transaction, { project, environment }));
      return strict(environment, versions);
    },
    async digestOf(environment) {
      const versions = await store.read((transaction) => readVersions(transaction, { project, environment }));
      return versions.at(-1)?.digest;
    },
    written: (environment) => written.get(environment),
    current: () => [...known].map(([name, rules]) => ({ ...rules, name })),
  };
}

/** The versions of the rules of one environment, oldest first. */
export async function readVersions(
  transaction: ReadTransaction,
  { project, environment }: { readonly project: string; readonly environment: string },
): Promise<readonly RulesVersion[]> {
  const events = await listRulesEvents(transaction, { project, environment });
  return foldRules(events, environment, createBackingCheck(transaction, project));
}

interface Declaration {
  readonly project: string;
  readonly environment: string;
  readonly written: EnvironmentRules;
  /** Every environment of the file. */
  readonly others: readonly string[];
  readonly actor: string;
  readonly addresses: readonly string[];
  readonly atMs: number;
}

/** Raises at once, asks for what is lowered. @returns what is in force then */
async function declareEnvironment(transaction: WriteTransaction, facts: Declaration): Promise<EnvironmentRules> {
  const { project, environment, written, actor, atMs } = facts;
  const scope = { project, environment };
  const append = (type: "rules.declared" | "rules.raised", rules: EnvironmentRules): Promise<void> =>
    appendEvent(transaction, {
      atMs,
      project,
      type,
      subjectKind: "rules",
      subject: environment,
      actor,
      data: { rules, digest: digestOfRules(environment, rules) },
    });
  let inForce = (await readVersions(transaction, scope)).at(-1)?.rules;
  if (inForce === undefined) {
    inForce = await firstRules(transaction, facts);
    await append("rules.declared", inForce);
  }
  const raised = strictest(inForce, written, atMs);
  if (digestOfRules(environment, raised) !== digestOfRules(environment, inForce)) {
    await append("rules.raised", raised);
    await askAgain(transaction, facts);
  }
  const from = digestOfRules(environment, raised);
  const change = digestOfChange({ project, environment, from, to: written });
  const lowered = loweredRules(written, raised, atMs);
  for (const request of await listApprovalRequests(transaction, { project, limit: 1000 })) {
    const isOther = request.subjectKind === "rules" && request.environment === environment;
    if (isOther && (request.digest !== change || lowered.length === 0))
      await closeApprovalRequest(transaction, { ...request, atMs });
  }
  if (lowered.length === 0) return raised;
  if (raised.approvals === 0) {
    const data = { rules: written, digest: digestOfRules(environment, written), from, change, approvedBy: [] };
    await appendEvent(transaction, { atMs, ...event(facts), type: "rules.lowered", data });
    await askAgain(transaction, facts);
    return written;
  }
  const decisions = await listApprovalRows(transaction, { project, digest: change, standing: true, limit: 1000 });
  if (decisions.some(({ decision }) => decision === "refused")) return raised;
  await ask(transaction, facts, { from, change, lowered, needed: raised.approvals });
  return (await settleChange(transaction, { project, environment, change, actor, atMs })) ? written : raised;
}

function event({ project, environment, actor }: Declaration): {
  readonly project: string;
  readonly subjectKind: "rules";
  readonly subject: string;
  readonly actor: string;
} {
  return { project, subjectKind: "rules", subject: environment, actor };
}

/**
 * The rules of an environment that the project did not have: at least those of environments that its file no longer
 * names, and of environments of this name in other projects of the store. Another name is no way round.
 */
async function firstRules(transaction: ReadTransaction, facts: Declaration): Promise<EnvironmentRules> {
  const { project, environment, written, others, atMs } = facts;
  const own = new Set((await listRulesEvents(transaction, { project })).map(({ subject }) => subject));
  const namesakes = new Set((await listRulesEvents(transaction, { environment })).map((each) => each.project));
  const before = [
    ...[...own].filter((name) => !others.includes(name)).map((name) => ({ project, environment: name })),
    ...[...namesakes].map((name) => ({ project: name, environment })),
  ];
  let rules = written;
  for (const each of before) {
    const last = (await readVersions(transaction, each)).at(-1)?.rules;
    if (last !== undefined) rules = strictest(last, rules, atMs);
  }
  return rules;
}

async function ask(
  transaction: WriteTransaction,
  facts: Declaration,
  asked: {
    readonly from: ReturnType<typeof digestOfRules>;
    readonly change: ReturnType<typeof digestOfChange>;
    readonly lowered: ReturnType<typeof loweredRules>;
    readonly needed: number;
  },
): Promise<void> {
  const { project, environment, written, actor, addresses, atMs } = facts;
  const { from, change, needed } = asked;
  const isKnown = (await askedChange(transaction, { project, environment, change })) !== undefined;
  const wanted = new Set(addresses.map((address) => address.toLowerCase()));
  const users = wanted.size === 0 ? [] : await listUsers(transaction, { limit: 1000 });
  const committers = users.filter(({ emails }) => emails.some((email) => wanted.has(email.toLowerCase())));
  const reason = asked.lowered.map((each) => `${each.rule}: ${each.from} → ${each.to}`).join("; ");
  const subject = `the rules of ${environment}`;
  if (!isKnown) {
    const authors = [...new Set([actor, ...committers.map(({ name }) => name)])].toSorted();
    const data = { rules: written, digest: digestOfRules(environment, written), from, change, authors };
    await appendEvent(transaction, { atMs, ...event(facts), type: "rules.lowering_asked", data });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "approval.requested",
      subjectKind: "approval",
      subject: change,
      actor,
      data: { kind: "rules", name: subject, environment, needed, reason },
    });
  }
  await upsertApprovalRequest(transaction, {
    project,
    digest: change,
    environment,
    subjectKind: "rules",
    subject,
    versionId: undefined,
    reason,
    needed,
    requestedBy: actor,
    requestedAtMs: atMs,
  });
}

/**
 * Puts a change in force that has its quorum, or drops one that no longer starts from the rules in force. Idempotent.
 *
 * @returns whether it is in force
 */
export async function settleChange(
  transaction: WriteTransaction,
  facts: {
    readonly project: string;
    readonly environment: string;
    readonly change: string;
    readonly actor: string;
    readonly atMs: number;
  },
): Promise<boolean> {
  const { project, environment, change, actor, atMs } = facts;
  const current = (await readVersions(transaction, facts)).at(-1);
  const asked = await askedChange(transaction, facts);
  const close = (): Promise<void> => closeApprovalRequest(transaction, { project, digest: change, environment, atMs });
  if (current === undefined || asked?.data.from !== current.digest) {
    await close();
    return false;
  }
  const { rules, digest, from, authors } = asked.data;
  const key = {
    project,
    digest: change,
    environment,
    authors,
    rules: current.rules,
    rulesDigest: current.digest,
    atMs,
  };
  const approvedBy = await listApprovers(transaction, key);
  if (approvedBy.length < current.rules.approvals) return false;
  const data = { rules, digest, from, change, approvedBy };
  await appendEvent(transaction, {
    atMs,
    project,
    type: "rules.lowered",
    subjectKind: "rules",
    subject: environment,
    actor,
    data,
  });
  await close();
  await askAgain(transaction, facts);
  return true;
}
