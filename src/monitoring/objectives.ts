import { type Clock, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  addObjectiveCounts,
  changeAlert,
  listAlerts,
  listMonitors,
  type ObjectiveCount,
  openAlert,
  removeObjectiveCounts,
  sumObjectiveCounts,
} from "#metadata-store/monitoring";
import { type EndpointKey, listEndpoints, type Outcome } from "#metadata-store/serving";
import { formatExplanation } from "./explanation.ts";
import { toTarget } from "./alert-channel.ts";
import type { Monitor } from "./monitor-set.ts";
import {
  describeObjective,
  isKept,
  isOutcomeKept,
  kindOf,
  type ObjectiveRule,
  promiseOf,
  type SeenRequest,
} from "./objective-rule.ts";
import { BURN_RULES, budgetLeft, burnLimit, burnRate, type EventCount } from "./statistics/burn-rate.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Minutes are kept as long as a rule looks back by minutes, and a little longer. */
const MINUTES_KEPT_MS = 8 * HOUR_MS;
const HOURS_KEPT_MS = 91 * 24 * HOUR_MS;
/** Windows up to this length are counted by minute, longer ones by hour. */
const BY_MINUTE_MS = 6 * HOUR_MS;
const LOOK_MS = 15_000;
/** Requests that are remembered before the promises are known, after a start. */
const MOST_UNSORTED = 100_000;

/** One pair of windows of an objective. */
export interface Burn {
  readonly longMs: number;
  readonly shortMs: number;
  readonly longRate: number;
  readonly shortRate: number;
  /** Both above it: the alert opens. */
  readonly limit: number;
  readonly isBurning: boolean;
}

/** How one promise of an endpoint stands. */
export interface ObjectiveState {
  readonly monitor: string;
  readonly rule: ObjectiveRule;
  /** Of its whole period. */
  readonly count: EventCount;
  /** Share of the budget of errors that is left; negative when it is overdrawn. */
  readonly budgetLeft: number;
  readonly burns: readonly Burn[];
}

/** Counts what endpoints promise, and alerts when a budget of errors burns too fast. */
export interface Objectives {
  /** One request that an endpoint answered, or failed to. Returns at once. */
  seen(key: EndpointKey, request: SeenRequest): void;
  /** Labels that came for answers. */
  labelled(key: EndpointKey, outcomes: readonly Outcome[]): void;
  /** Writes what was counted, for others to judge; every few seconds. */
  count(): Promise<void>;
  /** Writes what was counted and judges it; every few seconds. */
  look(endpoints: readonly { readonly project: string }[]): Promise<void>;
  /** How the promises of an endpoint stand. */
  states(key: EndpointKey): Promise<readonly ObjectiveState[]>;
}

export function createObjectives(options: {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Routes that are told where a file has no `notify`. */
  readonly routes: readonly string[];
}): Objectives {
  const { store, clock, log } = options;
  let promises: ReadonlyMap<string, readonly Promised[]> | undefined;
  let unsorted: (() => void)[] = [];
  const counts = new Map<string, { readonly count: ObjectiveCount; good: number; total: number }>();
  let lookedAtMs = 0;
  let cleanedAtMs = 0;

  const nameOf = (key: EndpointKey): string => JSON.stringify([key.project, key.environment, key.endpoint]);

  function add(key: EndpointKey, atMs: number, isGood: (rule: ObjectiveRule) => boolean | undefined): void {
    if (promises === undefined) {
      if (unsorted.length < MOST_UNSORTED) unsorted.push(() => add(key, atMs, isGood));
      return;
    }
    const done = new Set<string>();
    for (const {
      monitor: { rule },
    } of promises.get(nameOf(key)) ?? []) {
      const objective = promiseOf(rule.objective);
      const good = done.has(objective) ? undefined : isGood(rule.objective);
      done.add(objective);
      if (good === undefined) continue;
      const minuteMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
      const name = JSON.stringify([nameOf(key), objective, minuteMs]);
      const { project, environment, endpoint } = key;
      const known = counts.get(name) ?? {
        count: { project, environment, endpoint, objective, atMs: minuteMs, good: 0, total: 0 },
        good: 0,
        total: 0,
      };
      counts.set(name, known);
      known.total++;
      if (good) known.good++;
    }
  }

  async function flush(): Promise<void> {
    const taken = [...counts.values()];
    if (taken.length === 0) return;
    counts.clear();
    try {
      await store.write((transaction) =>
        addObjectiveCounts(
          transaction,
          taken.map(({ count, good, total }) => ({ ...count, good, total })),
        ),
      );
    } catch (error) {
      // Nothing of it was written: it is tried again with what comes meanwhile.
      for (const { count, good, total } of taken) {
        const name = JSON.stringify([nameOf(count), count.objective, count.atMs]);
        const later = counts.get(name);
        counts.set(name, { count, good: good + (later?.good ?? 0), total: total + (later?.total ?? 0) });
      }
      throw error;
    }
  }

  async function readPromises(projects: readonly string[]): Promise<void> {
    const found: Promised[] = [];
    for (const project of projects)
      for (const { declaration } of await store.read((transaction) => listMonitors(transaction, { project })))
        if (isObjective(declaration)) found.push({ project, monitor: declaration });
    promises = Map.groupBy(found, ({ project, monitor: { environment, endpoint } }) =>
      nameOf({ project, environment, endpoint }),
    );
    const waiting = unsorted;
    unsorted = [];
    for (const sort of waiting) sort();
  }

  return {
    seen(key, request) {
      add(key, clock.now(), (rule) => isKept(rule, request));
    },
    labelled(key, outcomes) {
      const atMs = clock.now();
      for (const outcome of outcomes) add(key, atMs, (rule) => isOutcomeKept(rule, outcome));
    },
    async count() {
      await readPromises(projectsOf(await store.read((transaction) => listEndpoints(transaction, { limit: 1000 }))));
      await flush();
    },
    async look(endpoints) {
      const projects = projectsOf(endpoints);
      await readPromises(projects);
      await flush();
      const nowMs = clock.now();
      if (nowMs - lookedAtMs < LOOK_MS) return;
      lookedAtMs = nowMs;
      if (nowMs - cleanedAtMs >= HOUR_MS) {
        cleanedAtMs = nowMs;
        await removeOld(store, projects, nowMs);
      }
      for (const promised of promises?.values() ?? [])
        for (const { project, monitor } of promised)
          await judgeObjective(monitor, project, options).catch((error: unknown) =>
            log.error("an objective could not be judged", { monitor: monitor.name, error: messageOf(error) }),
          );
    },
    async states(key) {
      const monitors = await store.read((transaction) => listMonitors(transaction, key));
      const states: ObjectiveState[] = [];
      for (const { declaration } of monitors)
        if (isObjective(declaration)) states.push(await stateOf(declaration, key, options));
      return states;
    },
  };
}

function projectsOf(endpoints: readonly { readonly project: string }[]): readonly string[] {
  return [...new Set(endpoints.map(({ project }) => project))];
}

async function removeOld(store: MetadataStore, projects: readonly string[], nowMs: number): Promise<void> {
  await store.write(async (transaction) => {
    for (const project of projects) {
      await removeObjectiveCounts(transaction, { project, span: "minute", beforeMs: nowMs - MINUTES_KEPT_MS });
      await removeObjectiveCounts(transaction, { project, span: "hour", beforeMs: nowMs - HOURS_KEPT_MS });
    }
  });
}

/** A monitor that is a promise. */
type ObjectiveMonitor = Monitor & { readonly rule: { readonly objective: ObjectiveRule } };

interface Promised {
  readonly project: string;
  readonly monitor: ObjectiveMonitor;
}

function isObjective(declaration: object): declaration is ObjectiveMonitor {
  const { rule }: { readonly rule?: unknown } = declaration;
  return typeof rule === "object" && rule !== null && "objective" in rule;
}

interface Judging {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly routes: readonly string[];
}

async function stateOf(
  { name, rule: { objective } }: ObjectiveMonitor,
  key: EndpointKey,
  { store, clock }: Judging,
): Promise<ObjectiveState> {
  const nowMs = clock.now();
  const within = (lengthMs: number): Promise<EventCount> => {
    const span = lengthMs <= BY_MINUTE_MS ? "minute" : "hour";
    const spanMs = span === "minute" ? MINUTE_MS : HOUR_MS;
    // So many whole minutes or hours, with the one that goes on.
    const fromMs = Math.floor(nowMs / spanMs) * spanMs - lengthMs + spanMs;
    return store.read((transaction) =>
      sumObjectiveCounts(transaction, { ...key, objective: promiseOf(objective), span, fromMs }),
    );
  };
  const burns: Burn[] = [];
  for (const burn of BURN_RULES) {
    const [long, short] = [await within(burn.longMs), await within(burn.shortMs)];
    const [longRate, shortRate] = [burnRate(long, objective.target), burnRate(short, objective.target)];
    const limit = burnLimit(burn, objective.days);
    const isEnough = long.total >= objective.min_events;
    const { longMs, shortMs } = burn;
    burns.push({
      longMs,
      shortMs,
      longRate,
      shortRate,
      limit,
      isBurning: isEnough && longRate > limit && shortRate > limit,
    });
  }
  const count = await within(objective.days * 24 * HOUR_MS);
  return { monitor: name, rule: objective, count, budgetLeft: budgetLeft(count, objective.target), burns };
}

/** Opens one alert for each pair of windows that burns, and closes it when that pair does not any more. */
async function judgeObjective(monitor: ObjectiveMonitor, project: string, options: Judging): Promise<void> {
  const { environment, endpoint } = monitor;
  const key = { project, environment, endpoint };
  const state = await stateOf(monitor, key, options);
  const query = { ...key, monitor: monitor.name, states: ["open", "acknowledged"] as const, limit: 1000 };
  const open = await options.store.read((transaction) => listAlerts(transaction, query));
  for (const burn of state.burns) {
    const segment = lengthOf(burn.longMs);
    const known = open.find((alert) => alert.segment === segment);
    if (burn.isBurning === (known !== undefined)) continue;
    if (known === undefined) await openBurn({ monitor, state, burn, segment }, key, options);
    else await closeBurn(project, known.id, options);
  }
}

async function closeBurn(project: string, id: string, { store, clock }: Judging): Promise<void> {
  const change = { project, id, state: "closed", actor: "engine", atMs: clock.now() } as const;
  const reason = "the budget of errors no longer burns too fast";
  await store.write((transaction) => changeAlert(transaction, { ...change, reason }));
}

async function openBurn(
  {
    monitor,
    state,
    burn,
    segment,
  }: {
    readonly monitor: ObjectiveMonitor;
    readonly state: ObjectiveState;
    readonly burn: Burn;
    readonly segment: string;
  },
  key: EndpointKey,
  { store, clock, routes }: Judging,
): Promise<void> {
  const atMs = clock.now();
  const minuteMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  const { objective } = monitor.rule;
  const sinceMs = await burningSince(store, { ...key, objective: promiseOf(objective) }, { objective, burn, atMs });
  await store.write((transaction) =>
    openAlert(transaction, {
      ...key,
      monitor: monitor.name,
      metric: `burn.${kindOf(state.rule)}`,
      subject: "",
      segment,
      value: burn.longRate,
      threshold: burn.limit,
      windowStartMs: minuteMs,
      windowEndMs: minuteMs + MINUTE_MS,
      n: state.count.total,
      modelVersionId: undefined,
      message: describeBurn(state, burn),
      explanation: formatExplanation({
        since: { windowStartMs: sinceMs, windows: 1, atMs: sinceMs },
        columns: [],
        segments: [],
        causes: [],
        advice: [kindOf(objective) === "quality" ? { kind: "retrain" } : { kind: "look_at_requests" }],
      }),
      atMs,
      targets: (monitor.notify ?? routes).map((entry) => (typeof entry === "string" ? toTarget(entry) : entry.webhook)),
    }),
  );
}

const PARTS = 12;

/** From which twelfth of the long window on each one used the budget faster than is allowed. Epoch ms. */
async function burningSince(
  store: MetadataStore,
  of: EndpointKey & { readonly objective: string },
  { objective, burn, atMs }: { readonly objective: ObjectiveRule; readonly burn: Burn; readonly atMs: number },
): Promise<number> {
  const span = burn.longMs <= BY_MINUTE_MS ? "minute" : "hour";
  const spanMs = span === "minute" ? MINUTE_MS : HOUR_MS;
  const partMs = burn.longMs / PARTS;
  const endMs = Math.floor(atMs / spanMs) * spanMs + spanMs;
  const since = (fromMs: number): Promise<EventCount> =>
    store.read((transaction) => sumObjectiveCounts(transaction, { ...of, span, fromMs }));
  let [beganMs, after]: [number, EventCount] = [endMs - partMs, { good: 0, total: 0 }];
  for (let fromMs = endMs - partMs; fromMs >= endMs - burn.longMs; fromMs -= partMs) {
    const all = await since(fromMs);
    const part = { good: all.good - after.good, total: all.total - after.total };
    if (part.total > 0) {
      if (burnRate(part, objective.target) <= 1) break;
      beganMs = fromMs;
    }
    after = all;
  }
  return beganMs;
}

function describeBurn({ rule, budgetLeft: left }: ObjectiveState, burn: Burn): string {
  const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
  const bad = (rate: number): string => percent(rate * (1 - rule.target));
  return `${bad(burn.longRate)} of the last ${lengthOf(burn.longMs)} and ${bad(burn.shortRate)} of the last ${lengthOf(burn.shortMs)} ${describeObjective(rule)}, ${percent(1 - rule.target)} may: ${Number(burn.longRate.toPrecision(3))} times as fast as the budget allows (> ${Number(burn.limit.toPrecision(3))}); ${percent(left)} of the budget of ${rule.days} days is left`;
}

function lengthOf(ms: number): string {
  return ms < HOUR_MS
    ? `${ms / MINUTE_MS} min`
    : ms <= 24 * HOUR_MS
      ? `${ms / HOUR_MS} h`
      : `${ms / (24 * HOUR_MS)} days`;
}
