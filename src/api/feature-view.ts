/** A feature view, and how far its online values have followed its source. */
export interface FeatureViewSummary {
  readonly name: string;
  readonly description?: string | undefined;
  /** The dataset it reads. */
  readonly source: string;
  readonly entities: readonly string[];
  readonly features: readonly string[];
  /** Newest version of the source; missing before there is one. */
  readonly sourceVersion?: number | undefined;
  /** Version whose last values are read online; missing before the first. */
  readonly onlineVersion?: number | undefined;
  /** True when online reads see the newest version of the source. */
  readonly isCurrent: boolean;
  readonly onlineAtMs?: number | undefined;
}
