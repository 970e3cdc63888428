import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { DashboardTile } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "../ui/language.tsx";
import { Page, Read, Waiting } from "../ui/page.tsx";
import { Value } from "../ui/rows-view.tsx";
import { Ago } from "../ui/text.tsx";
import "../ui/chart.css";

const VegaTile = lazy(() => import("../ui/vega-tile.tsx"));

export function DashboardPage() {
  const { t } = useLanguage();
  const { name } = useParams({ strict: false }) as { name: string };
  const dashboard = useQuery(queries.dashboard(name));
  return (
    <Page
      title={dashboard.data?.title ?? name}
      crumbs={[{ label: t("nav.dashboards"), to: address.dashboards() }]}
      subtitle={
        dashboard.data !== undefined && (
          <>
            {dashboard.data.description !== undefined && <span>{dashboard.data.description}</span>}
            <span>
              v{dashboard.data.version} · <Ago atMs={dashboard.data.updatedAtMs} />
            </span>
          </>
        )
      }
    >
      <Read result={dashboard} lines={6}>
        {(data) => (
          <div className="tiles">
            {data.tiles.map((tile) => (
              <Tile key={tile.id} tile={tile} />
            ))}
          </div>
        )}
      </Read>
    </Page>
  );
}

function Tile({ tile }: { readonly tile: DashboardTile }) {
  const { t } = useLanguage();
  return (
    <section className="panel tile" style={{ gridColumn: `span ${Math.min(12, Math.max(2, tile.width ?? 6))}` }}>
      {tile.title !== undefined && <h2>{tile.title}</h2>}
      {tile.description !== undefined && <p className="muted">{tile.description}</p>}
      <TileContent tile={tile} />
      {tile.truncated === true && <p className="muted">{t("dashboard.truncated")}</p>}
    </section>
  );
}

function TileContent({ tile }: { readonly tile: DashboardTile }) {
  const { t, format } = useLanguage();
  const [first] = tile.rows;
  if (tile.spec !== undefined) {
    return (
      <Suspense fallback={<Waiting lines={3} />}>
        <VegaTile tile={tile} />
      </Suspense>
    );
  }
  if (first === undefined) return <p className="muted">{t("dashboard.noRows")}</p>;
  if (tile.rows.length === 1 && tile.columns.length === 1) {
    const [value] = first;
    return <p className="tile-figure">{typeof value === "number" ? format.number(value, 2) : String(value)}</p>;
  }
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={tile.title ?? tile.id}>
      <table>
        <thead>
          <tr>
            {tile.columns.map((column, index) => (
              <th key={column.name} scope="col" className={typeof first[index] === "number" ? "" : "text"}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tile.rows.map((row, index) => (
            <tr key={index}>
              {row.map((value, column) => (
                <td key={column} className={typeof value === "number" ? "" : "text"}>
                  <Value value={value} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
