import { type Clock, type Log, messageOf, systemClock } from "#base";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import { type EndpointKey, type LabelReport, listEndpoints } from "#metadata-store/serving";
import type { Predictions } from "#predictions";
import { type Alert, linkTriggeredRuns, listAlerts, type StoredMonitor } from "#metadata-store/monitoring";
import type { Outbox } from "#outbox";
import type { DatasetReader, Scorer } from "#models";
import { closeLate, type LateFacts, openLate } from "./deadline-alert.ts";
import { alertDamage, alertStanding, type DamagedFile, type StandingFacts } from "./state-alert.ts";
import { createCandidateScores } from "./candidate-scores.ts";
import { createWatchMemory, type WatchMemory } from "./changed-windows.ts";
import { type EvaluationReport, type EvaluationRequest, evaluateEndpoint } from "./evaluation.ts";
import type { LabelBatch } from "./label-batch.ts";
import { saveMonitorFiles } from "./monitor-set.ts";
import { createAlertChannel, toTarget } from "./alert-channel.ts";
import type { AlertRoutes } from "./alert-routes.ts";
import { createObjectives, type ObjectiveState } from "./objectives.ts";
import type { SeenRequest } from "./objective-rule.ts";
import { createReferences } from "./reference.ts";
import type { OfflineFeatures } from "./skew-scores.ts";
import { type RouteTest, testRoute } from "./test-route.ts";

export interface MonitoringOptions {
  readonly store: MetadataStore;
  /** What endpoints answered. */
  readonly predictions: Pick<Predictions, "scan" | "recordLabels">;
  /** Reads training sets: the reference of every score. */
  readonly datasets: DatasetReader;
  /** Joins what endpoints read online again; default: nothing is compared. */
  readonly offline?: OfflineFeatures;
  /** Answers of a model on its reference rows. */
  readonly scorer: Scorer;
  readonly log: Log;
  readonly clock?: Clock;
  /** Sends the alerts. */
  readonly outbox: Outbox;
  /** Ways to tell of alerts; default: none but the webhooks of monitor files. */
  readonly routes?: AlertRoutes;
  /** Value of a secret by name; default: none is set. */
  readonly secret?: (name: string) => string | undefined;
}

/** Watches endpoints: labels, windows, alerts. */
export interface Monitoring {
  /**
   * Makes the monitors of a project exactly those of its files (content by path). @throws MONITORING_MONITOR_INVALID
   * with file, line and column
   */
  saveMonitors(project: string, files: ReadonlyMap<string, string>): Promise<readonly StoredMonitor[]>;
  /** Joins labels to predictions, durably; the windows they fall into are evaluated soon after. */
  recordLabels(batch: EndpointKey & LabelBatch & { readonly actor: string }): Promise<LabelReport>;
  /**
   * Computes and judges the windows of an endpoint that changed, now. Evaluations of one endpoint follow each other;
   * `opened` also holds
   * what this process opened by itself since the last call.
   */
  evaluate(request: EvaluationRequest): Promise<EvaluationReport>;
  /**
   * Evaluates every endpoint and delivers what is due. The server calls it every few seconds; a call during another one
   * does nothing.
   */
  tick(): Promise<void>;
  /** Writes what this process counted of requests and labels, where another one ticks. */
  count(): Promise<void>;
  /** One request of an endpoint, for what it promises. Returns at once. */
  seen(key: EndpointKey, request: SeenRequest): void;
  /** How the promises of an endpoint stand. */
  objectives(key: EndpointKey): Promise<readonly ObjectiveState[]>;
  /** Tells a route of an alert that is none. @throws MONITORING_ROUTE_UNKNOWN, MONITORING_ROUTE_FAILED */
  testRoute(of: { readonly project: string; readonly name: string }): Promise<readonly RouteTest[]>;
  /** Opens the alert of a missed deadline, in the transaction that found it; undefined when it was known. */
  openLate(
    transaction: WriteTransaction,
    late: LateFacts & { readonly message: string },
  ): Promise<{ readonly id: string; readonly monitor: string } | undefined>;
  /** Remembers which pipeline runs it started. */
  linkLate(transaction: WriteTransaction, alert: string, pipelineRunIds: readonly string[]): Promise<void>;
  /** Closes it in the transaction that found the end. */
  closeLate(transaction: WriteTransaction, late: LateFacts & { readonly reason: string }): Promise<void>;
  /** Opens an alert for what runs without its approvals, and closes it when they stand again. */
  reportStanding(facts: StandingFacts): Promise<void>;
  /** Opens an alert for each endpoint that is made of damaged files, and closes those of endpoints that are whole. */
  reportDamages(damages: readonly DamagedFile[]): Promise<void>;
  /** Whether an alert was opened on an endpoint since a time and is not closed (`CandidateWatch` of `delivery`). */
  openSince(key: EndpointKey, sinceMs: number): Promise<boolean>;
  /** Monitors that the rows break which a version answered as a candidate (`CandidateWatch` of `delivery`). */
  brokenBy(key: EndpointKey, candidate: { readonly versionId: string }): Promise<readonly string[]>;
}

const MOST_UNREPORTED = 1000;

export function createMonitoring(options: MonitoringOptions): Monitoring {
  const { store, log, clock = systemClock } = options;
  const { routes = { routes: {}, default: [] }, secret = () => undefined } = options;
  const evaluation = {
    routes: routes.default,
    store,
    predictions: options.predictions,
    datasets: options.datasets,
    offline: options.offline,
    clock,
    log,
    references: createReferences(options),
  };
  const candidateScores = createCandidateScores(evaluation);
  const running = new Map<string, Promise<unknown>>();
  const unreported = new Map<string, readonly Alert[]>();
  const memories = new Map<string, WatchMemory>();
  let ticking = false;
  const objectives = createObjectives({ store, clock, log, routes: routes.default });
  options.outbox.add(createAlertChannel({ store, clock, routes, secret }));

  const nameOf = (key: EndpointKey): string => JSON.stringify([key.project, key.environment, key.endpoint]);

  function evaluate(request: EvaluationRequest, memory?: WatchMemory): Promise<EvaluationReport> {
    const name = nameOf(request);
    const after = (running.get(name) ?? Promise.resolve())
      .catch(() => {})
      .then(() => evaluateEndpoint(request, evaluation, memory));
    running.set(name, after);
    return after.finally(() => {
      if (running.get(name) === after) running.delete(name);
    });
  }

  function memoryOf(key: EndpointKey): WatchMemory {
    const name = nameOf(key);
    const memory = memories.get(name) ?? createWatchMemory();
    memories.set(name, memory);
    return memory;
  }

  async function evaluateQuietly(request: EvaluationRequest, memory?: WatchMemory): Promise<void> {
    try {
      const { opened } = await evaluate(request, memory);
      if (opened.length > 0)
        unreported.set(
          nameOf(request),
          [...(unreported.get(nameOf(request)) ?? []), ...opened].slice(-MOST_UNREPORTED),
        );
    } catch (error) {
      log.error("an endpoint could not be evaluated", {
        environment: request.environment,
        endpoint: request.endpoint,
        error: messageOf(error),
      });
    }
  }

  return {
    saveMonitors: (project, files) =>
      saveMonitorFiles({ store, clock, routes: Object.keys(routes.routes) }, project, files),
    testRoute: (of) => testRoute(of, { routes, secret, outbox: options.outbox, clock }),
    async recordLabels({ labels, untilMs, actor, ...key }) {
      const { outcomes, ...report } = await options.predictions.recordLabels({
        ...key,
        labels,
        receivedAtMs: clock.now(),
        actor,
      });
      objectives.labelled(key, outcomes);
      // While an evaluation runs, the next tick takes up what this batch changed.
      if (report.fromMs !== undefined && !running.has(nameOf(key)))
        void evaluateQuietly({ ...key, fromMs: report.fromMs, toMs: report.toMs, untilMs });
      return report;
    },
    async evaluate(request) {
      const report = await evaluate({ immediate: true, ...request });
      const earlier = unreported.get(nameOf(request)) ?? [];
      unreported.delete(nameOf(request));
      return { ...report, opened: [...earlier, ...report.opened] };
    },
    seen: (key, request) => objectives.seen(key, request),
    objectives: (key) => objectives.states(key),
    count: () => objectives.count(),
    async tick() {
      if (ticking) return;
      ticking = true;
      try {
        const endpoints = await store.read((transaction) => listEndpoints(transaction, { limit: 1000 }));
        for (const endpoint of endpoints) {
          const key = { project: endpoint.project, environment: endpoint.environment, endpoint: endpoint.name };
          await evaluateQuietly(key, memoryOf(key));
        }
        await objectives
          .look(endpoints)
          .catch((error: unknown) => log.error("objectives could not be judged", { error: messageOf(error) }));
        await options.outbox.flush();
      } finally {
        ticking = false;
      }
    },
    openLate: (transaction, late) => openLate(transaction, late, routes.default.map(toTarget)),
    closeLate,
    linkLate: linkTriggeredRuns,
    reportDamages: (damages) =>
      store.write((transaction) =>
        alertDamages(transaction, { damages, atMs: clock.now(), targets: routes.default.map(toTarget) }),
      ),
    reportStanding: (facts) =>
      store.write((transaction) =>
        alertStanding(transaction, { ...facts, targets: routes.default.map(toTarget) }, clock.now()),
      ),
    brokenBy: (key, { versionId }) => candidateScores(key, versionId),
    openSince: (key, sinceMs) => isOpenSince(store, key, sinceMs),
  };
}

async function isOpenSince(
  store: MetadataStore,
  { project, environment, endpoint }: EndpointKey,
  sinceMs: number,
): Promise<boolean> {
  const query = { project, environment, endpoint, states: ["open", "acknowledged"] as const, limit: 1000 };
  const alerts = await store.read((transaction) => listAlerts(transaction, query));
  return alerts.some((alert) => alert.openedAtMs >= sinceMs);
}

async function alertDamages(transaction: WriteTransaction, found: Parameters<typeof alertDamage>[2]): Promise<void> {
  for (const { project, environment, name } of await listEndpoints(transaction, { limit: 1000 }))
    await alertDamage(transaction, { project, environment, endpoint: name }, found);
}
