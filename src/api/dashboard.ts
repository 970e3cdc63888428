export interface DashboardSummary {
  readonly name: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly version: number;
  readonly versionId: string;
  readonly updatedAtMs: number;
  readonly tileCount: number;
}

export interface DashboardTile {
  readonly id: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** Share of the page's width in twelfths; default 6. */
  readonly width?: number | undefined;
  /** Vega-Lite specification without data; absent: the rows are shown as a table, or a single cell as a figure. */
  readonly spec?: Readonly<Record<string, unknown>> | undefined;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** JSON values in the order of `columns`. */
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated?: boolean | undefined;
}

export interface DashboardDetail extends DashboardSummary {
  readonly tiles: readonly DashboardTile[];
}
