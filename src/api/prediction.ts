import type { LineageGraph } from "./lineage.ts";

export interface PredictionSummary {
  readonly id: string;
  readonly environment: string;
  readonly endpoint: string;
  readonly atMs: number;
  readonly model: string;
  readonly modelVersion: number;
  readonly versionId: string;
  readonly entityKey?: string | undefined;
  /** Number, or text for class names. */
  readonly prediction: number | string;
  readonly label?: number | string | undefined;
  readonly labelAtMs?: number | undefined;
}

/** One step back from a prediction towards the files it all began with. */
export interface ChainLink {
  readonly kind:
    | "prediction"
    | "model"
    | "training_data"
    | "data"
    | "features"
    | "notebook"
    | "commit"
    | "pipeline_run"
    | "source_file";
  /** Name, path or short id for people. */
  readonly label: string;
  readonly id: string;
  readonly version?: number | undefined;
  readonly digest?: string | undefined;
  readonly atMs?: number | undefined;
  readonly rowCount?: number | undefined;
  /** It stands for so many source files: the rows may have come from any of them. */
  readonly fileCount?: number | undefined;
  /** It stands for more source files than `fileCount`. */
  readonly hasMoreFiles?: boolean | undefined;
}

export interface PredictionDetail extends PredictionSummary {
  readonly requestId?: string | undefined;
  /** Which version of a trial answered: the stable one, its candidate, or a shadow nobody saw. */
  readonly arm?: "stable" | "candidate" | "shadow" | undefined;
  /** Chance with which a trial drew the version for this row, 0–1; absent where no chance decided. */
  readonly propensity?: number | undefined;
  /** JSON values by feature. */
  readonly features: Readonly<Record<string, unknown>>;
  /** From the prediction back: model version, training data, …, captured files, commit. */
  readonly chain: readonly ChainLink[];
  readonly lineage?: LineageGraph | undefined;
}
