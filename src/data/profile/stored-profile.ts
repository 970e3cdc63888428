import type { JsonCell } from "../analytics/rows.ts";
import type { ColumnProfile, Profile } from "./profile.ts";

/** What releases before `profile/2` wrote: most figures come from blocks of adjacent rows. */
interface BlockProfile {
  readonly format: "profile/1";
  readonly rowCount: number;
  readonly sampleRows: number;
  readonly columns: readonly BlockColumn[];
}

type BlockColumn = Pick<
  ColumnProfile,
  "name" | "type" | "nullCount" | "mean" | "standardDeviation" | "quantiles" | "histogram" | "top"
> & { readonly distinctInSample: number; readonly min?: JsonCell; readonly max?: JsonCell };

/**
 * A stored profile, of this release or an older one. An older one's figures are said to come from blocks, and its
 * histograms, which counted rows without a value into the last bin, are left out where there are such rows.
 */
export function parseProfile(text: string): Profile {
  const stored = JSON.parse(text) as Profile | BlockProfile;
  if (stored.format === "profile/2") return stored;
  const { rowCount, sampleRows } = stored;
  const isWhole = sampleRows === rowCount;
  return {
    format: "profile/2",
    rowCount,
    columns: stored.columns.map(({ distinctInSample, histogram, ...column }) => ({
      ...column,
      distinct: { count: distinctInSample },
      ...(histogram === undefined || column.nullCount > 0 ? {} : { histogram }),
      ...(isWhole ? {} : { sample: { kind: "blocks", rows: sampleRows } }),
    })),
  };
}
