/** A double as MLflow sends it: what JSON cannot write comes as text. */
export type WireDouble = number | "NaN" | "Infinity" | "-Infinity";

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface WireMetric {
  readonly key: string;
  readonly value: WireDouble;
  readonly timestamp: number;
  readonly step: number;
  readonly run_id?: string;
}

export interface WireDatasetInput {
  readonly tags?: readonly KeyValue[];
  readonly dataset: {
    readonly name: string;
    readonly digest: string;
    readonly source_type: string;
    readonly source: string;
    readonly schema?: string;
    readonly profile?: string;
  };
}

/** A run as `runs/get` and `runs/search` answer it; empty lists are left out. */
export interface WireRun {
  readonly info: {
    readonly run_id: string;
    readonly experiment_id: string;
    readonly run_name?: string;
    readonly user_id?: string;
    readonly status: string;
    readonly start_time?: number;
    readonly end_time?: number;
    readonly artifact_uri?: string;
    readonly lifecycle_stage: string;
  };
  readonly data: {
    readonly metrics?: readonly WireMetric[];
    readonly params?: readonly KeyValue[];
    readonly tags?: readonly KeyValue[];
  };
  readonly inputs?: {
    readonly dataset_inputs?: readonly WireDatasetInput[];
    readonly model_inputs?: readonly { readonly model_id: string }[];
  };
  readonly outputs?: { readonly model_outputs?: readonly { readonly model_id: string; readonly step: number }[] };
}

/** A run of an experiment, as tables and charts read it. */
export interface TrackingRun {
  readonly id: string;
  readonly experimentId: string;
  readonly name: string;
  readonly user: string;
  /** RUNNING, SCHEDULED, FINISHED, FAILED or KILLED. */
  readonly status: string;
  readonly isDeleted: boolean;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly artifactUri: string;
  /** The latest value of each metric; may be NaN or infinite. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Step of the latest value of each metric. */
  readonly lastSteps: ReadonlyMap<string, number>;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly datasets: readonly WireDatasetInput[];
  readonly modelIds: readonly string[];
}

export function toNumber(value: WireDouble): number {
  return typeof value === "number" ? value : Number(value);
}

export function toMap(pairs: readonly KeyValue[] | undefined): ReadonlyMap<string, string> {
  return new Map((pairs ?? []).map(({ key, value }) => [key, value]));
}

export function toTrackingRun({ info, data, inputs, outputs }: WireRun): TrackingRun {
  const metrics = data.metrics ?? [];
  return {
    id: info.run_id,
    experimentId: info.experiment_id,
    name: info.run_name ?? info.run_id.slice(0, 8),
    user: info.user_id ?? "",
    status: info.status,
    isDeleted: info.lifecycle_stage === "deleted",
    startMs: info.start_time,
    endMs: info.end_time,
    artifactUri: info.artifact_uri ?? "",
    metrics: new Map(metrics.map(({ key, value }) => [key, toNumber(value)])),
    lastSteps: new Map(metrics.map(({ key, step }) => [key, step])),
    params: toMap(data.params),
    tags: toMap(data.tags),
    datasets: inputs?.dataset_inputs ?? [],
    modelIds: [
      ...new Set([...(outputs?.model_outputs ?? []), ...(inputs?.model_inputs ?? [])].map(({ model_id: id }) => id)),
    ],
  };
}

/** Milliseconds a run took, or undefined while it runs. */
export function runDurationMs({ startMs, endMs }: Pick<TrackingRun, "startMs" | "endMs">): number | undefined {
  return startMs === undefined || endMs === undefined ? undefined : Math.max(0, endMs - startMs);
}

/** The tags that people set: without those that MLflow keeps for itself. */
export function userTags(tags: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...tags].filter(([key]) => !key.startsWith("mlflow.")).sort(([left], [right]) => left.localeCompare(right));
}
