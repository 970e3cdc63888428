import type { AssetVersionSummary, StepReference } from "./asset.ts";

export interface DatasetSummary {
  readonly name: string;
  readonly kind: "data" | "features";
  readonly latestVersion: number;
  readonly versionId: string;
  readonly madeAtMs: number;
  readonly rowCount?: number | undefined;
  readonly sizeBytes?: number | undefined;
  readonly columnCount?: number | undefined;
  /** Rows in its quarantine that are still open. */
  readonly quarantinedCount: number;
  readonly producedBy?: StepReference | undefined;
}

export interface DatasetColumn {
  readonly name: string;
  /** DuckDB type. */
  readonly type: string;
  readonly nullable?: boolean | undefined;
  readonly description?: string | undefined;
  /** Columns it is computed from, when the SQL tells. */
  readonly from?: readonly { readonly asset: string; readonly column: string }[] | undefined;
}

/** Counts between edges: `edges` has one more element than `counts`. */
export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  /** True: edges are epoch milliseconds. */
  readonly isTime?: boolean | undefined;
}

/** What a version's column holds. Every figure is of all rows, except what `sample` says. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: string;
  readonly count: number;
  readonly nullCount: number;
  /** NaN is in no other figure; absent: none. */
  readonly nanCount?: number | undefined;
  readonly positiveInfinityCount?: number | undefined;
  readonly negativeInfinityCount?: number | undefined;
  readonly distinctCount?: number | undefined;
  /** Relative error of `distinctCount` with 95 percent certainty; 0: exact; absent: unknown. */
  readonly distinctError?: number | undefined;
  /** Numbers, or text for times and numbers of many digits. */
  readonly min?: number | string | undefined;
  readonly max?: number | string | undefined;
  readonly mean?: number | undefined;
  readonly standardDeviation?: number | undefined;
  /** Characters of texts, bytes of binaries, elements of lists and maps. */
  readonly lengths?: { readonly min: number; readonly max: number; readonly mean: number } | undefined;
  /** Values at 5, 25, 50, 75, 95 percent; times as epoch milliseconds. */
  readonly quantiles?: readonly number[] | undefined;
  readonly histogram?: Histogram | undefined;
  /** All values of a number, time or boolean column that has few, in order. */
  readonly values?: readonly { readonly value: string; readonly count: number }[] | undefined;
  readonly topValues?: readonly { readonly value: string; readonly count: number }[] | undefined;
  /** What quantiles and top values are counted in; absent: all rows. */
  readonly sample?: ProfileSample | undefined;
}

export interface ProfileSample {
  /**
   * `rows`: a uniform sample of rows. `blocks`: adjacent rows, by an older release; mean, deviation, distinct values
   * and histogram come from them too.
   */
  readonly kind: "rows" | "blocks";
  readonly rowCount: number;
  /** Largest error of a share or of a quantile's rank with 95 percent certainty; absent: unknown. */
  readonly shareError?: number | undefined;
}

export interface QuarantineSummary {
  readonly openCount: number;
  readonly replayedCount: number;
  readonly discardedCount: number;
  /** Rows that a corrected file, or a replacement of the dataset, made pointless. */
  readonly supersededCount: number;
  /** Of the open ones. */
  readonly byRule: readonly {
    readonly rule: string;
    readonly description?: string | undefined;
    readonly count: number;
  }[];
}

export interface ContractSummary {
  readonly file?: string | undefined;
  readonly version?: string | undefined;
  readonly rules: readonly {
    readonly id: string;
    readonly column?: string | undefined;
    readonly description?: string | undefined;
  }[];
}

/** A rule about the whole dataset, as it was when a version was made. */
export interface DatasetCheck {
  readonly rule: string;
  readonly expectation: string;
  readonly severity: "error" | "warning";
  /** What was found, as text. */
  readonly found?: string | undefined;
  /** Absent: it could not be judged, for the reason that `expectation` says. */
  readonly holds?: boolean | undefined;
}

export interface DatasetDetail extends DatasetSummary {
  readonly description?: string | undefined;
  /** The version that columns and profile describe. */
  readonly shownVersion: number;
  /** Newest first, at most 100; older ones through `assets/:name/versions`. */
  readonly versions: readonly AssetVersionSummary[];
  readonly columns: readonly DatasetColumn[];
  readonly profile?: readonly ColumnProfile[] | undefined;
  readonly quarantine?: QuarantineSummary | undefined;
  /** What the contract's treatments changed of the rows that were read for the version. */
  readonly treated?:
    | readonly {
        readonly column: string;
        readonly treatment: string;
        /** Rows, of `deduplicate`. */
        readonly values: number;
        /** Of `outliers`: beyond what values were ones. */
        readonly low?: number | undefined;
        readonly high?: number | undefined;
        /** Why nothing was judged. */
        readonly why?: string | undefined;
      }[]
    | undefined;
  /** Rules about the dataset and what is unusual, as they were judged when the version was made. */
  readonly checks?: readonly DatasetCheck[] | undefined;
  /** Keys that the merge which made the version added, changed, deleted, or found as they are. */
  readonly merged?:
    | { readonly added: number; readonly changed: number; readonly deleted: number; readonly unchanged: number }
    | undefined;
  readonly contract?: ContractSummary | undefined;
  readonly consumedBy: readonly StepReference[];
  /** How to read the table in place: absolute path of the Delta table and its version. */
  readonly location?: { readonly path: string; readonly deltaVersion: number } | undefined;
}

export interface DatasetRows {
  readonly version: number;
  readonly offset: number;
  readonly rowCount?: number | undefined;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** One array per row, in the order of `columns`; JSON values. */
  readonly rows: readonly (readonly unknown[])[];
}

export interface QuarantinedRow {
  readonly id: string;
  readonly atMs: number;
  readonly state: "open" | "replayed" | "discarded" | "superseded";
  /** Why it is no longer open, or what the last replay found, and who decided. */
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
  readonly rules: readonly { readonly id: string; readonly message?: string | undefined }[];
  /** The row as received; JSON values by column, or `_raw` for text that could not be read. */
  readonly row: Readonly<Record<string, unknown>>;
  readonly source: {
    readonly file: string;
    readonly digest?: string | undefined;
    /** 1-based line of a text file. */
    readonly line?: number | undefined;
    /** 0-based row of a Parquet file. */
    readonly row?: number | undefined;
  };
  readonly pipelineRunId?: string | undefined;
}

/** Body of `POST datasets/:name/restore`. */
export interface DatasetRestoration {
  /** The version whose content comes back. */
  readonly version: number;
}

export interface RestoredDataset {
  /** The version with that content: a new one, unless the latest has it already. */
  readonly version: number;
  readonly restoredFrom: number;
  /** False: the latest version has this content already. */
  readonly restored: boolean;
}

/** Body of `POST datasets/:name/restate`: a span, or all. */
export interface Restatement {
  /** First moment to fill again: a date, or a date with a time, UTC where no zone is said. */
  readonly from?: string | undefined;
  /** First moment not to fill again. */
  readonly to?: string | undefined;
  /** True: make the whole dataset anew. */
  readonly full?: boolean | undefined;
}

export interface RestatedDataset {
  /** The pipeline run that fills. */
  readonly id: string;
  /** The span of whole intervals, or `all`. */
  readonly restated: string;
}

export interface DroppedDataset {
  readonly name: string;
  /** Versions that stay readable, for lineage. */
  readonly versions: number;
}

/** Body of `POST datasets/:name/capture`. */
export interface NewCapture {
  /** Files to capture again, as the log names them. */
  readonly files?: readonly string[] | undefined;
  /** True: make the dataset anew from all its files. */
  readonly all?: boolean | undefined;
}

/**
 * Body of `POST datasets/:name/quarantine/discard`: everything that is open, or what came from one file or broke one
 * rule.
 */
export interface QuarantineDiscard {
  readonly reason: string;
  readonly rule?: string | undefined;
  readonly source?: string | undefined;
}

export interface DiscardedQuarantine {
  readonly discarded: number;
  /** Files that were held back whole. */
  readonly files: number;
}

export interface ReplayedQuarantine {
  readonly replayed: number;
  readonly held: number;
}
