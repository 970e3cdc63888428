import { z } from "zod";
import { isEsteiraError, nearestName } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { digestOfTree, type Blobs, type Tree } from "#storage";
import {
  type AnalysisContext,
  type AttemptContext,
  missingFile,
  type Problem,
  readProjectFile,
  type StepAnalysis,
  type StepInput,
  type StepKind,
  type StepOutcome,
} from "#pipeline";
import type { Analytics, Column } from "../analytics/analytics.ts";
import type { DatasetContent, Datasets } from "../dataset.ts";
import { dashboardInvalid } from "../errors.ts";
import { describeAgainst } from "../transform/sql-kind.ts";
import { analyseSql, explainSqlError } from "../transform/sql-text-analysis.ts";
import { chartFields, computesFields, type DashboardTile, readDashboard, type ReadDashboard } from "./dashboard.ts";
import type { DashboardReport } from "./report.ts";

const LARGEST_TILE = 5_000;

const publishSchema = z.strictObject({
  publish: z.string().min(1).describe("Dashboard file: SQL and Vega-Lite tiles."),
});

export type PublishDeclaration = z.infer<typeof publishSchema>;

export interface PublishKindDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
}

/**
 * `publish`: a dashboard with the rows of its tiles becomes a report. A tile that names a column its query lacks fails
 * before anything runs.
 */
export function createPublishKind(dependencies: PublishKindDependencies): StepKind<PublishDeclaration> {
  return {
    name: "publish",
    reachesOut: true,
    load: "data",
    schema: publishSchema as z.ZodType<PublishDeclaration>,
    describe: ({ publish }) => `publish ${publish}`,
    analyse: (declaration, context) => analysePublish(dependencies, declaration, context),
    execute: (attempt) => executePublish(dependencies, attempt),
  };
}

async function analysePublish(
  dependencies: PublishKindDependencies,
  { publish: file }: PublishDeclaration,
  context: AnalysisContext,
): Promise<StepAnalysis> {
  const makes = [{ asset: context.step, kind: "report" as const }];
  const text = await context.readFile(file);
  if (text === undefined) {
    const problem = await missingFile(file, context, { path: ["publish"], pattern: "**/*.{yaml,yml}" });
    return { inputs: [], makes, files: [], problems: [problem] };
  }
  const read = readDashboard(text, file);
  const problems: Problem[] = read.problems.map(({ message, hint, ...at }) => ({
    path: ["publish"],
    message,
    ...(hint === undefined ? {} : { hint }),
    at,
  }));
  const inputs = new Map<string, StepInput>();
  for (const [index, tile] of (read.dashboard?.tiles ?? []).entries()) {
    const found = await analyseTile(dependencies, context, { read, tile, index });
    problems.push(...found.problems);
    for (const asset of found.tables) inputs.set(asset, { asset, role: "input", path: [] });
  }
  return { inputs: [...inputs.values()], makes, files: [file], problems };
}

async function analyseTile(
  dependencies: PublishKindDependencies,
  context: AnalysisContext,
  { read, tile, index }: { readonly read: ReadDashboard; readonly tile: DashboardTile; readonly index: number },
): Promise<{ readonly tables: readonly string[]; readonly problems: readonly Problem[] }> {
  const problem = (message: string, path: readonly (string | number)[], hint?: string): Problem => {
    const { file, line, column } = read.document.at(["tiles", index, ...path]);
    return {
      path: ["publish"],
      message: `tile "${tile.title}": ${message}`,
      ...(hint === undefined ? {} : { hint }),
      at: { file, line, column },
    };
  };
  const analysis = await analyseSql(dependencies.analytics, tile.sql);
  if (analysis.problems.length > 0)
    return {
      tables: [],
      problems: analysis.problems.map((found) =>
        problem(`sql line ${found.line}:${found.column}: ${found.message}`, ["sql"]),
      ),
    };
  const datasets = [...context.knownAssets].flatMap(([name, kind]) =>
    kind === "data" || kind === "features" ? [name] : [],
  );
  const unknown = analysis.tables.filter(({ name }) => !datasets.includes(name));
  if (unknown.length > 0) {
    return {
      tables: [],
      problems: unknown.map(({ name }) => {
        const near = nearestName(name, datasets);
        const hint = near === undefined ? undefined : `Did you mean "${near}"?`;
        return { ...problem(`no step makes a dataset "${name}"`, ["sql"], hint), isMissed: true };
      }),
    };
  }
  const tables = analysis.tables.map(({ name }) => name);
  const columns = await outputColumns(dependencies, context.project, tile.sql, tables);
  if (columns === undefined) return { tables, problems: [] };
  if ("message" in columns)
    return { tables, problems: [problem(`sql line ${columns.line}:${columns.column}: ${columns.message}`, ["sql"])] };
  const names = columns.map(({ name }) => name);
  const wrong = computesFields(tile.chart) ? [] : chartFields(tile.chart).filter(({ field }) => !names.includes(field));
  return {
    tables,
    problems: wrong.map(({ field, path }) => {
      const near = nearestName(field, names);
      return problem(
        `the chart's field "${field}" is no column of its query, which gives ${names.join(", ")}`,
        ["chart", ...path],
        near === undefined ? undefined : `Did you mean "${near}"?`,
      );
    }),
  };
}

/** Undefined while a dataset that the query reads has no version to compare with. */
async function outputColumns(
  { store, analytics }: PublishKindDependencies,
  project: string,
  sql: string,
  tables: readonly string[],
): Promise<readonly Column[] | { line: number; column: number; message: string } | undefined> {
  const schemas = new Map<string, readonly Column[]>();
  for (const name of tables) {
    const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset: name }));
    if (version === undefined) return undefined;
    schemas.set(name, (version.content as DatasetContent).columns);
  }
  try {
    return await describeAgainst(analytics, sql, schemas);
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return explainSqlError(String(error.context["reason"]), 1);
  }
}

async function executePublish(
  dependencies: PublishKindDependencies,
  attempt: AttemptContext<PublishDeclaration>,
): Promise<StepOutcome> {
  const file = attempt.declaration.publish;
  const text = await readProjectFile(attempt.projectFolder, file);
  const { dashboard, problems } = readDashboard(text, file);
  if (dashboard === undefined)
    throw dashboardInvalid({
      problems: problems.map(({ line, column, message }) => `${file}:${line}:${column} ${message}`),
    });
  const tiles: DashboardReport["tiles"][number][] = [];
  for (const [index, tile] of dashboard.tiles.entries()) {
    tiles.push(await fillTile(dependencies, attempt, tile));
    attempt.progress(index + 1, dashboard.tiles.length, "tiles");
  }
  const report: DashboardReport = {
    format: "dashboard/1",
    title: dashboard.title,
    ...(dashboard.description === undefined ? {} : { description: dashboard.description }),
    tiles,
  };
  const json = JSON.stringify(report);
  const [data, source] = [await dependencies.objects.put(json), await dependencies.objects.put(text)];
  const tree: Tree = {
    format: "tree/1",
    files: [
      { path: "dashboard.json", ...data },
      { path: "dashboard.yaml", ...source },
    ],
  };
  const rows = tiles.reduce((sum, tile) => sum + tile.rows.length, 0);
  return {
    status: "succeeded",
    made: [
      {
        asset: attempt.step,
        kind: "report",
        digest: digestOfTree(tree),
        sizeBytes: data.sizeBytes + source.sizeBytes,
        content: tree,
      },
    ],
    facts: { tiles: tiles.length, rows },
  };
}

async function fillTile(
  { analytics, datasets }: PublishKindDependencies,
  attempt: AttemptContext<PublishDeclaration>,
  tile: DashboardTile,
): Promise<DashboardReport["tiles"][number]> {
  const analysis = await analyseSql(analytics, tile.sql);
  const versions = new Map<string, AssetVersion>();
  for (const { name } of analysis.tables) {
    const version = attempt.inputs.get(name);
    if (version !== undefined) versions.set(name, version);
  }
  const { columns, rows, truncated } = await datasets.query({
    sql: tile.sql,
    tables: versions,
    limit: tile.limit ?? LARGEST_TILE,
    signal: attempt.signal,
  });
  return {
    title: tile.title,
    ...(tile.description === undefined ? {} : { description: tile.description }),
    width: tile.width ?? "half",
    ...(tile.chart === undefined ? {} : { chart: tile.chart }),
    columns,
    rows,
    truncated,
    sources: [...versions.values()].map(({ asset, version, id, madeAtMs }) => ({
      asset,
      version,
      versionId: id,
      madeAtMs,
    })),
  };
}
