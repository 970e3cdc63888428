import type { DashboardDetail, DashboardSummary } from "#api";
import type { Platform } from "#app";
import { type DashboardReport, getDashboard } from "#data";
import { type AssetVersion, listAssets } from "#metadata-store";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { toPage } from "../api/paging.ts";

const WIDTHS = { half: 6, full: 12 } as const;

/** Dashboards with the data of their tiles. */
export function createDashboardHandlers({
  store,
  objects,
  project,
}: Platform): Pick<ApiHandlers, "listDashboards" | "getDashboard"> {
  return {
    listDashboards: async ({ query }) => {
      const reports = await store.read((transaction) =>
        listAssets(transaction, {
          project,
          kind: "report",
          limit: query.limit + 1,
          ...(query.after === undefined ? {} : { after: query.after }),
        }),
      );
      const dashboards = reports.filter(isDashboard);
      const shown = await Promise.all(
        dashboards.map(async (version) =>
          summarize(version, (await getDashboard({ store, objects }, { project, name: version.asset })).report),
        ),
      );
      return toPage(shown, { limit: query.limit, cursor: ({ name }) => name, show: (dashboard) => dashboard });
    },
    getDashboard: async ({ params }) => {
      const { version, report } = await getDashboard({ store, objects }, { project, name: params.name });
      return {
        ...summarize(version, report),
        tiles: report.tiles.map((tile, index) => ({
          id: String(index + 1),
          title: tile.title,
          description: tile.description,
          width: WIDTHS[tile.width],
          spec: tile.chart as Readonly<Record<string, unknown>> | undefined,
          columns: tile.columns,
          rows: tile.rows.map((row) => tile.columns.map(({ name }) => row[name])),
          truncated: tile.truncated,
        })),
      } satisfies DashboardDetail;
    },
  };
}

/** Reports of other kinds (verdicts, executed notebooks) have no dashboard.json. */
function isDashboard(version: AssetVersion): boolean {
  return (
    (version.content as { files?: readonly { path: string }[] }).files?.some(
      ({ path }) => path === "dashboard.json",
    ) === true
  );
}

function summarize(version: AssetVersion, report: DashboardReport): DashboardSummary {
  return {
    name: version.asset,
    title: report.title,
    description: report.description,
    version: version.version,
    versionId: version.id,
    updatedAtMs: version.madeAtMs,
    tileCount: report.tiles.length,
  };
}
