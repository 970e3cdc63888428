import { z } from "zod";
import { formatQuantity, isEsteiraError, type Json, nearestName } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import {
  type AnalysisContext,
  type AttemptContext,
  type Problem,
  readProjectFile,
  type StepAnalysis,
  type StepKind,
  type StepOutcome,
} from "#pipeline";
import type { Analytics, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { DatasetContent, Datasets, WriteDisposition } from "../dataset.ts";
import { asSubquery } from "../dataset-tables.ts";
import { sqlInvalid } from "../errors.ts";
import { writeSchema } from "../write-declaration.ts";
import { columnLineage } from "./column-lineage.ts";
import { analyseSql, explainSqlError, type SqlAnalysis, type SqlProblem } from "./sql-text-analysis.ts";

const sqlSchema = z.strictObject({
  sql: z.string().min(1).describe("File with one SELECT; the tables it reads are what the step depends on."),
  write: writeSchema.optional(),
});

export type SqlDeclaration = z.infer<typeof sqlSchema>;

export interface SqlKindDependencies {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
}

/** `sql`: one SELECT over datasets makes a dataset. Default disposition: replace. */
export function createSqlKind(dependencies: SqlKindDependencies): StepKind<SqlDeclaration> {
  return {
    name: "sql",
    load: "data",
    schema: sqlSchema as z.ZodType<SqlDeclaration>,
    describe: ({ sql }) => `transform by ${sql}`,
    analyse: (declaration, context) => analyseStep(dependencies, declaration, context),
    execute: (attempt) => executeStep(dependencies, attempt),
  };
}

async function analyseStep(
  dependencies: SqlKindDependencies,
  { sql: file, write }: SqlDeclaration,
  context: AnalysisContext,
): Promise<StepAnalysis> {
  const makes = [{ asset: context.step, kind: "data" as const }];
  const text = await context.readFile(file);
  if (text === undefined) {
    const files = await context.glob("**/*.sql");
    const near = nearestName(file, files);
    return {
      inputs: [],
      makes,
      files: [],
      problems: [
        {
          path: ["sql"],
          message: `There is no file ${file} in the project`,
          ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
        },
      ],
    };
  }
  const analysis = await analyseSql(dependencies.analytics, text);
  const known = analysis.tables.filter(({ name }) => isReadable(context, name));
  const problems: Problem[] = [
    ...analysis.problems.map((problem) => toProblem(file, problem)),
    ...analysis.tables
      .filter(({ name }) => !isReadable(context, name))
      .map(({ name, ...place }) => unknownTable(context, file, name, place)),
  ];
  if (problems.length === 0)
    problems.push(
      ...(await columnProblems(dependencies, context, { file, text, tables: known.map(({ name }) => name), write })),
    );
  return {
    inputs: known.map(({ name }) => ({ asset: name, role: "input", path: [] })),
    makes,
    files: [file],
    problems,
  };
}

function isReadable(context: AnalysisContext, name: string): boolean {
  const kind = context.knownAssets.get(name);
  return name !== context.step && (kind === "data" || kind === "features");
}

function unknownTable(
  context: AnalysisContext,
  file: string,
  name: string,
  place: { line: number; column: number },
): Problem {
  const at = { file, ...place };
  if (name === context.step)
    return {
      path: ["sql"],
      message: `The query reads "${name}", which it makes itself`,
      hint: "Read the datasets it is made from; with write: append or merge earlier rows stay.",
      at,
    };
  const kind = context.knownAssets.get(name);
  if (kind !== undefined) return { path: ["sql"], message: `"${name}" is a ${kind}, not a dataset`, at };
  const datasets = [...context.knownAssets].flatMap(([asset, assetKind]) =>
    assetKind === "data" || assetKind === "features" ? [asset] : [],
  );
  const near = nearestName(name, datasets);
  return {
    path: ["sql"],
    message: `No step makes a dataset "${name}"`,
    hint:
      near === undefined
        ? `Datasets of the project: ${datasets.slice(0, 20).join(", ") || "none"}.`
        : `Did you mean "${near}"?`,
    at,
  };
}

function toProblem(file: string, { message, line, column }: SqlProblem): Problem {
  return { path: ["sql"], message, at: { file, line, column } };
}

/** Column names and types are checked before anything runs, when every table read has a version to compare with. */
async function columnProblems(
  { store, analytics }: SqlKindDependencies,
  context: AnalysisContext,
  query: {
    readonly file: string;
    readonly text: string;
    readonly tables: readonly string[];
    readonly write: WriteDisposition | undefined;
  },
): Promise<Problem[]> {
  const schemas = new Map<string, readonly Column[]>();
  for (const name of query.tables) {
    const version = await store.read((transaction) =>
      getAssetVersion(transaction, { project: context.project, asset: name }),
    );
    if (version === undefined) return [];
    schemas.set(name, (version.content as DatasetContent).columns);
  }
  try {
    const output = await describeAgainst(analytics, query.text, schemas);
    const keys = typeof query.write === "object" ? query.write.merge : [];
    return keys.flatMap((key, index) => {
      if (output.some(({ name }) => name.toLowerCase() === key.toLowerCase())) return [];
      const near = nearestName(
        key,
        output.map(({ name }) => name),
      );
      return [
        {
          path: ["write", "merge", index],
          message: `The query gives no column "${key}"; it gives ${output.map(({ name }) => name).join(", ")}`,
          ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
        },
      ];
    });
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return [toProblem(query.file, explainSqlError(String(error.context["reason"]), 1))];
  }
}

/**
 * Output columns of a SELECT over tables of which only the columns are known. The user's text starts on the second
 * line.
 */
export async function describeAgainst(
  analytics: Analytics,
  sql: string,
  tables: ReadonlyMap<string, readonly Column[]>,
): Promise<readonly Column[]> {
  const connection = await analytics.sandbox({ files: [] }, async (prepared) => {
    for (const [name, columns] of tables)
      await prepared.run(
        `create temp table ${quoteName(name)} (${columns.map((column) => `${quoteName(column.name)} ${column.type}`).join(", ")})`,
      );
  });
  try {
    return await connection.describe(`select * from ${asSubquery(sql)}`);
  } finally {
    connection.close();
  }
}

async function executeStep(
  { analytics, datasets }: SqlKindDependencies,
  attempt: AttemptContext<SqlDeclaration>,
): Promise<StepOutcome> {
  const { sql: file, write = "replace" } = attempt.declaration;
  const sql = await readProjectFile(attempt.projectFolder, file);
  const analysis = await analyseSql(analytics, sql);
  if (analysis.problems.length > 0)
    throw sqlInvalid({
      file,
      problems: analysis.problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
    });
  const tables = new Map(
    analysis.tables.flatMap(({ name }) =>
      attempt.inputs.get(name) === undefined ? [] : [[name, attempt.inputs.get(name) as AssetVersion] as const],
    ),
  );
  const operation = {
    project: attempt.project,
    asset: attempt.step,
    operationId: `${attempt.stepRunId}:${attempt.step}`,
  };
  try {
    const lineage = await lineageOf(analytics, sql, tables, analysis);
    const made = await datasets.write({
      ...operation,
      disposition: write,
      select: sql,
      tables,
      content: { lineage: lineage as unknown as Json },
      provenance: provenanceOf(attempt, file),
      signal: attempt.signal,
    });
    attempt.log(
      `${attempt.step}: ${formatQuantity(made.rowCount ?? 0, "row")}, ${formatQuantity((made.content as DatasetContent | undefined)?.columns.length ?? 0, "column")}`,
    );
    return {
      status: "succeeded",
      made: [made],
      facts: { rows: made.rowCount ?? 0 },
      alsoWrite: (transaction) => datasets.settle(transaction, operation),
    };
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    const { line, column, message } = explainSqlError(String(error.context["reason"]), 1);
    throw sqlInvalid({ file, problems: [`${line}:${column} ${message}`] }, error);
  }
}

async function lineageOf(
  analytics: Analytics,
  sql: string,
  tables: ReadonlyMap<string, AssetVersion>,
  analysis: SqlAnalysis,
): Promise<Awaited<ReturnType<typeof columnLineage>>> {
  const schemas = new Map([...tables].map(([name, version]) => [name, (version.content as DatasetContent).columns]));
  return columnLineage(sql, schemas, await describeAgainst(analytics, sql, schemas), analysis);
}

function provenanceOf(attempt: AttemptContext<SqlDeclaration>, file: string): Record<string, Json> {
  return {
    pipelineRun: attempt.pipelineRunId,
    stepRun: attempt.stepRunId,
    sql: file,
    inputs: [...attempt.inputs.values()].map(({ asset, version, digest }) => `${asset}@${version} ${digest}`),
    ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
  };
}
