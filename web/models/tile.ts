import type { DashboardTile } from "#api";

/** A tile's specification with its rows put in as the only data, and our colours and type. */
export function tileSpec(tile: DashboardTile, color: (name: string) => string): Readonly<Record<string, unknown>> {
  const values = tile.rows.map((row) =>
    Object.fromEntries(tile.columns.map((column, index) => [column.name, row[index] ?? null])),
  );
  const ink = color("--ink-soft");
  const config = {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: {
      labelColor: ink,
      titleColor: ink,
      gridColor: color("--line"),
      domainColor: color("--line-strong"),
      tickColor: color("--line-strong"),
      labelFontSize: 11.5,
      titleFontSize: 12,
      titleFontWeight: 500,
      labelOverlap: true,
    },
    axisQuantitative: { tickCount: 6 },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 11.5, titleFontSize: 12 },
    title: { color: color("--ink"), fontSize: 13 },
    mark: { color: color("--load-data") },
    range: {
      category: ["--load-data", "--load-code", "--load-models", "--load-production", "--waiting", "--bad"].map(color),
    },
  };
  return {
    width: "container",
    height: 260,
    ...tile.spec,
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    config,
  };
}
