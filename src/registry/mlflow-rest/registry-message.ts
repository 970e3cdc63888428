import type { KeyValue, LoggedModel, ModelVersion, RegisteredModel, Webhook } from "#metadata-store/registry";
import { assertKeyName, assertLength, type MlflowMessage, parameterInvalid, wireDouble, wireInteger } from "#tracking";

export const KEY_LIMIT = 250;
export const VALUE_LIMIT = 100_000;

/** A model version as MLflow sends it; aliases only where MLflow fills them. */
export function toModelVersionMessage(version: ModelVersion, withAliases = false): object {
  return {
    name: version.name,
    version: String(version.version),
    creation_timestamp: version.createdAtMs,
    last_updated_timestamp: version.updatedAtMs,
    current_stage: version.stage,
    description: version.description ?? "",
    source: version.source,
    run_id: version.runId ?? "",
    status: "READY",
    ...unlessEmpty("tags", version.tags),
    run_link: version.runLink ?? "",
    ...(withAliases ? unlessEmpty("aliases", version.aliases) : {}),
  };
}

/** A registered model as MLflow sends it. */
export function toRegisteredModelMessage(model: RegisteredModel): object {
  return {
    name: model.name,
    creation_timestamp: model.createdAtMs,
    last_updated_timestamp: model.updatedAtMs,
    ...(model.description === undefined || model.description === "" ? {} : { description: model.description }),
    ...unlessEmpty(
      "latest_versions",
      model.latestVersions.map((version) => toModelVersionMessage(version)),
    ),
    ...unlessEmpty("tags", model.tags),
    ...unlessEmpty(
      "aliases",
      model.aliases.map(({ alias, version }) => ({ alias, version: String(version) })),
    ),
  };
}

/** A logged model as MLflow sends it. */
export function toLoggedModelMessage(model: LoggedModel): object {
  return {
    info: {
      model_id: model.id,
      experiment_id: model.experimentId,
      name: model.name,
      creation_timestamp_ms: model.createdAtMs,
      last_updated_timestamp_ms: model.updatedAtMs,
      artifact_uri: model.artifactUri,
      status: model.status,
      model_type: model.modelType ?? "",
      source_run_id: model.sourceRunId ?? "",
      ...unlessEmpty("tags", model.tags),
    },
    data: {
      ...unlessEmpty("params", model.params),
      ...unlessEmpty(
        "metrics",
        model.metrics.map((metric) => ({
          key: metric.key,
          value: wireDouble(metric.value),
          timestamp: wireInteger(metric.timestampMs),
          step: wireInteger(metric.step),
          ...(metric.datasetName === undefined ? {} : { dataset_name: metric.datasetName }),
          ...(metric.datasetDigest === undefined ? {} : { dataset_digest: metric.datasetDigest }),
          model_id: model.id,
          run_id: metric.runId,
        })),
      ),
    },
  };
}

/** A webhook as MLflow sends it, without its secret. */
export function toWebhookMessage(webhook: Webhook): object {
  return {
    webhook_id: webhook.id,
    name: webhook.name,
    ...(webhook.description === undefined ? {} : { description: webhook.description }),
    url: webhook.url,
    events: webhook.events,
    status: webhook.status,
    creation_timestamp: webhook.createdAtMs,
    last_updated_timestamp: webhook.updatedAtMs,
  };
}

/** `{ name: list }`, or nothing for an empty list. */
export function unlessEmpty<Item>(name: string, list: readonly Item[]): Readonly<Record<string, readonly Item[]>> {
  return list.length === 0 ? {} : { [name]: list };
}

/**
 * Tags of a registered model, a version or a logged model. @throws TRACKING_PARAMETER_INVALID,
 * TRACKING_PARAMETER_MISSING
 */
export function readTags(message: MlflowMessage, field = "tags"): readonly KeyValue[] {
  return message.messages(field).map((tag) => {
    const key = tag.requiredString("key");
    const value = tag.string("value") ?? "";
    assertTag({ key, value }, tag.pathOf("key"));
    return { key, value };
  });
}

/** @throws TRACKING_PARAMETER_INVALID */
export function assertTag(tag: KeyValue, keyParameter = "key"): void {
  assertKeyName(tag.key, keyParameter);
  assertLength("key", tag.key, KEY_LIMIT);
  assertLength("value", tag.value, VALUE_LIMIT);
}

/** `version` of a call: an integer, sent as text. @throws TRACKING_PARAMETER_INVALID, TRACKING_PARAMETER_MISSING */
export function readVersion(message: MlflowMessage): number {
  const raw = message.raw("version");
  const text = typeof raw === "number" || typeof raw === "bigint" ? String(raw) : message.requiredString("version");
  const version = Number(text);
  if (!/^\s*[+-]?\d+\s*$/.test(text) || !Number.isSafeInteger(version))
    throw parameterInvalid({ message: `Parameter 'version' must be an integer, got '${text}'.` });
  return version;
}
