import type { Digest } from "#base";
import type { AssetVersion } from "#metadata-store";

/** What a step made for a key once: enough to give it again without running. */
export interface PastResult {
  readonly project: string;
  readonly key: string;
  /** What the key was made of, part by part: for explaining. */
  readonly parts: object;
  readonly outputs: readonly { readonly asset: string; readonly versionId: string }[];
  readonly facts: object | undefined;
  /** The outputs that its processes wrote. */
  readonly results?: Readonly<Record<string, string>> | undefined;
  readonly blocks: string | undefined;
  readonly stepRunId: string;
}

/** The step run of a step that ended last. */
export interface PastStepRun {
  readonly id: string;
  readonly status:
    | "pending"
    | "queued"
    | "waiting"
    | "running"
    | "succeeded"
    | "failed"
    | "skipped"
    | "cancelled"
    | "interrupted";
  readonly cached: boolean;
  readonly finishedAtMs: number | undefined;
  readonly reason: string | undefined;
}

/** A partition of an asset, as it stands. */
export interface PartitionMade {
  /** Of what made it last. */
  readonly stepRunId: string;
  /** Another where its content is another: what reads the partition depends on it. */
  readonly identity: Digest;
}

interface StepOfPipeline {
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
}

/** What was made before, as plans and the cache ask for it. Declared here, implemented by the engine. */
export interface PastRuns {
  readonly latestVersion: (asset: {
    readonly project: string;
    readonly asset: string;
  }) => Promise<AssetVersion | undefined>;
  /** Who made a partition of an asset last, as far as nothing has replaced the whole since. */
  readonly partitionMade: (of: {
    readonly project: string;
    readonly asset: string;
    readonly partition: string;
  }) => Promise<PartitionMade | undefined>;
  readonly result: (key: { readonly project: string; readonly key: string }) => Promise<PastResult | undefined>;
  /** The newest result of a step, whatever its key. */
  readonly latestResult: (step: StepOfPipeline & { readonly matrixIndex: number }) => Promise<PastResult | undefined>;
  readonly latestStepRun: (step: StepOfPipeline) => Promise<PastStepRun | undefined>;
}
