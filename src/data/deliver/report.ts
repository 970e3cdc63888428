import type { Digest } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import type { Blobs, Tree } from "#storage";
import type { Column } from "../analytics/analytics.ts";
import type { Row } from "../analytics/rows.ts";
import { dashboardMissing } from "../errors.ts";

/**
 * A dashboard with the rows of its tiles, as one version of a `report` asset holds it (`dashboard.json` of its tree).
 */
export interface DashboardReport {
  readonly format: "dashboard/1";
  readonly title: string;
  readonly description?: string;
  readonly tiles: readonly {
    readonly title: string;
    readonly description?: string;
    readonly width: "half" | "full";
    readonly chart?: object;
    readonly columns: readonly Column[];
    readonly rows: readonly Row[];
    /** True when the query had more rows than the tile's limit. */
    readonly truncated: boolean;
    /** The dataset versions that the rows come from. */
    readonly sources: readonly {
      readonly asset: string;
      readonly version: number;
      readonly versionId: string;
      readonly madeAtMs: number;
    }[];
  }[];
}

/**
 * The latest version of a dashboard, or the one with the given number.
 *
 * @throws DATA_DASHBOARD_MISSING
 */
export async function getDashboard(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  of: { readonly project: string; readonly name: string; readonly version?: number },
): Promise<{ readonly version: AssetVersion; readonly report: DashboardReport }> {
  const version = await store.read((transaction) =>
    getAssetVersion(transaction, {
      project: of.project,
      asset: of.name,
      ...(of.version === undefined ? {} : { version: of.version }),
    }),
  );
  const file = (version?.content as Partial<Tree> | undefined)?.files?.find(({ path }) => path === "dashboard.json");
  if (version === undefined || file === undefined) throw dashboardMissing({ dashboard: of.name });
  return { version, report: JSON.parse((await objects.get(file.digest as Digest)).toString()) as DashboardReport };
}
