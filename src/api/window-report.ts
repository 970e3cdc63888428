/** One value of a window, with the definition that gives it a meaning. */
export interface WindowScore {
  /** `roc_auc`, `estimated_rmse`, `drift.psi`, `null_share`, … */
  readonly metric: string;
  /** Column or attribute that it is of. */
  readonly column?: string | undefined;
  /** `column=value`, several joined by ` and `; absent for all rows. */
  readonly segment?: string | undefined;
  /** Absent where there were too few rows or no number exists: `reason` says why. */
  readonly value?: number | undefined;
  /** The reference's value of the same metric. */
  readonly baseline?: number | undefined;
  readonly threshold?: number | undefined;
  /** Whether it is out of bounds; absent where nothing was decided. */
  readonly breached?: boolean | undefined;
  readonly rows: number;
  readonly referenceRows?: number | undefined;
  /** Where the value would lie by chance alone: three standard errors of sampling to each side. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** The p-value, adjusted for the other columns that were tested. */
  readonly adjusted?: number | undefined;
  readonly reason?: string | undefined;
  /** How the values lie on both sides, where the column moved. */
  readonly shape?: ColumnShape | undefined;
  /** Method, bins, statistic, calibration, … by name. */
  readonly definition: Readonly<Record<string, string | number | boolean>>;
}

/** A column of the reference and of the window, as shares of the same bins. */
export interface ColumnShape {
  /** Name of each bin: a category, or `from – to`. */
  readonly bins: readonly string[];
  /** Shares, 0 to 1, one per bin. */
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

/** Everything that was computed of one window of an endpoint. */
export interface WindowReport {
  readonly size: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isClosed: boolean;
  readonly evaluatedAtMs: number;
  readonly predictionCount: number;
  readonly labelledCount: number;
  /** The model version whose training data it was compared with. */
  readonly referenceVersionId?: string | undefined;
  readonly scores: readonly WindowScore[];
  /** Starts of the windows before and after it that exist, epoch ms. */
  readonly beforeMs?: number | undefined;
  readonly afterMs?: number | undefined;
}
