import type { ColumnShape, WindowReport, WindowScore } from "#api";
import type { Platform } from "#app";
import {
  listMonitors,
  listWindowFacts,
  listWindows,
  type MonitorScore,
  type MonitorWindow,
} from "#metadata-store/monitoring";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { resourceMissing } from "../errors.ts";
import { windowSize } from "./window-size.ts";

/** Everything that was computed of one window: the newest, or the one that holds a time. */
export function createWindowHandler({ store, project }: Platform): Pick<ApiHandlers, "getEndpointWindow"> {
  return {
    getEndpointWindow: ({ params, query }) =>
      store.read(async (transaction) => {
        const key = { project, environment: params.environment, endpoint: params.name };
        const monitors = await listMonitors(transaction, key);
        const size = query.size ?? windowSize(monitors.map(({ declaration }) => declaration));
        const facts = await listWindowFacts(transaction, { ...key, size });
        const starts = facts.map(({ startMs }) => startMs);
        const atMs = query.at ?? Infinity;
        const place = starts.findLastIndex((startMs) => startMs <= atMs);
        const startMs = starts[place];
        const [window] =
          startMs === undefined
            ? []
            : await listWindows(transaction, { ...key, size, fromMs: startMs, toMs: startMs + 1, limit: 1 });
        if (window === undefined)
          throw resourceMissing({ kind: "window", key: `${params.environment}/${params.name} by ${size}` });
        return { ...toReport(window), beforeMs: starts[place - 1], afterMs: starts[place + 1] };
      }),
  };
}

function toReport(window: MonitorWindow): WindowReport {
  return {
    size: window.size,
    startMs: window.startMs,
    endMs: window.endMs,
    isClosed: window.closed,
    evaluatedAtMs: window.evaluatedAtMs,
    predictionCount: window.predictions,
    labelledCount: window.labelled,
    referenceVersionId: window.referenceVersionId,
    scores: window.scores.map(toScore),
  };
}

/** Keys of `method` that have a place of their own. */
const PLACED: ReadonlySet<string> = new Set(["low", "high", "adjusted", "reason", "shape", "default"]);

function toScore({ method, ...score }: MonitorScore): WindowScore {
  const facts = new Map(Object.entries(method));
  const number = (name: string): number | undefined => {
    const value: unknown = facts.get(name);
    return typeof value === "number" ? value : undefined;
  };
  const reason: unknown = facts.get("reason");
  return {
    metric: score.metric,
    column: score.subject === "" ? undefined : score.subject,
    segment: score.segment === "" ? undefined : score.segment,
    value: score.value,
    baseline: score.baseline,
    threshold: score.threshold,
    breached: score.breached,
    rows: score.n,
    referenceRows: score.nReference,
    low: number("low"),
    high: number("high"),
    adjusted: number("adjusted"),
    reason: typeof reason === "string" ? reason : undefined,
    shape: toShape(facts.get("shape")),
    definition: toDefinition(facts),
  };
}

function toDefinition(facts: ReadonlyMap<string, unknown>): WindowScore["definition"] {
  return Object.fromEntries(
    [...facts].flatMap(([name, value]): (readonly [string, string | number | boolean])[] => {
      if (PLACED.has(name)) return [];
      if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return [[name, value]];
      return typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([inner, one]: [string, unknown]) =>
            typeof one === "number" || typeof one === "string" ? [[`${name}.${inner}`, one] as const] : [],
          )
        : [];
    }),
  );
}

function toShape(value: unknown): ColumnShape | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const parts = new Map<string, unknown>(Object.entries(value));
  const numbers = (name: string): readonly number[] => {
    const found = parts.get(name);
    return Array.isArray(found) ? found.map(Number) : [];
  };
  const bins = parts.get("bins");
  return {
    bins: Array.isArray(bins) ? bins.map(String) : [],
    reference: numbers("reference"),
    current: numbers("current"),
  };
}
