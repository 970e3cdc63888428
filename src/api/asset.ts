/** What kind of thing an asset is. */
export type ApiAssetKind = "data" | "features" | "notebook" | "model" | "code" | "report";

/** Enough of an asset version to name it and to link to it. */
export interface VersionReference {
  /** Asset version id (ULID). */
  readonly id: string;
  readonly asset: string;
  readonly kind: ApiAssetKind;
  /** 1, 2, 3, … per asset. */
  readonly version: number;
  /** `sha256:…` of the content. */
  readonly digest: string;
  /** The part it played for the thing that mentions it: `input`, `spine`, `train`, `test`, `champion`, … */
  readonly role?: string | undefined;
  readonly rowCount?: number | undefined;
  readonly sizeBytes?: number | undefined;
}

/** A version in a list of versions. */
export interface AssetVersionSummary {
  readonly id: string;
  readonly asset: string;
  readonly kind: ApiAssetKind;
  readonly version: number;
  readonly digest: string;
  readonly madeAtMs: number;
  readonly rowCount?: number | undefined;
  readonly sizeBytes?: number | undefined;
  readonly pipeline?: string | undefined;
  readonly step?: string | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly stepRunId?: string | undefined;
  /** Its rows are kept no longer since then: they cannot be read. */
  readonly expiredAtMs?: number | undefined;
  /** Rows kept out of this version by its contract. */
  readonly quarantinedCount?: number | undefined;
  readonly inputs: readonly VersionReference[];
}

/** A step that makes or reads an asset. */
export interface StepReference {
  readonly pipeline: string;
  readonly step: string;
  /** The asset that the step makes, when it is asked who reads one. */
  readonly makes?: string | undefined;
}
