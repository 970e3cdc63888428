/** Reads features online for an endpoint that names a feature service. Declared here, implemented by `features`. */
export interface OnlineFeatures {
  /**
   * @param request `rows` hold the join keys and whatever the request brought beside them
   * @returns feature values by name, one per row, `null` where the store has none (or none young enough)
   */
  read(request: {
    readonly project: string;
    readonly service: string;
    readonly rows: readonly Readonly<Record<string, unknown>>[];
    /** Time by which a value may have outlived its view's TTL: the latest event time of the rows; default now. Epoch ms. */
    readonly atMs?: number;
    readonly signal?: AbortSignal;
  }): Promise<ReadonlyMap<string, readonly unknown[]>>;
}

/** Whether an alert is open on an endpoint since a time. Declared here, implemented by `monitoring`; ends a canary early. */
export interface AlertWatch {
  openSince(endpoint: { readonly project: string; readonly environment: string; readonly endpoint: string }, sinceMs: number): Promise<boolean>;
}
