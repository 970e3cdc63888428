/** Rows that a query gave. */
export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** JSON values in the order of `columns`. */
  readonly rows: readonly (readonly unknown[])[];
  /** There were more rows than the limit. */
  readonly truncated: boolean;
  /** What was read. */
  readonly sources: readonly {
    readonly dataset: string;
    readonly version: number;
    readonly versionId: string;
  }[];
}
