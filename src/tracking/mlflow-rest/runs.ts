import { randomBytes } from "node:crypto";
import { mlflowRoutes } from "#api";
import type { KeyValue } from "#metadata-store/registry";
import {
  ATTEMPT_TAG,
  createRun,
  deleteRunTag,
  hydrateRuns,
  type LifecycleStage,
  logRunModels,
  type RunStatus,
  setRunStage,
  setRunTags,
  updateRun,
} from "#metadata-store/tracking";
import { appendPath } from "../artifact-uri.ts";
import { parameterInvalid, tagMissing } from "../errors.ts";
import { randomRunName } from "../run-name.ts";
import { assertKeyName, assertLength, truncate } from "./name-rules.ts";
import type { MlflowCaller, MlflowCall } from "./call.ts";
import {
  activeExperiment,
  activeRun,
  artifactLocationOf,
  existingRun,
  parseStoredJson,
  route,
  runIdOf,
  type TrackingCall,
  type TrackingContext,
} from "./tracking-call.ts";
import { wireNewRun, wireRun, wireRunInfo } from "./wire-run.ts";

export const RUN_NAME_TAG = "mlflow.runName";
const USER_TAG = "mlflow.user";
const HISTORY_TAG = "mlflow.log-model.history";
const LONGEST_KEY = 250;
const LONGEST_TAG_VALUE = 8000;
const STATUS_NUMBERS: Readonly<Record<RunStatus, number>> = {
  RUNNING: 1,
  SCHEDULED: 2,
  FINISHED: 3,
  FAILED: 4,
  KILLED: 5,
};

/** `runs/create, get, update, delete, restore, set-tag, delete-tag, outputs, log-model` */
export function runRoutes(context: TrackingContext): readonly MlflowCall[] {
  const { store } = context;
  return [
    route(context, mlflowRoutes.createRun, (call) => createCall(context, call)),
    route(context, mlflowRoutes.getRun, async ({ fields }) => {
      const runId = runIdOf(fields);
      const [run] = await store.read(async (transaction) =>
        hydrateRuns(transaction, [await existingRun(transaction, runId)]),
      );
      return { run: run === undefined ? {} : wireRun(run) };
    }),
    route(context, mlflowRoutes.updateRun, (call) => updateCall(context, call)),
    route(context, mlflowRoutes.deleteRun, (call) => stageCall(context, call, "deleted")),
    route(context, mlflowRoutes.restoreRun, (call) => stageCall(context, call, "active")),
    route(context, mlflowRoutes.setTag, (call) => setTagCall(context, call)),
    route(context, mlflowRoutes.deleteTag, async ({ fields }) => {
      const runId = runIdOf(fields);
      const key = fields.requiredString("key");
      await store.write(async (transaction) => {
        const run = await activeRun(transaction, runId);
        if (!(await deleteRunTag(transaction, { run: run.number, key })))
          throw tagMissing({ key, subject: `run with id ${runId}` });
      });
      return {};
    }),
    route(context, mlflowRoutes.logOutputs, async ({ fields, atMs }) => {
      const runId = runIdOf(fields);
      const models = fields
        .messages("models")
        .map((model) => ({ modelId: model.requiredString("model_id"), step: model.int64("step") ?? 0 }));
      await store.write(async (transaction) => {
        const run = await activeRun(transaction, runId);
        await logRunModels(transaction, { run: run.number, direction: "output", models, atMs });
      });
      return {};
    }),
    route(context, mlflowRoutes.logModel, (call) => logModelCall(context, call)),
  ];
}

/** A run tag: the key is checked, a long value is cut. `path` is `""` or `tags[0]`. */
export function readRunTag(key: string, value: string | undefined, path: string): KeyValue {
  const named = path === "" ? "key" : `${path}.key`;
  assertKeyName(key, named);
  assertLength(named, key, LONGEST_KEY);
  return { key, value: truncate(value ?? "", LONGEST_TAG_VALUE) };
}

/** What clients send that do not know their user. */
const UNKNOWN_USER = "unknown";

/**
 * A caller's name stands where the client gave none: what a client says of its user stays, and who called is in the
 * event anyhow.
 */
function withUser(
  { user, isSignedIn }: MlflowCaller,
  run: { readonly userId: string; readonly tags: readonly KeyValue[] },
): { readonly userId: string; readonly tags: readonly KeyValue[] } {
  if (isSignedIn !== true) return run;
  const tagged = run.tags.find(({ key }) => key === USER_TAG)?.value;
  const userId = run.userId === "" || run.userId === UNKNOWN_USER ? (tagged ?? user) : run.userId;
  return { userId, tags: tagged === undefined ? [...run.tags, { key: USER_TAG, value: userId }] : run.tags };
}

async function createCall(
  { store, artifactRoot }: TrackingContext,
  { fields, atMs, actor, request }: TrackingCall,
): Promise<object> {
  const experimentText = fields.requiredString("experiment_id");
  const startTimeMs = fields.int64("start_time") ?? 0;
  const { user, attempt } = request.identity;
  const sent = fields.messages("tags").map((tag) => readRunTag(tag.requiredString("key"), tag.string("value"), ""));
  const given =
    attempt === undefined
      ? sent
      : withTags(sent, {
          [USER_TAG]: user,
          [ATTEMPT_TAG]: attempt.attemptId,
          "esteira.pipeline_run": attempt.pipelineRunId,
        });
  const { runName, tags: named } = nameRun(fields.string("run_name") ?? "", given);
  const { userId, tags } =
    attempt === undefined
      ? withUser(request.identity, { userId: fields.string("user_id") ?? "", tags: named })
      : { userId: user, tags: named };
  const runId = randomBytes(16).toString("hex");
  const info = await store.write(async (transaction) => {
    const experiment = await activeExperiment(transaction, experimentText);
    const artifactUri = appendPath(artifactLocationOf(experiment, artifactRoot), runId, "artifacts");
    const { experimentId, project } = experiment;
    return createRun(transaction, {
      runId,
      experimentId,
      project,
      runName,
      userId,
      startTimeMs,
      artifactUri,
      tags,
      atMs,
      actor,
    });
  });
  return { run: wireNewRun(info, tags) };
}

/** A step cannot know who started it: its process has another user than the run. */
function withTags(tags: readonly KeyValue[], own: Readonly<Record<string, string>>): readonly KeyValue[] {
  return [
    ...tags.filter(({ key }) => !Object.hasOwn(own, key)),
    ...Object.entries(own).map(([key, value]) => ({ key, value })),
  ];
}

/** Name and name tag are one. @throws TRACKING_PARAMETER_INVALID when both are given and differ */
export function nameRun(
  runName: string,
  tags: readonly KeyValue[],
): { readonly runName: string; readonly tags: readonly KeyValue[] } {
  const tagged = tags.find((tag) => tag.key === RUN_NAME_TAG)?.value;
  if (tagged !== undefined && runName !== "" && tagged !== runName) {
    throw parameterInvalid({
      message: `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${runName}', mlflow.runName='${tagged}').`,
    });
  }
  const name = runName || tagged || randomRunName();
  if (tagged === name) return { runName: name, tags };
  return {
    runName: name,
    tags: [...tags.filter((tag) => tag.key !== RUN_NAME_TAG), { key: RUN_NAME_TAG, value: name }],
  };
}

async function updateCall({ store }: TrackingContext, { fields, atMs, actor }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const status = fields.enumeration("status", STATUS_NUMBERS);
  const endTimeMs = fields.int64("end_time");
  const runName = fields.string("run_name") || undefined;
  const info = await store.write(async (transaction) => {
    const run = await activeRun(transaction, runId);
    if (runName !== undefined) await setRunTags(transaction, run.number, [{ key: RUN_NAME_TAG, value: runName }], atMs);
    return updateRun(transaction, {
      run,
      atMs,
      actor,
      ...(status === undefined ? {} : { status }),
      ...(endTimeMs === undefined ? {} : { endTimeMs }),
      ...(runName === undefined ? {} : { runName }),
    });
  });
  return { run_info: wireRunInfo(info) };
}

async function stageCall(
  { store }: TrackingContext,
  { fields, atMs, actor }: TrackingCall,
  stage: LifecycleStage,
): Promise<object> {
  const runId = runIdOf(fields);
  await store.write(async (transaction) =>
    setRunStage(transaction, { run: await existingRun(transaction, runId), stage, atMs, actor }),
  );
  return {};
}

async function setTagCall({ store }: TrackingContext, { fields, atMs, actor }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const tag = readRunTag(fields.requiredString("key"), fields.string("value"), "");
  await store.write(async (transaction) => {
    const run = await activeRun(transaction, runId);
    await setRunTags(transaction, run.number, [tag], atMs);
    if (tag.key === RUN_NAME_TAG) await updateRun(transaction, { run, runName: tag.value, atMs, actor });
  });
  return {};
}

/** Old clients and R: the model's JSON is appended to a tag. */
async function logModelCall({ store }: TrackingContext, { fields, atMs }: TrackingCall): Promise<object> {
  const runId = runIdOf(fields);
  const text = fields.requiredString("model_json");
  const parsed = parseStoredJson(text);
  if (!("value" in parsed))
    throw parameterInvalid({ message: `Malformed model info. \n ${text} \n is not a valid JSON.` });
  const model = parsed.value;
  const missing = ["artifact_path", "flavors", "utc_time_created", "run_id"].filter(
    (field) => typeof model !== "object" || model === null || !(field in model),
  );
  if (missing.length > 0)
    throw parameterInvalid({ message: `Model json is missing mandatory fields: ${missing.join(", ")}` });
  await store.write(async (transaction) => {
    const run = await activeRun(transaction, runId);
    const [{ tags } = { tags: [] }] = await hydrateRuns(transaction, [run]);
    const history = parseStoredJson(tags.find((tag) => tag.key === HISTORY_TAG)?.value ?? "[]");
    const models = "value" in history && Array.isArray(history.value) ? (history.value as unknown[]) : [];
    await setRunTags(transaction, run.number, [{ key: HISTORY_TAG, value: JSON.stringify([...models, model]) }], atMs);
  });
  return {};
}
