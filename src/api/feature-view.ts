/** A feature view, and how far its online values have followed its source. */
export interface FeatureViewSummary {
  readonly name: string;
  readonly description?: string | undefined;
  /** The dataset it reads. */
  readonly source: string;
  readonly entities: readonly string[];
  readonly features: readonly string[];
  /** What those features aggregate that are windows: `sum(amount, 7d)` by name. */
  readonly windows?: Readonly<Record<string, string>> | undefined;
  /** Newest version of the source; missing before there is one. */
  readonly sourceVersion?: number | undefined;
  /** Version whose last values are read online; missing before the first. */
  readonly onlineVersion?: number | undefined;
  /** True when online reads see the newest version of the source. */
  readonly isCurrent: boolean;
  readonly onlineAtMs?: number | undefined;
  /** Its push source: rows that come online before the source has them. */
  readonly push?:
    | {
        readonly name: string;
        /** Keys whose pushed row no version of the source has, or has a later one of. */
        readonly held: number;
        /** When the last of these came; missing when there are none. */
        readonly lastAtMs?: number | undefined;
      }
    | undefined;
}
