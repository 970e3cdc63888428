import { z } from "zod";
import { type LocatedProblem, readYaml, type YamlDocument } from "#base";

const tile = z.strictObject({
  title: z.string().min(1),
  description: z.string().optional(),
  sql: z.string().min(1).describe("One SELECT over datasets; its columns are the fields of the chart."),
  chart: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("Vega-Lite specification without data; a table is shown when it is missing."),
  limit: z.number().int().min(1).max(20_000).optional().describe("Most rows the tile shows; default 5,000."),
  width: z.enum(["half", "full"]).optional(),
});

const dashboard = z.strictObject({
  title: z.string().min(1),
  description: z.string().optional(),
  tiles: z.array(tile).min(1).max(50),
});

/** A dashboard as written: SQL and Vega-Lite tiles. */
export type Dashboard = z.infer<typeof dashboard>;
export type DashboardTile = Dashboard["tiles"][number];

/** Its JSON Schema, for editors. */
export function dashboardJsonSchema(): object {
  return z.toJSONSchema(dashboard);
}

/** A dashboard file and the places of its mistakes. `dashboard` is there exactly when `problems` is empty. */
export interface ReadDashboard {
  readonly dashboard: Dashboard | undefined;
  readonly document: YamlDocument;
  readonly problems: readonly LocatedProblem[];
}

export function readDashboard(text: string, file: string): ReadDashboard {
  const read = readYaml(text, file, dashboard);
  if (read.value === undefined) return { dashboard: undefined, document: read.document, problems: read.problems };
  const problems = read.value.tiles.flatMap(({ chart }, index) =>
    remoteProblems(chart, ["tiles", index, "chart"], read.document),
  );
  return { dashboard: problems.length === 0 ? read.value : undefined, document: read.document, problems };
}

/** Charts show the tile's rows and load nothing: a page must not call out because of a file. */
function remoteProblems(value: unknown, path: readonly (string | number)[], document: YamlDocument): LocatedProblem[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => remoteProblems(item, [...path, index], document));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const here = [...path, key];
    if (key === "data")
      return [
        {
          ...document.atKey(here),
          message: "A chart has no data of its own; it shows the rows of the tile's sql",
          hint: "Remove the key data.",
        },
      ];
    if (key === "url" && typeof member === "string")
      return [
        {
          ...document.at(here),
          message: `A chart loads nothing from outside (${member})`,
          hint: "Make it a dataset and read it in the tile's sql.",
        },
      ];
    return remoteProblems(member, here, document);
  });
}

/** Fields that a chart's encodings name, with their path. */
export function chartFields(
  chart: unknown,
  path: readonly (string | number)[] = [],
): { readonly field: string; readonly path: readonly (string | number)[] }[] {
  if (Array.isArray(chart)) return chart.flatMap((item, index) => chartFields(item, [...path, index]));
  if (typeof chart !== "object" || chart === null) return [];
  return Object.entries(chart).flatMap(([key, member]) =>
    key === "field" && typeof member === "string"
      ? [{ field: member, path: [...path, key] }]
      : chartFields(member, [...path, key]),
  );
}

/** True when the chart computes fields of its own, so that unknown names may be right. */
export function computesFields(chart: unknown): boolean {
  if (Array.isArray(chart)) return chart.some(computesFields);
  if (typeof chart !== "object" || chart === null) return false;
  return Object.entries(chart).some(
    ([key, member]) => key === "transform" || key === "repeat" || computesFields(member),
  );
}
