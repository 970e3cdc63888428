import type { AssetVersion } from "#metadata-store";

/** A batch of rows by column; every array has the same length. `null` marks a missing value. */
export interface ColumnBatch {
  readonly rowCount: number;
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
}

/** Runs a model on rows. Declared here, implemented by `serving`. */
export interface Scorer {
  /**
   * @param modelVersion a version of kind `model`
   * @param rows the model's input columns, more are ignored
   * @returns one number per row: probability of the positive class, class index, or predicted value by the model's task
   */
  score(modelVersion: AssetVersion, rows: ColumnBatch): Promise<Float64Array>;
  /** Probabilities by class, one per row each; undefined for a model that gives none. */
  probabilities?(modelVersion: AssetVersion, rows: ColumnBatch): Promise<readonly Float64Array[] | undefined>;
  /** Inputs that the model has no form of a missing value for: it refuses rows that lack them. Default: none. */
  neverMissing?(modelVersion: AssetVersion): Promise<readonly string[]>;
}

/** Reads rows of a dataset version. Declared here, implemented by `data`. */
export interface DatasetReader {
  /**
   * @param request `columns` to read; `where` as equalities that all hold; `atMost`: of the rows that hold, a random
   *   sample of about so many, the same at every call; all when there are no more
   * @throws what the reader defines for a missing column
   */
  readColumns(
    version: AssetVersion,
    request: {
      readonly columns: readonly string[];
      readonly where?: Readonly<Record<string, string | number | boolean>>;
      readonly atMost?: number;
    },
  ): Promise<ColumnBatch>;
  /** Columns with their DuckDB types. */
  describe(version: AssetVersion): Promise<readonly { readonly name: string; readonly type: string }[]>;
  /** The Parquet files of exactly this version, absolute paths, and the row count of each. */
  files(version: AssetVersion): Promise<readonly { readonly path: string; readonly rowCount?: number }[]>;
}

/** Reads what a tracking run logged. Declared here, implemented by `tracking`. */
export interface RunReader {
  /** The latest value of each metric; NaN and infinities as such. Empty maps when the run logged nothing. */
  readRun(runId: string): Promise<{
    readonly params: ReadonlyMap<string, string>;
    readonly metrics: ReadonlyMap<string, number>;
    readonly artifactUri: string | undefined;
    readonly tags?: ReadonlyMap<string, string>;
  }>;
}
