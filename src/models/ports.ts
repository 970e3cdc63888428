import type { Digest } from "#base";
import type { AssetVersion, ReadTransaction } from "#metadata-store";
import type { ModelVersion } from "#metadata-store/registry";

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

/** Describes a dataset version as a table of its own, for packages. Declared here, implemented by `data`. */
export interface TableExporter {
  /**
   * @returns `log`: text of the table's only log entry; `files`: name in the standalone table, absolute path now, bytes
   */
  describeTable(version: AssetVersion): Promise<{
    readonly log: string;
    readonly tableId: string;
    readonly files: readonly {
      readonly path: string;
      readonly absolutePath: string;
      readonly sizeBytes: number;
      readonly digest?: Digest;
    }[];
  }>;
}

/** Reads what a tracking run logged. Declared here, implemented by `tracking`. */
export interface RunReader {
  /** The latest value of each metric; NaN and infinities as such. Empty maps when the run logged nothing. */
  readRun(runId: string): Promise<{
    readonly params: ReadonlyMap<string, string>;
    readonly metrics: ReadonlyMap<string, number>;
    readonly artifactUri: string | undefined;
  }>;
}

/** A protected alias that a client wants to move or take away. */
export interface Promotion {
  /** Registered model. */
  readonly name: string;
  readonly alias: string;
  /** Where it is to point; undefined when it is taken away. */
  readonly version: ModelVersion | undefined;
  /** Name of the caller. */
  readonly actor: string;
}

/**
 * Decides whether a client may move a protected alias (`champion`: what is in production). Asked only about models that
 * a pipeline made: the versions of plain MLflow users are theirs. Declared here, implemented by `governance`.
 */
export interface PromotionCheck {
  /** Whether an alias is protected by the rules that are in force, whatever this process was configured with. */
  protects(transaction: ReadTransaction, alias: string): Promise<boolean>;
  /**
   * @param transaction the one that would move the alias
   * @returns undefined when it may move, else one sentence with the reason and one with the command that changes it
   */
  refuse(
    transaction: ReadTransaction,
    promotion: Promotion,
  ): Promise<{ readonly reason: string; readonly hint: string } | undefined>;
}
