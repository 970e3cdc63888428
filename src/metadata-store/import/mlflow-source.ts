import type { KeyValue } from "../registry/key-value.ts";
import type { LoggedModel } from "../registry/logged-model.ts";
import type { ModelVersion } from "../registry/model-version.ts";
import type { MetricPoint, RunDataset, RunModel } from "../tracking/run.ts";
import type { RunStatus, StoredInteger } from "../tracking/tables.ts";

/** An experiment of another server. Ids are that server's. */
export interface SourceExperiment {
  readonly id: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly deleted: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly tags: readonly KeyValue[];
}

export interface SourceRun {
  readonly runId: string;
  readonly name: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly startTimeMs: StoredInteger;
  readonly endTimeMs: StoredInteger | undefined;
  readonly artifactUri: string;
  readonly deleted: boolean;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly datasets: readonly RunDataset[];
  readonly modelInputs: readonly RunModel[];
  readonly modelOutputs: readonly RunModel[];
}

export interface SourceModelVersion extends Omit<ModelVersion, "id" | "name" | "assetVersionId" | "actor" | "aliases"> {
  readonly userId: string | undefined;
}

export interface SourceRegisteredModel {
  readonly name: string;
  readonly description: string | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Highest number ever given, deleted versions too. */
  readonly lastVersion: number;
  readonly tags: readonly KeyValue[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
  readonly versions: readonly SourceModelVersion[];
}

export type SourceLoggedModel = Omit<LoggedModel, "experimentId">;

/** Something an import does not take, and why. */
export interface LeftBehind {
  readonly what: string;
  readonly count: number;
  readonly reason: string;
}

/** What another MLflow server keeps: its database, or its folder of files. Read only; pages are bounded. */
export interface MlflowSource {
  /** For messages; without a password. */
  readonly address: string;
  experiments(): Promise<readonly SourceExperiment[]>;
  /** Runs of an experiment, deleted ones too. */
  runs(experimentId: string): AsyncIterable<readonly SourceRun[]>;
  /** Every point that a run logged. */
  metrics(experimentId: string, runId: string): AsyncIterable<readonly MetricPoint[]>;
  loggedModels(experimentId: string): AsyncIterable<readonly SourceLoggedModel[]>;
  registeredModels(): AsyncIterable<SourceRegisteredModel>;
  /** What is there and cannot be taken. */
  leftBehind(): Promise<readonly LeftBehind[]>;
  close(): Promise<void>;
}
