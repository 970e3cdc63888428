import type { KeyValue } from "#metadata-store/registry";
import type { Experiment, MetricPoint, Run, RunDataset, RunInfo } from "#metadata-store/tracking";
import { wireDouble, wireInteger } from "./json.ts";
import { artifactLocationOf } from "./tracking-call.ts";

/** A list under its name, or nothing when it is empty: MLflow leaves empty lists out. */
export function unlessEmpty(name: string, list: readonly unknown[]): object {
  return list.length === 0 ? {} : { [name]: list };
}

export function wireExperiment(experiment: Experiment, artifactRoot: string): object {
  return {
    experiment_id: String(experiment.experimentId),
    name: experiment.name,
    artifact_location: artifactLocationOf(experiment, artifactRoot),
    lifecycle_stage: experiment.lifecycleStage,
    last_update_time: experiment.lastUpdateTimeMs,
    creation_time: experiment.creationTimeMs,
    ...unlessEmpty("tags", experiment.tags),
  };
}

export function wireRunInfo(info: RunInfo): object {
  return {
    run_uuid: info.runId,
    experiment_id: String(info.experimentId),
    run_name: info.runName,
    user_id: info.userId,
    status: info.status,
    start_time: wireInteger(info.startTimeMs),
    ...(info.endTimeMs === undefined ? {} : { end_time: wireInteger(info.endTimeMs) }),
    artifact_uri: info.artifactUri,
    lifecycle_stage: info.lifecycleStage,
    run_id: info.runId,
  };
}

export function wireMetric(point: MetricPoint): object {
  return {
    key: point.key,
    value: wireDouble(point.value),
    timestamp: wireInteger(point.timestampMs),
    step: wireInteger(point.step),
  };
}

export function wireRun(run: Run): object {
  return {
    info: wireRunInfo(run.info),
    data: {
      ...unlessEmpty("metrics", run.metrics.map(wireMetric)),
      ...unlessEmpty("params", run.params),
      ...unlessEmpty("tags", run.tags),
    },
    inputs: {
      ...unlessEmpty("dataset_inputs", run.datasets.map(wireDatasetInput)),
      ...unlessEmpty(
        "model_inputs",
        run.modelInputs.map(({ modelId }) => ({ model_id: modelId })),
      ),
    },
    outputs: unlessEmpty(
      "model_outputs",
      run.modelOutputs.map(({ modelId, step }) => ({ model_id: modelId, step: wireInteger(step) })),
    ),
  };
}

/** A run that was just made: nothing but tags. */
export function wireNewRun(info: RunInfo, tags: readonly KeyValue[]): object {
  return { info: wireRunInfo(info), data: unlessEmpty("tags", tags), inputs: {} };
}

function wireDatasetInput(dataset: RunDataset): object {
  return {
    ...unlessEmpty("tags", dataset.tags),
    dataset: {
      name: dataset.name,
      digest: dataset.digest,
      source_type: dataset.sourceType,
      source: dataset.source,
      ...(dataset.schema === undefined ? {} : { schema: dataset.schema }),
      ...(dataset.profile === undefined ? {} : { profile: dataset.profile }),
    },
  };
}
