import { mlflowRoutes } from "#api";
import type { WriteTransaction } from "#metadata-store";
import { addLoggedModelMetrics, type KeyValue } from "#metadata-store/registry";
import { logMetrics, logParams, type MetricPoint, type RunInfo, setRunTags, updateRun } from "#metadata-store/tracking";
import { parameterInvalid } from "../errors.ts";
import type { MlflowMessage } from "./message.ts";
import { assertKeyName, assertLength, truncate } from "./name-rules.ts";
import type { MlflowCall } from "./call.ts";
import { readRunTag, RUN_NAME_TAG } from "./runs.ts";
import { activeRun, route, runIdOf, type TrackingCall, type TrackingContext } from "./tracking-call.ts";

const LONGEST_KEY = 250;
const LONGEST_PARAM_VALUE = 6000;
const LARGEST_BATCH = { metrics: 1000, params: 100, tags: 100, all: 1000 };

/** A point as a client logs it; with `modelId` it belongs to a logged model too. */
interface LoggedPoint extends MetricPoint {
  readonly modelId: string | undefined;
  readonly datasetName: string | undefined;
  readonly datasetDigest: string | undefined;
}

/** `runs/log-metric, log-parameter, log-batch` */
export function loggingRoutes(context: TrackingContext): readonly MlflowCall[] {
  return [
    route(context, mlflowRoutes.logMetric, (call) => logMetricCall(context, call)),
    route(context, mlflowRoutes.logParam, (call) => logParamCall(context, call)),
    route(context, mlflowRoutes.logBatch, (call) => logBatchCall(context, call)),
  ];
}

async function logMetricCall({ store }: TrackingContext, { fields, atMs }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const point = readPoint(fields, "");
  await store.write(async (transaction) => logPoints(transaction, await activeRun(transaction, runId), [point], atMs));
  return {};
}

async function logParamCall({ store }: TrackingContext, { fields, atMs }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const param = readParam(fields, "");
  await store.write(async (transaction) => {
    const run = await activeRun(transaction, runId);
    const [conflict] = await logParams(transaction, run.number, [param], atMs);
    if (conflict === undefined) return;
    const { key, oldValue, newValue } = conflict;
    throw parameterInvalid({
      message: `Changing param values is not allowed. Param with key='${key}' was already logged with value='${oldValue}' for run ID='${runId}'. Attempted logging new value '${newValue}'.`,
    });
  });
  return {};
}

async function logBatchCall({ store }: TrackingContext, { fields, atMs, actor }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const sent = {
    metrics: fields.messages("metrics"),
    params: fields.messages("params"),
    tags: fields.messages("tags"),
  };
  assertBatchSize(sent.metrics.length, sent.params.length, sent.tags.length);
  const points = sent.metrics.map((metric, index) => readPoint(metric, `metrics[${index}]`));
  const params = sent.params.map((param, index) => readParam(param, `params[${index}]`));
  const tags = sent.tags.map((tag, index) =>
    readRunTag(tag.requiredString("key"), tag.string("value"), `tags[${index}]`),
  );
  assertUniqueParams(params);
  await store.write(async (transaction) => {
    const run = await activeRun(transaction, runId);
    await writeParams(transaction, run, params, atMs);
    if (points.length > 0) await logPoints(transaction, run, points, atMs);
    if (tags.length === 0) return;
    await setRunTags(transaction, run.number, tags, atMs);
    const runName = tags.findLast((tag) => tag.key === RUN_NAME_TAG)?.value;
    if (runName !== undefined) await updateRun(transaction, { run, runName, atMs, actor });
  });
  return {};
}

async function writeParams(
  transaction: WriteTransaction,
  run: RunInfo,
  params: readonly KeyValue[],
  atMs: number,
): Promise<void> {
  const conflicts = await logParams(transaction, run.number, params, atMs);
  if (conflicts.length === 0) return;
  const listed = conflicts
    .map(({ key, oldValue, newValue }) => `{'key': '${key}', 'old_value': '${oldValue}', 'new_value': '${newValue}'}`)
    .join(", ");
  throw parameterInvalid({
    message: `Changing param values is not allowed. Params were already logged='[${listed}]' for run ID='${run.runId}'.`,
  });
}

/** To the run, and to the logged models that points name. */
async function logPoints(
  transaction: WriteTransaction,
  run: RunInfo,
  points: readonly LoggedPoint[],
  atMs: number,
): Promise<void> {
  await logMetrics(transaction, run.number, points, atMs);
  const ofModels = points.flatMap(({ modelId, value, ...point }) => {
    if (modelId === undefined) return [];
    const clamped = Number.isNaN(value) ? value : Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);
    return [{ ...point, value: clamped, loggedModelId: modelId, runId: run.runId }];
  });
  if (ofModels.length > 0) await addLoggedModelMetrics(transaction, ofModels);
}

function readPoint(fields: MlflowMessage, path: string): LoggedPoint {
  const key = fields.requiredString("key");
  const value = fields.requiredDouble("value");
  const timestampMs = fields.requiredInt64("timestamp");
  const step = fields.int64("step") ?? 0;
  const inPath = (name: string): string => (path === "" ? name : `${path}.${name}`);
  assertKeyName(key, inPath("name"));
  if (timestampMs < 0) {
    throw parameterInvalid({
      message: `Invalid value ${timestampMs} for parameter '${inPath("timestamp")}' supplied: metric '${key}' (value=${pythonFloat(value)}). Timestamp must be a nonnegative long (64-bit integer) `,
    });
  }
  assertLength("Metric name", key, LONGEST_KEY);
  const modelId = fields.string("model_id") || undefined;
  return {
    key,
    value,
    timestampMs,
    step,
    modelId,
    datasetName: fields.string("dataset_name"),
    datasetDigest: fields.string("dataset_digest"),
  };
}

function pythonFloat(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

function readParam(fields: MlflowMessage, path: string): KeyValue {
  const key = fields.requiredString("key");
  const value = fields.string("value") ?? "";
  assertKeyName(key, path === "" ? "key" : `${path}.key`);
  assertLength("Param key", key, LONGEST_KEY);
  return { key, value: truncate(value, LONGEST_PARAM_VALUE) };
}

function assertBatchSize(metrics: number, params: number, tags: number): void {
  assertAtMost("metrics", metrics, LARGEST_BATCH.metrics);
  assertAtMost("params", params, LARGEST_BATCH.params);
  assertAtMost("tags", tags, LARGEST_BATCH.tags);
  assertAtMost("metrics, params, and tags", metrics + params + tags, LARGEST_BATCH.all);
}

function assertAtMost(what: string, found: number, limit: number): void {
  if (found <= limit) return;
  throw parameterInvalid({
    message: `A batch logging request can contain at most ${limit} ${what}. Got ${found} ${what}. Please split up ${what} across multiple requests and try again.`,
  });
}

function assertUniqueParams(params: readonly KeyValue[]): void {
  const seen = new Set<string>();
  const twice = params.filter(({ key }) => seen.size === seen.add(key).size).map(({ key }) => `'${key}'`);
  if (twice.length === 0) return;
  throw parameterInvalid({
    message: `Duplicate parameter keys have been submitted: [${twice.join(", ")}]. Please ensure the request contains only one param value per param key.`,
  });
}
