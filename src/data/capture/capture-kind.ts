import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, type EsteiraError, formatQuantity, isEsteiraError } from "#base";
import { type AssetVersion, clearCapturedFiles, getAssetVersion, listCapturedFiles, recordCapturedFiles, recordQuarantineBatch } from "#metadata-store";
import type { AnalysisContext, AttemptContext, MadeVersion, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { compileContract } from "../contract/rules.ts";
import { readContract, tableOf } from "../contract/contract.ts";
import type { DatasetContent, WriteDisposition } from "../dataset.ts";
import { tableNameOf } from "../dataset-write.ts";
import { captureFilesMissing, contractInvalid } from "../errors.ts";
import { writeSchema } from "../write-declaration.ts";
import { type CaptureBatch, captureBatch, type CaptureDependencies, type Captured, type IdentifiedFile, watchDroppedRows } from "./capture.ts";
import { findCaptureFolder, findSourceFiles, formatOf, readIdentity, SOURCE_FORMATS, type SourceFile } from "./source-file.ts";
import { SCHEMA_MODES } from "./typed-rows.ts";

const pattern = z.string().min(1);

const captureSchema = z.strictObject({
  capture: z.strictObject({
    files: z.union([pattern, z.array(pattern).min(1)]).describe("Path or glob below the project folder, or several."),
    folder: z.string().startsWith("/").optional().describe("Absolute folder that the patterns start from, when the files are outside the project: below one of `capture.folders` of esteira.yaml."),
    format: z.enum(SOURCE_FORMATS).optional().describe("Default: what the file's name says; .gz and .zst are read through."),
    version_per: z.enum(["run", "file"]).optional().describe("One dataset version per run (default), or one per file, in order of their names."),
    csv: z
      .strictObject({
        delimiter: z.string().min(1).max(4).optional(),
        quote: z.string().length(1).optional(),
        escape: z.string().length(1).optional(),
        encoding: z.enum(["utf-8", "utf-16", "latin-1"]).optional(),
        nulls: z.array(z.string()).min(1).optional(),
      })
      .optional()
      .describe("How CSV is written, where it differs from comma, double quotes and UTF-8."),
  }),
  write: writeSchema.optional(),
  contract: z.string().min(1).optional().describe("Data contract (ODCS 3.1) that every row must satisfy."),
  schema_contract: z.enum(SCHEMA_MODES).optional().describe("What happens to columns the dataset does not have: evolve (default) adds them, freeze holds the file back, discard_row holds the row back, discard_value drops the value."),
  quarantine: z.strictObject({ max_rows: z.number().int().min(0).optional(), max_percent: z.number().min(0).max(100).optional() }).optional().describe("Beyond these limits nothing is published."),
});

export type CaptureDeclaration = z.infer<typeof captureSchema>;

export interface CaptureKindDependencies extends CaptureDependencies {
  /** Folder of all datasets, as given to the datasets. */
  readonly folder: string;
  /** Absolute folders outside the project that captures may read. Default none. */
  readonly captureFolders?: readonly string[];
}

/** `capture`: files become rows of a dataset, each file exactly once. */
export function createCaptureKind(dependencies: CaptureKindDependencies): StepKind<CaptureDeclaration> {
  return {
    name: "capture",
    load: "data",
    schema: captureSchema as z.ZodType<CaptureDeclaration>,
    describe: ({ capture }) => `capture ${patternsOf(capture).join(", ")}`,
    analyse: (declaration, context) => analyseCapture(declaration, context, dependencies),
    execute: (attempt) => executeCapture(dependencies, attempt),
  };
}

function patternsOf(capture: CaptureDeclaration["capture"]): readonly string[] {
  return typeof capture.files === "string" ? [capture.files] : capture.files;
}

async function analyseCapture(declaration: CaptureDeclaration, context: AnalysisContext, { captureFolders = [] }: CaptureKindDependencies): Promise<StepAnalysis> {
  const { capture, contract } = declaration;
  const problems: Problem[] = [];
  let files: readonly SourceFile[] = [];
  try {
    files = await findSourceFiles(await findCaptureFolder(capture.folder, context.projectFolder, captureFolders), patternsOf(capture));
  } catch (error) {
    const { message, hint } = error as EsteiraError;
    problems.push({ path: ["capture", isEsteiraError(error, "DATA_CAPTURE_FOLDER_REFUSED") ? "folder" : "files"], message, ...(hint === undefined ? {} : { hint }) });
  }
  if (contract !== undefined) problems.push(...(await contractProblems(contract, context)));
  return {
    inputs: [],
    makes: [{ asset: context.step, kind: "data" }],
    files: contract === undefined ? [] : [contract],
    fingerprint: files.map(({ path, sizeBytes, mtimeMs }) => [path, sizeBytes, mtimeMs]),
    problems,
  };
}

async function contractProblems(contract: string, context: AnalysisContext): Promise<Problem[]> {
  const text = await context.readFile(contract);
  if (text === undefined) return [{ path: ["contract"], message: `There is no file ${contract} in the project` }];
  const read = readContract(text, contract);
  const problems: Problem[] = read.problems.map(({ file, line, column, message, hint }) => ({ path: ["contract"], message, ...(hint === undefined ? {} : { hint }), at: { file, line, column } }));
  if (read.contract !== undefined && tableOf(read.contract, context.step) === undefined) {
    problems.push({ path: ["contract"], message: `${contract} describes ${read.contract.schema.map(({ name }) => name).join(", ")}, not "${context.step}"`, hint: `Name one object of its schema "${context.step}".` });
  }
  return problems;
}

async function executeCapture(dependencies: CaptureKindDependencies, attempt: AttemptContext<CaptureDeclaration>): Promise<StepOutcome> {
  const { capture } = attempt.declaration;
  const folder = await findCaptureFolder(capture.folder, attempt.projectFolder, dependencies.captureFolders ?? []);
  const found = await findSourceFiles(folder, patternsOf(capture));
  const latest = await dependencies.store.read((transaction) => getAssetVersion(transaction, { project: attempt.project, asset: attempt.step }));
  if (found.length === 0 && latest === undefined) throw captureFilesMissing({ patterns: patternsOf(capture), folder });
  const disposition: WriteDisposition = attempt.declaration.write ?? "append";
  const fresh = await freshFiles(dependencies, attempt, found, disposition);
  if (fresh.length === 0 && latest !== undefined) {
    attempt.log(`nothing new: ${formatQuantity(found.length, "file is", "files are")} captured already`);
    return { status: "succeeded", made: [toMade(latest)], facts: { files: 0, read: 0, published: 0, quarantined: 0 } };
  }
  const captured = await captureAll(dependencies, attempt, { fresh, disposition, latest });
  return toOutcome(dependencies, attempt, captured, disposition);
}

/** Content decides: a changed file is new, a renamed copy is not. Replacing reads all files as soon as one differs. */
async function freshFiles(dependencies: CaptureKindDependencies, attempt: AttemptContext<CaptureDeclaration>, found: readonly SourceFile[], disposition: WriteDisposition): Promise<readonly IdentifiedFile[]> {
  const ledger = new Map<string, string>();
  for (let after = ""; ; ) {
    const page = await dependencies.store.read((transaction) => listCapturedFiles(transaction, { project: attempt.project, dataset: attempt.step, after, limit: 10_000 }));
    for (const { digest, path } of page) ledger.set(digest, path);
    after = page.at(-1)?.digest ?? "";
    if (page.length < 10_000) break;
  }
  const identified: IdentifiedFile[] = [];
  const seen = new Set<string>();
  for (const file of found) {
    const format = attempt.declaration.capture.format ?? formatOf(file.path);
    const identity = await readIdentity(file.absolute, format === "csv" && !/\.(gz|zst)$/i.test(file.path));
    const known = ledger.get(identity.digest);
    if (known !== undefined && known !== file.path) attempt.log(`${file.path} holds the same bytes as ${known}, which is captured already`);
    if (seen.has(identity.digest)) continue;
    seen.add(identity.digest);
    identified.push({ ...file, ...identity });
  }
  const fresh = identified.filter(({ digest }) => !ledger.has(digest));
  return disposition === "replace" && (fresh.length > 0 || identified.length !== ledger.size) ? identified : fresh;
}

async function captureAll(
  dependencies: CaptureKindDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  plan: { readonly fresh: readonly IdentifiedFile[]; readonly disposition: WriteDisposition; readonly latest: AssetVersion | undefined },
): Promise<{ readonly batch: CaptureBatch; readonly result: Captured }[]> {
  const perFile = attempt.declaration.capture.version_per === "file" && plan.disposition !== "replace";
  const groups = perFile ? plan.fresh.map((file) => [file]) : [plan.fresh];
  const common = await commonBatch(attempt, plan.disposition);
  const connection = await dependencies.analytics.sandbox({ files: plan.fresh.map(({ absolute }) => absolute), folders: [join(dependencies.folder, tableNameOf(attempt.step)), attempt.workFolder] });
  const dropped = await watchDroppedRows(connection);
  const stopWatching = connection.interruptOn(attempt.signal);
  const results: { batch: CaptureBatch; result: Captured }[] = [];
  let existing = (plan.latest?.content as DatasetContent | undefined)?.columns ?? [];
  try {
    for (const [index, files] of groups.entries()) {
      const follows = results.map(({ batch }) => batch.operationId);
      const batch: CaptureBatch = { ...common, dropped, operationId: operationIdOf(attempt, files), follows, files, existing };
      const result = await captureBatch(dependencies, batch, connection);
      existing = (result.made.content as DatasetContent).columns;
      results.push({ batch, result });
      report(attempt, result);
      attempt.progress(index + 1, groups.length, perFile ? "files" : "versions");
    }
  } finally {
    stopWatching();
    connection.close();
  }
  return results;
}

/** Stable over the attempts of a step run, and different for different content. */
function operationIdOf(attempt: AttemptContext<CaptureDeclaration>, files: readonly IdentifiedFile[]): string {
  return `${attempt.stepRunId}:${attempt.step}:${digestOf(files.map(({ digest }) => digest).join()).slice(7, 23)}`;
}

async function commonBatch(attempt: AttemptContext<CaptureDeclaration>, disposition: WriteDisposition): Promise<Omit<CaptureBatch, "operationId" | "follows" | "files" | "existing" | "dropped">> {
  const { capture, quarantine, schema_contract: schemaMode } = attempt.declaration;
  const { pipelineRunId, stepRunId, attemptId } = attempt;
  return {
    project: attempt.project,
    dataset: attempt.step,
    disposition,
    contract: await loadContract(attempt),
    schemaMode: schemaMode ?? "evolve",
    limits: { rows: quarantine?.max_rows, percent: quarantine?.max_percent },
    format: capture.format,
    csv: capture.csv ?? {},
    workFolder: attempt.workFolder,
    run: { pipelineRunId, stepRunId, attemptId },
    provenance: { pipelineRun: pipelineRunId, stepRun: stepRunId, ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }) },
    atMs: Date.now(),
    signal: attempt.signal,
    log: (text) => attempt.log(text),
  };
}

async function loadContract(attempt: AttemptContext<CaptureDeclaration>): Promise<CaptureBatch["contract"]> {
  const { contract: path } = attempt.declaration;
  if (path === undefined) return undefined;
  const text = await readFile(join(attempt.projectFolder, path), "utf8");
  const { contract, problems } = readContract(text, path);
  const table = contract === undefined ? undefined : tableOf(contract, attempt.step);
  if (contract === undefined || table === undefined) {
    throw contractInvalid({ problems: problems.length > 0 ? problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`) : [`${path} does not describe "${attempt.step}"`] });
  }
  return { path, version: contract.version, digest: digestOf(text), compiled: compileContract(contract, table) };
}

function report(attempt: AttemptContext<CaptureDeclaration>, { files, quarantine, warnings }: Captured): void {
  const problems = new Map(quarantine.map((batch) => [batch.sourceDigest, batch]));
  for (const file of files) {
    const held = problems.get(file.digest as `sha256:${string}`);
    if (held?.fileProblem !== undefined) attempt.log(`${file.path}: held back whole: ${held.fileProblem}`);
    else attempt.log(`${file.path}: ${formatQuantity(file.rowsRead, "row")} read, ${file.rowsPublished} published, ${file.rowsQuarantined} in quarantine${rulesText(held?.rules)}`);
  }
  for (const [rule, count] of Object.entries(warnings)) if (count > 0) attempt.log(`warning: ${formatQuantity(count, "row breaks", "rows break")} ${rule} and ${count === 1 ? "is" : "are"} published`);
}

function rulesText(rules: Readonly<Record<string, number>> | undefined): string {
  const entries = Object.entries(rules ?? {});
  return entries.length === 0 ? "" : ` (${entries.map(([rule, count]) => `${rule}: ${count}`).join(", ")})`;
}

function toMade(version: AssetVersion): MadeVersion {
  const { asset, kind, digest, rowCount, sizeBytes, content } = version;
  return { asset, kind, digest, content, ...(rowCount === undefined ? {} : { rowCount }), ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

function toOutcome(dependencies: CaptureKindDependencies, attempt: AttemptContext<CaptureDeclaration>, captured: readonly { readonly batch: CaptureBatch; readonly result: Captured }[], disposition: WriteDisposition): StepOutcome {
  const files = captured.flatMap(({ result }) => result.files);
  const batches = captured.flatMap(({ result }) => result.quarantine);
  const sum = (count: (file: (typeof files)[number]) => number): number => files.reduce((total, file) => total + count(file), 0);
  return {
    status: "succeeded",
    made: captured.map(({ result }) => result.made),
    facts: {
      files: files.length,
      filesHeldBack: batches.filter(({ fileProblem }) => fileProblem !== undefined).length,
      read: sum(({ rowsRead }) => rowsRead),
      published: sum(({ rowsPublished }) => rowsPublished),
      quarantined: sum(({ rowsQuarantined }) => rowsQuarantined),
    },
    alsoWrite: async (transaction) => {
      for (const { batch } of captured) await dependencies.datasets.settle(transaction, { project: batch.project, asset: batch.dataset, operationId: batch.operationId });
      if (disposition === "replace") await clearCapturedFiles(transaction, { project: attempt.project, dataset: attempt.step });
      await recordCapturedFiles(transaction, files);
      for (const batch of batches) await recordQuarantineBatch(transaction, batch);
    },
  };
}
