import { z } from "zod";
import { type Clock, formatQuantity, isEsteiraError, type Json, nearestName } from "#base";
import { type AssetVersion, getAssetVersion, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { endRestatements, recordIntervalLedger } from "#metadata-store/data";
import {
  type AnalysisContext,
  type AttemptContext,
  type MadeVersion,
  missingFile,
  type Partition,
  type Problem,
  readProjectFile,
  type StepAnalysis,
  type StepKind,
  type StepOutcome,
} from "#pipeline";
import type { Blobs } from "#storage";
import type { Analytics, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { latestOf } from "../latest-versions.ts";
import { contentOf, madeAgain, type Datasets, type DatasetWrite } from "../dataset.ts";
import { asSubquery } from "../dataset-tables.ts";
import { sqlInvalid, writeConflict } from "../errors.ts";
import { writeProblems, writeSchema } from "../write-declaration.ts";
import { describeMerged, isHistory, isKeyed, keysOf } from "../write-disposition.ts";
import { openContract } from "../contract/contracted-write.ts";
import { columnProblems as describedProblems } from "../contract/row-check.ts";
import {
  compiledOf,
  contractInputs,
  contractSchema,
  describeContract,
  limitsSchema,
  modelContractProblems,
  referredProblems,
} from "../contract/step-contract.ts";
import { columnLineage } from "./column-lineage.ts";
import {
  incrementalFingerprint,
  incrementalSchema,
  type IncrementalModel,
  type IncrementalWork,
  isByTime,
  planIncremental,
  selectSpans,
} from "./incremental.ts";
import { CHANGED_ROWS } from "./late-intervals.ts";
import { timeExpressions } from "./time-expression.ts";
import { assertTestsPass, modelTests, testsSchema } from "./unit-tests/model-tests.ts";
import { parametersOf, partitionWriteOf } from "../partition-slices.ts";
import { bindInterval, bindPartition, INTERVAL_PARAMETERS } from "./sql-parameters.ts";
import { analyseSql, explainSqlError, type SqlAnalysis, type SqlProblem } from "./sql-text-analysis.ts";

export const sqlSchema = z.strictObject({
  sql: z.string().min(1).describe("File with one SELECT; the tables it reads are what the step depends on."),
  write: writeSchema.optional(),
  incremental: incrementalSchema.optional(),
  tests: testsSchema.optional(),
  contract: contractSchema,
  quarantine: limitsSchema,
});

export type SqlDeclaration = z.infer<typeof sqlSchema>;

export interface SqlKindDependencies {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly objects: Blobs;
  readonly clock: Clock;
}

/** `sql`: one SELECT over datasets makes a dataset. Default disposition: replace. */
export function createSqlKind(dependencies: SqlKindDependencies): StepKind<SqlDeclaration> {
  return {
    name: "sql",
    load: "data",
    writesPartitions: ({ write = "replace", incremental }) => write === "replace" && incremental === undefined,
    schema: sqlSchema as z.ZodType<SqlDeclaration>,
    describe: ({ sql, incremental }) => `transform by ${sql}${incremental === undefined ? "" : ", incremental"}`,
    analyse: (declaration, context) => analyseStep(dependencies, declaration, context),
    preview: (declaration, context) => previewStep(dependencies, declaration, context),
    execute: (attempt) => executeStep(dependencies, attempt),
  };
}

async function analyseStep(
  dependencies: SqlKindDependencies,
  declaration: SqlDeclaration,
  context: AnalysisContext,
): Promise<StepAnalysis> {
  const { sql: file, incremental, contract } = declaration;
  const makes = [{ asset: context.step, kind: "data" as const }];
  const text = await context.readFile(file);
  if (text === undefined) {
    const problem = await missingFile(file, context, { path: ["sql"], pattern: "**/*.sql" });
    return { inputs: [], makes, files: [], problems: [problem] };
  }
  const analysis = await analyseSql(dependencies.analytics, text);
  const known = analysis.tables.filter(({ name }) => isReadable(context, name));
  const problems: Problem[] = [
    ...analysis.problems.map((problem) => toProblem(file, problem)),
    ...duplicatesProblems(declaration),
    ...(await writeProblems(dependencies.analytics, declaration.write)),
    ...(contract === undefined ? [] : await modelContractProblems(contract, context)),
    ...(contract === undefined ? [] : await referredProblems(dependencies.store, contract, context)),
    ...declarationProblems(declaration, analysis, context.partition),
    ...analysis.tables
      .filter(({ name }) => !isReadable(context, name))
      .map(({ name, ...place }) => unknownTable(context, file, name, place)),
  ];
  if (problems.length === 0)
    problems.push(
      ...(await columnProblems(dependencies, context, {
        text: bindPartition(text, context.partition),
        tables: known.map(({ name }) => name),
        declaration,
      })),
      ...(await testProblems(dependencies, context, {
        text: bindPartition(text, context.partition),
        analysis,
        declaration,
      })),
    );
  const referred = contract === undefined ? [] : await contractInputs(contract, context);
  return {
    inputs: [
      ...known.map(({ name }) => ({ asset: name, role: "input", path: [] })),
      ...referred.filter(({ asset }) => known.every(({ name }) => name !== asset)),
    ],
    makes,
    files: contract === undefined ? [file] : [file, contract],
    ...(incremental === undefined
      ? {}
      : {
          fingerprint: await incrementalFingerprint(dependencies, {
            project: context.project,
            dataset: context.step,
            incremental,
          }),
        }),
    problems,
  };
}

function declarationProblems(
  { write, incremental }: SqlDeclaration,
  { parameters: all }: SqlAnalysis,
  partition: Partition | undefined,
): readonly Problem[] {
  const given = parametersOf(partition);
  const parameters = all.filter((name) => !given.includes(name));
  const bounds = INTERVAL_PARAMETERS.map((name) => `$${name}`).join(" and ");
  const problems: Problem[] = [];
  if (write !== undefined && incremental !== undefined)
    problems.push({
      path: ["write"],
      message: "write and incremental both say how new rows meet those that are there",
      hint: "Leave write out.",
    });
  const known = new Set<string>(INTERVAL_PARAMETERS);
  const unknown = parameters.filter((name) => !known.has(name));
  if (unknown.length > 0)
    problems.push({
      path: ["sql"],
      message: `The query asks for ${unknown.map((name) => (/^\d+$/.test(name) ? `parameter ${name}` : `$${name}`)).join(", ")}, which nothing gives it`,
      hint:
        given.length > 0
          ? `A query of this pipeline may use ${given.map((name) => `$${name}`).join(", ")}.`
          : `A query of an incremental step may use ${bounds}; one of a pipeline with partitions, $partition_start, $partition_end and $partition_key.`,
    });
  else if (parameters.length > 0 && (incremental === undefined || !isByTime(incremental)))
    problems.push({
      path: ["sql"],
      message: `The query asks for ${parameters.map((name) => `$${name}`).join(" and ")}, and the step is not incremental by time`,
      hint: "Add incremental: { time: COLUMN, interval: day, start: 2024-01-01 }.",
    });
  return problems;
}

async function testProblems(
  dependencies: SqlKindDependencies,
  context: AnalysisContext,
  { text, analysis, declaration }: { text: string; analysis: SqlAnalysis; declaration: SqlDeclaration },
): Promise<readonly Problem[]> {
  if (declaration.tests === undefined) return [];
  const versions = await latestOf(
    dependencies.store,
    context.project,
    analysis.tables.map(({ name }) => name),
  );
  const { problems } = await modelTests({ text, analysis, declaration, columns: schemasOf(versions) }, context);
  return problems;
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

/** Rows of a query have no order in which one could be the last. */
function duplicatesProblems({ write }: SqlDeclaration): readonly Problem[] {
  if (typeof write !== "object" || write.duplicates === undefined) return [];
  return [
    {
      path: ["write", "duplicates"],
      message: "the rows of a query have no order in which one is the last",
      hint: "Say which row stays in the query: QUALIFY row_number() OVER (PARTITION BY key ORDER BY time DESC) = 1.",
    },
  ];
}

function toProblem(file: string, { message, line, column }: SqlProblem): Problem {
  return { path: ["sql"], message, at: { file, line, column } };
}

/** Column names and types are checked before anything runs, when every table read has a version to compare with. */
async function columnProblems(
  { store, analytics }: SqlKindDependencies,
  context: AnalysisContext,
  query: { readonly text: string; readonly tables: readonly string[]; readonly declaration: SqlDeclaration },
): Promise<Problem[]> {
  const versions = await latestOf(store, context.project, query.tables);
  if (versions.size < query.tables.length) return [];
  const { sql: file, contract } = query.declaration;
  try {
    const output = await describeAgainst(analytics, anyInterval(query.text), schemasOf(versions));
    const compiled = contract === undefined ? undefined : await compiledOf(contract, context);
    const unlike = compiled === undefined ? [] : describedProblems(compiled, output);
    return [
      ...unlike.map((message) => ({ path: ["contract"], message, hint: `See ${contract}.` })),
      ...wantedColumns(query.declaration).flatMap((one) => wantedProblems(one, output)),
    ];
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return [toProblem(file, explainSqlError(String(error.context["reason"]), 1))];
  }
}

interface WantedColumn {
  readonly key: string;
  readonly path: readonly (string | number)[];
  readonly isTime?: boolean;
}

/** Columns that the declaration names, with the place where it does. */
function wantedColumns({ write, incremental }: SqlDeclaration): readonly WantedColumn[] {
  const wanted: WantedColumn[] = [];
  const add = (keys: readonly string[], path: readonly string[]): void =>
    void wanted.push(...keys.map((key, index) => ({ key, path: [...path, index] })));
  if (isKeyed(write)) {
    if (write.updated_at !== undefined)
      wanted.push({ key: write.updated_at, path: ["write", "updated_at"], isTime: isHistory(write) });
    if (isHistory(write)) add(write.check ?? [], ["write", "check"]);
    add(keysOf(write), ["write", isHistory(write) ? "history" : "merge"]);
  } else if (incremental !== undefined && !isByTime(incremental)) add(incremental.key, ["incremental", "key"]);
  if (incremental !== undefined && isByTime(incremental))
    wanted.push({ key: incremental.time, path: ["incremental", "time"], isTime: true });
  return wanted;
}

function wantedProblems({ key, path, isTime = false }: WantedColumn, output: readonly Column[]): readonly Problem[] {
  const given = output.map(({ name }) => name);
  const column = output.find(({ name }) => name.toLowerCase() === key.toLowerCase());
  if (column === undefined) {
    const near = nearestName(key, given);
    const message = `The query gives no column "${key}"; it gives ${given.join(", ")}`;
    return [{ path, message, ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }) }];
  }
  return !isTime || /^(DATE|TIMESTAMP)/.test(column.type)
    ? []
    : [
        {
          path,
          message: `"${column.name}" is ${column.type}; a time column is a DATE or a TIMESTAMP`,
          hint: `Cast it in the query: CAST(… AS DATE) AS ${column.name}.`,
        },
      ];
}

export function schemasOf(versions: ReadonlyMap<string, AssetVersion>): ReadonlyMap<string, readonly Column[]> {
  return new Map([...versions].map(([name, version]) => [name, contentOf(version).columns]));
}

/** The query with an interval in it, to ask for its columns. */
function anyInterval(sql: string): string {
  return bindInterval(sql, [0, 0]);
}

/** One line for `esteira plan`: what of an incremental dataset would be filled. */
async function previewStep(
  dependencies: SqlKindDependencies,
  declaration: SqlDeclaration,
  context: AnalysisContext,
): Promise<string | undefined> {
  const { sql: file, incremental, tests, contract } = declaration;
  const checked = contract === undefined ? undefined : await describeContract(contract, context);
  const read = incremental === undefined && tests === undefined ? undefined : await context.readFile(file);
  if (read === undefined) return checked;
  const text = bindPartition(read, context.partition);
  const analysis = await analyseSql(dependencies.analytics, text);
  const { tests: found } = await modelTests({ text, analysis, declaration, columns: new Map() }, context);
  const tested = [
    ...(checked === undefined ? [] : [checked]),
    ...(found.length === 0 ? [] : [formatQuantity(found.length, "unit test")]),
  ];
  if (incremental === undefined) return tested.length === 0 ? undefined : tested.join("; ");
  const inputs = await latestOf(
    dependencies.store,
    context.project,
    analysis.tables.map(({ name }) => name),
  );
  const { summary, notes } = await planIncremental(
    dependencies,
    modelOf(dependencies, { project: context.project, dataset: context.step, incremental, text, analysis, inputs }),
  );
  return [summary, ...notes, ...tested].join("; ");
}

function modelOf(
  { analytics }: SqlKindDependencies,
  {
    text,
    analysis,
    ...of
  }: Pick<IncrementalModel, "project" | "dataset" | "incremental" | "inputs"> & {
    readonly text: string;
    readonly analysis: SqlAnalysis;
  },
): IncrementalModel {
  const { incremental } = of;
  return {
    ...of,
    sql: analysis.digest,
    async timeInputs() {
      if (!isByTime(incremental)) return undefined;
      const { columns } = await lineageOf(analytics, text, of.inputs, analysis);
      const found = Object.entries(columns).find(([name]) => name.toLowerCase() === incremental.time.toLowerCase());
      return found?.[1].unknown === undefined ? found?.[1].inputs : undefined;
    },
    async timeExpressions() {
      if (!isByTime(incremental)) return undefined;
      const { time } = incremental;
      return timeExpressions(analytics, text, { time, relation: CHANGED_ROWS, tables: schemasOf(of.inputs) });
    },
  };
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
  dependencies: SqlKindDependencies,
  attempt: AttemptContext<SqlDeclaration>,
): Promise<StepOutcome> {
  const { sql: file, incremental } = attempt.declaration;
  const sql = bindPartition(await readProjectFile(attempt.projectFolder, file), attempt.partition);
  const analysis = await analyseSql(dependencies.analytics, sql);
  if (analysis.problems.length > 0)
    throw sqlInvalid({
      file,
      problems: analysis.problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
    });
  const tables = new Map(
    analysis.tables.flatMap(({ name }) => {
      const version = attempt.inputs.get(name);
      return version === undefined ? [] : [[name, version] as const];
    }),
  );
  await assertTestsPass(
    dependencies.analytics,
    { text: sql, analysis, declaration: attempt.declaration, columns: schemasOf(tables) },
    attempt,
  );
  try {
    return await makeDataset(dependencies, attempt, { sql, analysis, tables });
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    const linesBefore = incremental !== undefined && isByTime(incremental) ? 2 : 1;
    const { line, column, message } = explainSqlError(String(error.context["reason"]), linesBefore);
    // Each span of an incremental query is the file's text once more, with three lines around it.
    const lines = sql.trimEnd().split("\n").length;
    throw sqlInvalid({ file, problems: [`${((line - 1) % (lines + 3)) + 1}:${column} ${message}`] }, error);
  }
}

interface ReadModel {
  readonly sql: string;
  readonly analysis: SqlAnalysis;
  readonly tables: ReadonlyMap<string, AssetVersion>;
}

async function makeDataset(
  dependencies: SqlKindDependencies,
  attempt: AttemptContext<SqlDeclaration>,
  { sql, analysis, tables }: ReadModel,
): Promise<StepOutcome> {
  const { analytics, datasets } = dependencies;
  const { sql: file, write = "replace" } = attempt.declaration;
  const operation = {
    project: attempt.project,
    asset: attempt.step,
    operationId: `${attempt.stepRunId}:${attempt.step}`,
  };
  const work = await workOf(dependencies, attempt, { sql, analysis, tables });
  const noted = work === undefined ? undefined : ledgerWriter(dependencies, attempt, work);
  if (work !== undefined && isIdle(attempt.declaration, work)) {
    const made = madeAgain(work.latest);
    return {
      status: "succeeded",
      made: [made],
      facts: { rows: 0 },
      alsoWrite: async (transaction) => noted?.(transaction, made),
    };
  }
  const lineage = await lineageOf(analytics, sql, tables, analysis);
  const contracted = await openContract(dependencies, attempt);
  const written = await datasets.write(
    contracted.into({
      ...operation,
      ...(work === undefined
        ? {
            disposition: write,
            select: sql,
            note: (text) => attempt.log(`${attempt.step}: ${text}`),
            ...(attempt.partitionWrite === undefined ? {} : partitionWriteOf(attempt, attempt.partitionWrite)),
          }
        : partsOfWork(dependencies, attempt, work, { sql, analysis })),
      tables,
      content: { lineage: lineage as unknown as Json, ...(work === undefined ? {} : { incremental: work.ledger }) },
      provenance: provenanceOf(attempt, file),
      signal: attempt.signal,
    }),
  );
  const made = await contracted.settle(written, async () => ({
    connection: await datasets.sandbox({ tables, folders: [attempt.workFolder] }),
    select: `select * from ${asSubquery(sql)}`,
  }));
  const { columns, merged } = contentOf(made);
  attempt.log(
    `${attempt.step}: ${formatQuantity(made.rowCount ?? 0, "row")}, ${formatQuantity(columns.length, "column")}${merged === undefined ? "" : `; ${describeMerged(merged)}`}`,
  );
  return {
    status: "succeeded",
    made: [made],
    facts: { rows: made.rowCount ?? 0, ...contracted.facts },
    alsoWrite: async (transaction) => {
      await datasets.settle(transaction, operation);
      await contracted.record(transaction, {
        file,
        digest: analysis.digest,
        format: "sql",
        isWhole: isWholeRun(attempt),
      });
      await noted?.(transaction, made);
    },
  };
}

/** All rows of the dataset that the query gives were made again. */
function isWholeRun({ declaration: { write, incremental }, partitionWrite }: AttemptContext<SqlDeclaration>): boolean {
  return write !== "append" && partitionWrite === undefined && (incremental === undefined || !isByTime(incremental));
}

/** What an incremental step has to do, told in its log. */
async function workOf(
  dependencies: SqlKindDependencies,
  attempt: AttemptContext<SqlDeclaration>,
  { sql: text, analysis, tables }: ReadModel,
): Promise<IncrementalWork | undefined> {
  const { project, step } = attempt;
  const { incremental } = attempt.declaration;
  if (incremental === undefined) return undefined;
  const model = modelOf(dependencies, { project, dataset: step, incremental, text, analysis, inputs: tables });
  const work = await planIncremental(dependencies, model);
  for (const line of [work.summary, ...work.notes]) attempt.log(`${step}: ${line}`);
  return work;
}

function isIdle(
  { incremental }: SqlDeclaration,
  work: IncrementalWork,
): work is IncrementalWork & { readonly latest: AssetVersion } {
  return (
    incremental !== undefined &&
    isByTime(incremental) &&
    work.latest !== undefined &&
    work.rebuilds === undefined &&
    work.spans.length + work.emptied.length === 0
  );
}

/** The part of a write that says which rows come and which go. */
function partsOfWork(
  dependencies: SqlKindDependencies,
  attempt: AttemptContext<SqlDeclaration>,
  work: IncrementalWork,
  { sql, analysis }: { readonly sql: string; readonly analysis: SqlAnalysis },
): Pick<DatasetWrite, "disposition" | "select" | "slices" | "beforeCommit"> {
  const { incremental } = attempt.declaration;
  if (incremental === undefined || !isByTime(incremental))
    return {
      disposition: incremental === undefined || work.rebuilds !== undefined ? "replace" : { merge: incremental.key },
      select: sql,
      beforeCommit: () => assertLatest(dependencies, attempt, work),
    };
  const { time } = incremental;
  const { spans, emptied } = work;
  return {
    disposition: work.rebuilds === undefined ? "append" : "replace",
    select: selectSpans(sql, { time, parameters: analysis.parameters, spans }),
    slices: { column: time, spans, emptied },
    beforeCommit: async ({ outside }) => {
      await assertLatest(dependencies, attempt, work);
      if (outside > 0)
        attempt.log(
          `${attempt.step}: left out ${formatQuantity(outside, "row")} that the query gave and whose ${time} is in no interval that was asked for`,
        );
      return {};
    },
  };
}

/** What is filled was read before the dataset was claimed: it holds of that version alone. */
async function assertLatest(
  { store }: SqlKindDependencies,
  { project, step }: AttemptContext<SqlDeclaration>,
  { latest }: IncrementalWork,
): Promise<Record<string, never>> {
  const now = await store.read((transaction) => getAssetVersion(transaction, { project, asset: step }));
  if (now?.id !== latest?.id)
    throw writeConflict({
      table: step,
      conflict: "what is filled of it is another since this step looked",
      version: now?.version ?? 0,
    });
  return {};
}

/** Notes what is filled with the version that it is of, also where no row changed. */
function ledgerWriter(
  { clock }: SqlKindDependencies,
  { project, step }: AttemptContext<SqlDeclaration>,
  work: IncrementalWork,
): (transaction: WriteTransaction, made: MadeVersion) => Promise<void> {
  return async (transaction, made) => {
    await recordIntervalLedger(transaction, {
      project,
      dataset: step,
      deltaVersion: contentOf(made).deltaVersion,
      ledger: work.ledger,
      atMs: clock.now(),
    });
    await endRestatements(transaction, work.restatements);
  };
}

async function lineageOf(
  analytics: Analytics,
  sql: string,
  tables: ReadonlyMap<string, AssetVersion>,
  analysis: SqlAnalysis,
): Promise<Awaited<ReturnType<typeof columnLineage>>> {
  const schemas = schemasOf(tables);
  const bound = anyInterval(sql);
  return columnLineage(bound, schemas, await describeAgainst(analytics, bound, schemas), analysis);
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
