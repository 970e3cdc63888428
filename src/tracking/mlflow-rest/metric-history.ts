import { Readable } from "node:stream";
import { mlflowRoutes } from "#api";
import type { ReadTransaction } from "#metadata-store";
import {
  findRun,
  getMetricAtSteps,
  getMetricHistory,
  getMetricSteps,
  type HistoryPosition,
  type MetricPoint,
  type StoredInteger,
} from "#metadata-store/tracking";
import { parameterInvalid } from "../errors.ts";
import type { MlflowMessage } from "./message.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { writeJson } from "./json.ts";
import type { MlflowResponse, MlflowCall } from "./call.ts";
import { pageSize, route, runIdOf, type TrackingCall, type TrackingContext } from "./tracking-call.ts";
import { unlessEmpty, wireMetric } from "./wire-run.ts";

const LARGEST_BULK = 25_000;
const LARGEST_INTERVAL = 2500;
const MOST_RUNS = 100;

/** `metrics/get-history, get-history-bulk, get-history-bulk-interval` */
export function metricHistoryRoutes(context: TrackingContext): readonly MlflowCall[] {
  return [
    {
      route: mlflowRoutes.getMetricHistory,
      handler: async (request) => {
        const fields = await request.message();
        return fields.has("max_results") || fields.has("page_token")
          ? { json: await historyCall(context, fields) }
          : wholeHistory(context, fields);
      },
    },
    route(context, mlflowRoutes.getMetricHistoryBulk, (call) => bulkCall(context, call)),
    route(context, mlflowRoutes.getMetricHistoryBulkInterval, (call) => intervalCall(context, call)),
  ];
}

/** Without a page size all points come, as a stream: a history may be longer than memory. */
function wholeHistory({ store }: TrackingContext, fields: MlflowMessage): MlflowResponse {
  const runId = runIdOf(fields);
  const key = fields.requiredString("metric_key");
  const page = (after: HistoryPosition | undefined): ReturnType<typeof readPage> =>
    store.read((transaction) => readPage(transaction, { runId, key, limit: LARGEST_BULK, after }));
  async function* pieces(): AsyncGenerator<string> {
    let { points, next } = await page(undefined);
    if (points.length === 0) return yield "{}";
    yield `{"metrics":[${points.map((point) => writeJson(wireMetric(point))).join(",")}`;
    while (next !== undefined) {
      ({ points, next } = await page(next));
      yield points.map((point) => `,${writeJson(wireMetric(point))}`).join("");
    }
    return yield "]}";
  }
  return { headers: { "content-type": "application/json" }, stream: Readable.from(pieces(), { objectMode: false }) };
}

async function readPage(
  transaction: ReadTransaction,
  {
    runId,
    key,
    limit,
    after,
  }: {
    readonly runId: string;
    readonly key: string;
    readonly limit: number;
    readonly after: HistoryPosition | undefined;
  },
): ReturnType<typeof getMetricHistory> {
  const run = await findRun(transaction, runId);
  if (run === undefined) return { points: [], next: undefined };
  return getMetricHistory(transaction, { run: run.number, key, limit, ...(after === undefined ? {} : { after }) });
}

async function historyCall({ store }: TrackingContext, fields: MlflowMessage): Promise<object> {
  const runId = runIdOf(fields);
  const key = fields.requiredString("metric_key");
  const limit = pageSize(fields, LARGEST_BULK);
  const token = fields.string("page_token");
  const after = token === undefined || token === "" ? undefined : readHistoryPosition(token);
  const { points, next } = await store.read((transaction) => readPage(transaction, { runId, key, limit, after }));
  return {
    ...unlessEmpty("metrics", points.map(wireMetric)),
    ...(next === undefined ? {} : { next_page_token: writePageToken(next) }),
  };
}

function readHistoryPosition(token: string): HistoryPosition {
  const { timestampMs, step, value, isNaN } = readPageToken(token);
  const isInteger = (field: unknown): field is StoredInteger => typeof field === "number" || typeof field === "bigint";
  if (isInteger(timestampMs) && isInteger(step) && typeof value === "number" && typeof isNaN === "number")
    return { timestampMs, step, value, isNaN };
  throw parameterInvalid({ message: "Invalid page token, could not base64-decode" });
}

async function bulkCall({ store }: TrackingContext, { fields }: TrackingCall): Promise<object> {
  const runIds = fields.strings("run_id");
  if (runIds.length === 0)
    throw parameterInvalid({ message: "GetMetricHistoryBulk request must specify at least one run_id." });
  if (runIds.length > MOST_RUNS) {
    throw parameterInvalid({
      message: `GetMetricHistoryBulk request cannot specify more than ${MOST_RUNS} run_ids. Received ${runIds.length} run_ids.`,
    });
  }
  const key = fields.string("metric_key");
  if (key === undefined) throw parameterInvalid({ message: "GetMetricHistoryBulk request must specify a metric_key." });
  const limit = Math.min(pageSize(fields, LARGEST_BULK), LARGEST_BULK);
  const metrics = await store.read(async (transaction) => {
    const found: object[] = [];
    for (const runId of [...runIds].sort()) {
      const run = await findRun(transaction, runId);
      if (run === undefined) continue;
      const { points } = await getMetricHistory(transaction, {
        run: run.number,
        key,
        limit: Math.max(limit - found.length, 1),
      });
      for (const point of points) found.push({ ...wireMetric(point), run_id: runId });
    }
    return found.slice(0, limit);
  });
  return { metrics };
}

async function intervalCall({ store }: TrackingContext, { fields }: TrackingCall): Promise<object> {
  const runIds = fields.strings("run_ids");
  if (runIds.length === 0) fields.requiredString("run_ids");
  if (runIds.length > MOST_RUNS) {
    throw parameterInvalid({
      message: `GetMetricHistoryBulkInterval request must specify at most ${MOST_RUNS} run_ids. Received ${runIds.length} run_ids. See the API docs for more information about request parameters.`,
    });
  }
  const key = fields.requiredString("metric_key");
  const range = readStepRange(fields);
  const limit = fields.integer("max_results") ?? LARGEST_INTERVAL;
  if (limit < 1 || limit > LARGEST_INTERVAL) {
    throw parameterInvalid({
      message: `max_results must be between 1 and ${LARGEST_INTERVAL}. See the API docs for more information about request parameters.`,
    });
  }
  const points = await store.read((transaction) => sampleRuns(transaction, { runIds, key, range, limit }));
  return unlessEmpty(
    "metrics",
    points.map(({ runId, point }) => ({ ...wireMetric(point), run_id: runId })),
  );
}

interface StepRange {
  readonly first?: StoredInteger;
  readonly last?: StoredInteger;
}

function readStepRange(fields: MlflowMessage): StepRange {
  const first = fields.int64("start_step");
  const last = fields.int64("end_step");
  if (first === undefined && last === undefined) return {};
  if (first === undefined || last === undefined)
    throw parameterInvalid({ message: "If either start step or end step are specified, both must be specified." });
  if (first > last)
    throw parameterInvalid({
      message: `end_step must be greater than start_step. Found start_step=${first} and end_step=${last}.`,
    });
  return { first, last };
}

/** Evenly chosen steps of all runs together, and the first and last step of each. */
async function sampleRuns(
  transaction: ReadTransaction,
  query: {
    readonly runIds: readonly string[];
    readonly key: string;
    readonly range: StepRange;
    readonly limit: number;
  },
): Promise<readonly { readonly runId: string; readonly point: MetricPoint }[]> {
  const { runIds, key, range, limit } = query;
  const runs: { readonly runId: string; readonly run: number }[] = [];
  const all = new Set<StoredInteger>();
  const ends = new Set<StoredInteger>();
  for (const runId of runIds) {
    const run = await findRun(transaction, runId);
    if (run === undefined) continue;
    runs.push({ runId, run: run.number });
    const steps = await getMetricSteps(transaction, { run: run.number, key, ...range, sample: limit });
    for (const step of steps) all.add(step);
    for (const step of [steps[0], steps.at(-1)]) if (step !== undefined) ends.add(step);
  }
  const chosen = [...new Set([...chooseSteps([...all].sort(compareIntegers), limit), ...ends])].sort(compareIntegers);
  const sampled: { readonly runId: string; readonly point: MetricPoint }[] = [];
  for (const { runId, run } of runs) {
    for (const point of await getMetricAtSteps(transaction, { run, key, steps: chosen, limit: LARGEST_INTERVAL }))
      sampled.push({ runId, point });
  }
  return sampled;
}

function compareIntegers(left: StoredInteger, right: StoredInteger): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** At most `limit` of the steps, evenly spread, and the last one. */
function chooseSteps(steps: readonly StoredInteger[], limit: number): readonly StoredInteger[] {
  if (steps.length <= limit) return steps;
  const interval = steps.length / limit;
  const chosen = Array.from({ length: limit }, (_, index) => steps[Math.floor(index * interval)]);
  return [...chosen, steps.at(-1)].filter((step) => step !== undefined);
}
