/** One step, with a letter for each of its cells: thousands of them are answered at once. */
export interface StateGridRow {
  readonly step: string;
  /**
   * A letter for each cell: `s` succeeded, `c` reused, `f` failed, `r` running, `w` waiting, `q` queued, `p` pending,
   * `k` skipped, `x` cancelled, `-` none.
   */
  readonly states: string;
  /** Of a pipeline run: the ids of the step runs, 26 characters each, one behind the other; else nothing. */
  readonly ids: string;
}

/** Steps by items, or by partitions. */
export interface StateGrid {
  /** Steps in the order of the graph. Of partitions all have the same number of cells. */
  readonly steps: readonly StateGridRow[];
  /** Names of the partitions, the oldest first; of a pipeline run none. */
  readonly columns: readonly string[];
  /** The newest pipeline run of each partition, 26 characters each, spaces where there is none. */
  readonly pipelineRuns: string;
}
