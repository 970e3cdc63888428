import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, type EsteiraError, formatQuantity, isEsteiraError } from "#base";
import { type AssetVersion, getAssetVersion, type WriteTransaction } from "#metadata-store";
import {
  type CapturedFile,
  clearCapturedFiles,
  closeQuarantine,
  listCapturedFiles,
  listOpenQuarantine,
  moveCapturedFile,
  type NewQuarantineBatch,
  recordCapturedFiles,
  recordQuarantineBatch,
  removeCapturedFiles,
} from "#metadata-store/data";
import type {
  AnalysisContext,
  AttemptContext,
  MadeVersion,
  Problem,
  StepAnalysis,
  StepKind,
  StepOutcome,
} from "#pipeline";
import { compileContract } from "../contract/rules.ts";
import { readContract, tableOf } from "../contract/contract.ts";
import type { DatasetContent, WriteDisposition } from "../dataset.ts";
import type { LocalFiles } from "#storage";
import { tableNameOf } from "../dataset-write.ts";
import { captureEmpty, captureFilesMissing, contractInvalid } from "../errors.ts";
import { writeSchema } from "../write-declaration.ts";
import {
  type CaptureBatch,
  captureBatch,
  type CaptureDependencies,
  type Captured,
  holdWhole,
  type IdentifiedFile,
  watchDroppedRows,
} from "./capture.ts";
import { type CaptureNeeds, CHANGED_FILES, compareWithLedger, readLedger } from "./ledger.ts";
import {
  findCaptureFolder,
  findSourceFiles,
  formatOf,
  readIdentity,
  SOURCE_FORMATS,
  type SourceFile,
} from "./source-file.ts";
import { SCHEMA_MODES } from "./typed-rows.ts";

const pattern = z.string().min(1);

const captureSchema = z.strictObject({
  capture: z.strictObject({
    files: z.union([pattern, z.array(pattern).min(1)]).describe("Path or glob below the project folder, or several."),
    folder: z
      .string()
      .startsWith("/")
      .optional()
      .describe(
        "Absolute folder that the patterns start from, when the files are outside the project: below one of `capture.folders` of esteira.yaml.",
      ),
    format: z
      .enum(SOURCE_FORMATS)
      .optional()
      .describe("Default: what the file's name says; .gz and .zst are read through."),
    changed: z
      .enum(CHANGED_FILES)
      .optional()
      .describe(
        "With `write: append`, what happens to the rows that a file brought before its content changed: supersede (default) takes them out in the version that brings the new ones, append leaves them (a file that is written over with new rows each time).",
      ),
    allow_empty: z
      .boolean()
      .optional()
      .describe("True: a run that reads rows and can publish none of them is no failure. Default false."),
    version_per: z
      .enum(["run", "file"])
      .optional()
      .describe("One dataset version per run (default), or one per file, in order of their names."),
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
  schema_contract: z
    .enum(SCHEMA_MODES)
    .optional()
    .describe(
      "What happens to columns the dataset does not have: evolve (default) adds them, freeze holds the file back, discard_row holds the row back, discard_value drops the value.",
    ),
  quarantine: z
    .strictObject({ max_rows: z.number().int().min(0).optional(), max_percent: z.number().min(0).max(100).optional() })
    .optional()
    .describe("Beyond these limits nothing is published."),
});

export type CaptureDeclaration = z.infer<typeof captureSchema>;

export interface CaptureKindDependencies extends CaptureDependencies {
  /** Of all datasets, as given to the datasets. */
  readonly files: LocalFiles;
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
    preview: (declaration, context) => previewCapture(dependencies, declaration, context),
    execute: (attempt) => executeCapture(dependencies, attempt),
  };
}

function patternsOf(capture: CaptureDeclaration["capture"]): readonly string[] {
  return typeof capture.files === "string" ? [capture.files] : capture.files;
}

async function analyseCapture(
  declaration: CaptureDeclaration,
  context: AnalysisContext,
  { store, captureFolders = [] }: CaptureKindDependencies,
): Promise<StepAnalysis> {
  const { capture, contract } = declaration;
  const problems: Problem[] = [];
  let files: readonly SourceFile[] = [];
  const asked = await store.read((transaction) =>
    listCapturedFiles(transaction, {
      project: context.project,
      dataset: context.step,
      states: ["again", "anew"],
      limit: 10_000,
    }),
  );
  try {
    files = await findSourceFiles(
      await findCaptureFolder(capture.folder, context.projectFolder, captureFolders),
      patternsOf(capture),
    );
  } catch (error) {
    const { message, hint } = error as EsteiraError;
    problems.push({
      path: ["capture", isEsteiraError(error, "DATA_CAPTURE_FOLDER_REFUSED") ? "folder" : "files"],
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (contract !== undefined) problems.push(...(await contractProblems(contract, context)));
  return {
    inputs: [],
    makes: [{ asset: context.step, kind: "data" }],
    files: contract === undefined ? [] : [contract],
    fingerprint: [
      ...files.map(({ path, sizeBytes, mtimeMs }) => [path, sizeBytes, mtimeMs]),
      ...asked.map(({ digest }) => digest),
    ],
    problems,
  };
}

async function contractProblems(contract: string, context: AnalysisContext): Promise<Problem[]> {
  const text = await context.readFile(contract);
  if (text === undefined) return [{ path: ["contract"], message: `There is no file ${contract} in the project` }];
  const read = readContract(text, contract);
  const problems: Problem[] = read.problems.map(({ file, line, column, message, hint }) => ({
    path: ["contract"],
    message,
    ...(hint === undefined ? {} : { hint }),
    at: { file, line, column },
  }));
  if (read.contract !== undefined && tableOf(read.contract, context.step) === undefined) {
    problems.push({
      path: ["contract"],
      message: `${contract} describes ${read.contract.schema.map(({ name }) => name).join(", ")}, not "${context.step}"`,
      hint: `Name one object of its schema "${context.step}".`,
    });
  }
  return problems;
}

async function executeCapture(
  dependencies: CaptureKindDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
): Promise<StepOutcome> {
  const { capture } = attempt.declaration;
  const folder = await findCaptureFolder(capture.folder, attempt.projectFolder, dependencies.captureFolders ?? []);
  const found = await findSourceFiles(folder, patternsOf(capture));
  const latest = await dependencies.store.read((transaction) =>
    getAssetVersion(transaction, { project: attempt.project, asset: attempt.step }),
  );
  if (found.length === 0 && latest === undefined) throw captureFilesMissing({ patterns: patternsOf(capture), folder });
  const needs = await findNeeds(dependencies, attempt, found);
  tellNeeds(attempt, needs);
  if (needs.files.length === 0 && latest !== undefined) {
    attempt.log(`nothing new: ${formatQuantity(found.length, "file is", "files are")} captured already`);
    const { moved } = needs;
    return {
      status: "succeeded",
      made: [toMade(latest)],
      facts: { files: 0, read: 0, published: 0, quarantined: 0 },
      ...(moved.length === 0 ? {} : { alsoWrite: (transaction) => noteMoves(transaction, attempt, moved) }),
    };
  }
  const captured = await captureAll(dependencies, attempt, { needs, latest });
  for (const { result } of captured) report(attempt, result);
  if (isFruitless(attempt, captured)) await failEmpty(dependencies, attempt, captured);
  return toOutcome(dependencies, attempt, captured, needs);
}

function dispositionOf(declaration: CaptureDeclaration, ledger: readonly CapturedFile[]): WriteDisposition {
  // All files were asked for anew: the dataset is made again from them.
  if (ledger.some(({ state }) => state === "anew")) return "replace";
  return declaration.write ?? "append";
}

interface Needs extends CaptureNeeds {
  readonly disposition: WriteDisposition;
}

async function findNeeds(
  { store }: CaptureKindDependencies,
  attempt: Pick<AttemptContext<CaptureDeclaration>, "project" | "step" | "declaration">,
  found: readonly SourceFile[],
): Promise<Needs> {
  const { capture } = attempt.declaration;
  const ledger = await readLedger(store, { project: attempt.project, dataset: attempt.step });
  const identified: Omit<IdentifiedFile, "supersedes">[] = [];
  for (const file of found) {
    const format = capture.format ?? formatOf(file.path);
    identified.push({
      ...file,
      ...(await readIdentity(file.absolute, format === "csv" && !/\.(gz|zst)$/i.test(file.path))),
    });
  }
  const disposition = dispositionOf(attempt.declaration, ledger);
  return {
    ...compareWithLedger(ledger, identified, {
      isReplaced: disposition === "replace",
      changed: capture.changed ?? "supersede",
    }),
    disposition,
  };
}

function tellNeeds(attempt: AttemptContext<CaptureDeclaration>, needs: Needs): void {
  for (const { path, of } of needs.copies)
    attempt.log(`${path} holds the same bytes as ${of}, which is captured instead`);
  for (const { path } of needs.leftOut)
    attempt.log(
      `${path} stays out: the dataset was restored to a version without its rows; read it with: esteira capture ${attempt.step} --again ${path}`,
    );
  if (needs.goneCount > 0 && needs.disposition !== "replace")
    attempt.log(
      `${formatQuantity(needs.goneCount, "captured file is", "captured files are")} not there any more; the rows stay`,
    );
}

/** What a run would find, for `esteira plan`: files are only compared by size and time where that tells enough. */
async function previewCapture(
  dependencies: CaptureKindDependencies,
  declaration: CaptureDeclaration,
  context: AnalysisContext,
): Promise<string> {
  const folder = await findCaptureFolder(
    declaration.capture.folder,
    context.projectFolder,
    dependencies.captureFolders ?? [],
  );
  const needs = await findNeeds(
    dependencies,
    { project: context.project, step: context.step, declaration },
    await findSourceFiles(folder, patternsOf(declaration.capture)),
  );
  const superseded = needs.files
    .flatMap(({ supersedes }) => supersedes)
    .filter(({ state }) => state !== "left_out")
    .reduce((sum, { rowsPublished }) => sum + rowsPublished, 0);
  const counts = [
    `${needs.newCount} new`,
    `${needs.changedCount} changed`,
    `${needs.unchangedCount} unchanged`,
    ...(needs.againCount === 0 ? [] : [`${needs.againCount} to read again`]),
  ];
  const rows =
    needs.disposition === "append" && superseded > 0 ? `; ${formatQuantity(superseded, "row")} will be superseded` : "";
  const gone =
    needs.goneCount > 0 && needs.disposition !== "replace"
      ? `; ${formatQuantity(needs.goneCount, "file is", "files are")} gone, the rows stay`
      : "";
  return `files: ${counts.join(", ")}${rows}${gone}`;
}

async function noteMoves(
  transaction: WriteTransaction,
  attempt: AttemptContext<CaptureDeclaration>,
  moved: CaptureNeeds["moved"],
): Promise<void> {
  for (const file of moved)
    await moveCapturedFile(transaction, { project: attempt.project, dataset: attempt.step, ...file });
}

interface CapturedBatch {
  readonly batch: CaptureBatch;
  readonly result: Captured;
}

async function captureAll(
  dependencies: CaptureKindDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  plan: { readonly needs: Needs; readonly latest: AssetVersion | undefined },
): Promise<readonly CapturedBatch[]> {
  const { files: all, disposition } = plan.needs;
  const perFile = attempt.declaration.capture.version_per === "file" && disposition !== "replace";
  const groups = perFile ? all.map((file) => [file]) : [all];
  const common = await commonBatch(attempt, disposition);
  const connection = await dependencies.analytics.sandbox({
    files: all.map(({ absolute }) => absolute),
    folders: [join(dependencies.files.folder, tableNameOf(attempt.step)), attempt.workFolder],
    memoryBytes: memoryFor(all),
  });
  const dropped = await watchDroppedRows(connection);
  const stopWatching = connection.interruptOn(attempt.signal);
  const results: CapturedBatch[] = [];
  let existing = (plan.latest?.content as DatasetContent | undefined)?.columns ?? [];
  try {
    for (const [index, files] of groups.entries()) {
      const follows = results.map(({ batch }) => batch.operationId);
      const batch: CaptureBatch = {
        ...common,
        dropped,
        operationId: operationIdOf(attempt, files),
        follows,
        files,
        existing,
      };
      const result = await captureOrHold(dependencies, batch, connection);
      existing = (result.made?.content as DatasetContent | undefined)?.columns ?? existing;
      results.push({ batch, result });
      attempt.progress(index + 1, groups.length, perFile ? "files" : "versions");
    }
  } finally {
    stopWatching();
    connection.close();
  }
  return results;
}

/** What a single file can be to blame for: others are published without it. */
const FAULTS_OF_A_FILE = [
  "DATA_CONTRACT_BROKEN",
  "DATA_MERGE_KEY_INVALID",
  "DATA_SCHEMA_CONFLICT",
  "DATA_COLUMN_UNSUPPORTED",
] as const;

async function captureOrHold(
  dependencies: CaptureKindDependencies,
  batch: CaptureBatch,
  connection: Parameters<typeof captureBatch>[2],
): Promise<Captured> {
  try {
    return await captureBatch(dependencies, batch, connection);
  } catch (error) {
    if (batch.files.length !== 1 || !FAULTS_OF_A_FILE.some((code) => isEsteiraError(error, code))) throw error;
    return holdWhole(batch, (error as EsteiraError).message);
  }
}

/** Text is staged before it is typed: large files are staged on disk, so that memory does not grow with them. */
const STAGED_IN_MEMORY_BYTES = 256 << 20;
const MEMORY_OF_LARGE_FILES_BYTES = 512 << 20;
/** Text takes about so many times the bytes that it is packed into. */
const PACKED_TIMES = 8;

function memoryFor(files: readonly SourceFile[]): number | undefined {
  const bytes = files.reduce(
    (sum, { path, sizeBytes }) => sum + sizeBytes * (/\.(gz|zst)$/i.test(path) ? PACKED_TIMES : 1),
    0,
  );
  return bytes > STAGED_IN_MEMORY_BYTES ? MEMORY_OF_LARGE_FILES_BYTES : undefined;
}

/** Stable over the attempts of a step run, and different for different content. */
function operationIdOf(attempt: AttemptContext<CaptureDeclaration>, files: readonly IdentifiedFile[]): string {
  return `${attempt.stepRunId}:${attempt.step}:${digestOf(files.map(({ digest }) => digest).join()).slice(7, 23)}`;
}

async function commonBatch(
  attempt: AttemptContext<CaptureDeclaration>,
  disposition: WriteDisposition,
): Promise<Omit<CaptureBatch, "operationId" | "follows" | "files" | "existing" | "dropped">> {
  const { capture, quarantine, schema_contract: schemaMode } = attempt.declaration;
  const { pipelineRunId, stepRunId, attemptId } = attempt;
  return {
    project: attempt.project,
    dataset: attempt.step,
    disposition,
    contract: await loadContract(attempt),
    schemaMode: schemaMode ?? "evolve",
    limits: { rows: quarantine?.max_rows, percent: quarantine?.max_percent },
    allowEmpty: capture.allow_empty ?? false,
    format: capture.format,
    csv: capture.csv ?? {},
    workFolder: attempt.workFolder,
    run: { pipelineRunId, stepRunId, attemptId },
    provenance: {
      pipelineRun: pipelineRunId,
      stepRun: stepRunId,
      ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
    },
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
    throw contractInvalid({
      problems:
        problems.length > 0
          ? problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)
          : [`${path} does not describe "${attempt.step}"`],
    });
  }
  return { path, version: contract.version, digest: digestOf(text), compiled: compileContract(contract, table) };
}

/** Said when all files are through: a later one may still end the run, and then nothing is published. */
function report(
  attempt: AttemptContext<CaptureDeclaration>,
  { files, quarantine, warnings, superseded, supersededRows, explanations }: Captured,
): void {
  const problems = new Map(quarantine.map((batch) => [batch.sourceDigest, batch]));
  for (const file of files) {
    const held = problems.get(file.digest);
    if (held?.fileProblem !== undefined) attempt.log(`${file.path}: held back whole: ${held.fileProblem}`);
    else
      attempt.log(
        `${file.path}: ${formatQuantity(file.rowsRead, "row")} read, ${file.rowsPublished} published, ${file.rowsQuarantined} in quarantine${rulesText(held?.rules)}`,
      );
    const explanation = explanations.get(file.path);
    if (held !== undefined && held.fileProblem === undefined && explanation !== undefined)
      attempt.log(`  ${explanation}`);
  }
  if (superseded.length > 0)
    attempt.log(
      `${formatQuantity(supersededRows, "row")} superseded: what ${formatQuantity(new Set(superseded.map(({ path }) => path)).size, "changed file", "changed files")} brought before`,
    );
  for (const [rule, count] of Object.entries(warnings))
    if (count > 0)
      attempt.log(
        `warning: ${formatQuantity(count, "row breaks", "rows break")} ${rule} and ${count === 1 ? "is" : "are"} published`,
      );
}

function isFruitless(attempt: AttemptContext<CaptureDeclaration>, captured: readonly CapturedBatch[]): boolean {
  return attempt.declaration.capture.allow_empty !== true && captured.every(({ result }) => result.made === undefined);
}

/** @throws DATA_CAPTURE_EMPTY after what was held back is in the quarantine */
async function failEmpty(
  { store }: CaptureKindDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  captured: readonly CapturedBatch[],
): Promise<never> {
  await store.write((transaction) =>
    recordQuarantine(transaction, attempt, { captured, made: undefined, isReplaced: false }),
  );
  const problems = captured.flatMap(({ result }) =>
    [...result.explanations].map(([path, reason]) => `${path}: ${reason}`),
  );
  const rules = new Set(
    captured.flatMap(({ result }) => result.quarantine.flatMap((batch) => Object.keys(batch.rules))),
  );
  throw captureEmpty({
    dataset: attempt.step,
    files: captured.reduce((sum, { result }) => sum + result.files.length, 0),
    rows: captured.reduce(
      (sum, { result }) => sum + result.files.reduce((rows, { rowsRead }) => rows + rowsRead, 0),
      0,
    ),
    problems,
    isEncoding: [...rules].some((rule) => /unicode|encoding/.test(rule)),
  });
}

function rulesText(rules: Readonly<Record<string, number>> | undefined): string {
  const entries = Object.entries(rules ?? {});
  return entries.length === 0 ? "" : ` (${entries.map(([rule, count]) => `${rule}: ${count}`).join(", ")})`;
}

function toMade(version: AssetVersion): MadeVersion {
  const { asset, kind, digest, rowCount, sizeBytes, content } = version;
  return {
    asset,
    kind,
    digest,
    content,
    ...(rowCount === undefined ? {} : { rowCount }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

function toOutcome(
  dependencies: CaptureKindDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  captured: readonly CapturedBatch[],
  needs: Needs,
): StepOutcome {
  const files = captured.flatMap(({ result }) => result.files);
  const batches = captured.flatMap(({ result }) => result.quarantine);
  const made = captured.flatMap(({ result }) => result.made ?? []);
  const superseded = captured.flatMap((one) => one.result.superseded);
  const supersededRows = captured.reduce((total, { result }) => total + result.supersededRows, 0);
  const sum = (count: (file: (typeof files)[number]) => number): number =>
    files.reduce((total, file) => total + count(file), 0);
  const blocking = captured.flatMap(({ result }) =>
    result.heldFiles.flatMap(({ path, reason, blocks }) => (blocks ? [`${path}: ${reason}`] : [])),
  );
  return {
    status: "succeeded",
    made,
    facts: {
      files: files.length,
      filesHeldBack: batches.filter(({ fileProblem }) => fileProblem !== undefined).length,
      read: sum(({ rowsRead }) => rowsRead),
      published: sum(({ rowsPublished }) => rowsPublished),
      quarantined: sum(({ rowsQuarantined }) => rowsQuarantined),
      ...(superseded.length === 0 ? {} : { superseded: supersededRows }),
    },
    ...(blocking.length === 0 ? {} : { blocks: { reason: blocking.join("; ") } }),
    alsoWrite: async (transaction) => {
      const ledger = { project: attempt.project, dataset: attempt.step };
      for (const { batch, result } of captured)
        if (result.made !== undefined)
          await dependencies.datasets.settle(transaction, {
            project: batch.project,
            asset: batch.dataset,
            operationId: batch.operationId,
          });
      if (needs.disposition === "replace") await clearCapturedFiles(transaction, ledger);
      else await removeCapturedFiles(transaction, { ...ledger, digests: superseded.map(({ digest }) => digest) });
      await noteMoves(transaction, attempt, needs.moved);
      await recordCapturedFiles(transaction, files);
      await recordQuarantine(transaction, attempt, {
        captured,
        made: made.at(-1),
        isReplaced: needs.disposition === "replace",
      });
    },
  };
}

/** What was held of earlier contents of the same files is closed, and what is held now is recorded. */
async function recordQuarantine(
  transaction: WriteTransaction,
  attempt: AttemptContext<CaptureDeclaration>,
  {
    captured,
    made,
    isReplaced,
  }: {
    readonly captured: readonly CapturedBatch[];
    readonly made: MadeVersion | undefined;
    readonly isReplaced: boolean;
  },
): Promise<void> {
  const { project, step: dataset } = attempt;
  const files = captured.flatMap(({ result }) => result.files);
  const batches: NewQuarantineBatch[] = captured.flatMap(({ result }) => [...result.quarantine]);
  const sources = isReplaced
    ? undefined
    : [...files, ...captured.flatMap(({ result }) => result.superseded)].map(({ path, digest }) => ({ path, digest }));
  const open = await listOpenQuarantine(transaction, { project, dataset, sources });
  const latest = made === undefined ? undefined : await getAssetVersion(transaction, { project, asset: dataset });
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const [reason, closing] of Map.groupBy(open, (batch) =>
    reasonToClose(byPath.get(batch.sourcePath), batch.sourceDigest, {
      version: latest?.version,
      isReplaced,
      stepRunId: attempt.stepRunId,
    }),
  )) {
    await closeQuarantine(transaction, {
      batchIds: closing.map(({ id }) => id),
      as: "superseded",
      actor: attempt.actor,
      reason,
      atMs: Date.now(),
    });
  }
  for (const batch of batches) await recordQuarantineBatch(transaction, batch);
}

function reasonToClose(
  file: CapturedFile | undefined,
  sourceDigest: string,
  facts: { readonly version: number | undefined; readonly isReplaced: boolean; readonly stepRunId: string },
): string {
  const how = facts.isReplaced
    ? "the dataset was replaced"
    : file?.digest === sourceDigest
      ? `${file.path} was read again`
      : `a corrected ${file?.path ?? "file"} was captured`;
  return `superseded: ${how}${facts.version === undefined ? ` (step run ${facts.stepRunId})` : `, version ${facts.version}`}`;
}
