import { join } from "node:path";
import { digestOf, type EsteiraError, isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { AttemptContext } from "#pipeline";
import type { LocalFiles } from "#storage";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { bindReferences } from "../contract/bind-references.ts";
import { DuplicateRows } from "./duplicate-rows.ts";
import { registerKeyedHashes } from "../contract/keyed-hash.ts";
import type { DatasetContent, WriteDisposition } from "../dataset.ts";
import { tableNameOf } from "../dataset-write.ts";
import { continued, deletesMissing, isReplacing, sourceColumns } from "../write-disposition.ts";
import {
  type CaptureBatch,
  captureBatch,
  type CaptureDependencies,
  type Captured,
  holdWhole,
  type IdentifiedFile,
  watchDroppedRows,
} from "./capture.ts";
import { loadContract } from "../contract/step-contract.ts";
import type { CaptureDeclaration } from "./capture-declaration.ts";
import { preparedCsv, prepareFiles } from "./prepared-file.ts";
import type { SourceFile } from "./source-file.ts";
import type { SourceReading } from "./sources/source.ts";

export interface CaptureRunDependencies extends CaptureDependencies {
  /** Of all datasets, as given to the datasets. */
  readonly files: LocalFiles;
  /** Values of secrets. Default: none is set. */
  readonly secret?: (name: string) => string | undefined;
}

/** What a run captures, and into what. */
export interface CapturePlan {
  readonly reading: SourceReading;
  /** The source has nothing to hold back but rows. */
  readonly keepsRows: boolean;
  readonly disposition: WriteDisposition;
  readonly latest: AssetVersion | undefined;
}

export interface CapturedBatch {
  readonly batch: CaptureBatch;
  readonly result: Captured;
}

/** Files become one version, or one each; a single one that is unfit is held back. */
export async function captureAll(
  dependencies: CaptureRunDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
  plan: CapturePlan,
): Promise<readonly CapturedBatch[]> {
  const { disposition, reading } = plan;
  const { cursor } = reading;
  const { format, csv = {}, excel = {} } = attempt.declaration.capture;
  const { workFolder } = attempt;
  const log = (text: string): void => attempt.log(text);
  const all = await prepareFiles(reading.files, { format, csv, excel, workFolder, log });
  const { version_per: per } = attempt.declaration.capture;
  // Each file is all that the source had: what is missing is told file by file.
  const perFile = deletesMissing(disposition) || (per === "file" && !isReplacing(disposition));
  const groups = perFile ? all.map((file) => [file]) : [all];
  const declared = await commonBatch(attempt, disposition);
  const connection = await dependencies.analytics.sandbox({
    files: all.map(({ absolute }) => absolute),
    folders: [
      join(dependencies.files.folder, tableNameOf({ project: attempt.project, asset: attempt.step })),
      attempt.workFolder,
    ],
    memoryBytes: memoryFor(all),
  });
  const dropped = await watchDroppedRows(connection);
  const { hashes, contract } = await bindContract(dependencies, connection, { attempt, contract: declared.contract });
  const duplicates = await DuplicateRows.open(connection, contract?.compiled.deduplication);
  const common = { ...declared, contract, duplicates };
  const stopWatching = connection.interruptOn(attempt.signal);
  const results: CapturedBatch[] = [];
  const columnsOf = (content: DatasetContent | undefined): readonly Column[] | undefined =>
    content === undefined ? undefined : sourceColumns(content.columns, disposition);
  let existing = columnsOf(plan.latest?.content as DatasetContent | undefined) ?? [];
  try {
    for (const [index, files] of groups.entries()) {
      const follows = results.map(({ batch }) => batch.operationId);
      const batch: CaptureBatch = {
        ...common,
        disposition: results.some(({ result }) => result.made !== undefined) ? continued(disposition) : disposition,
        dropped,
        hashes,
        operationId: operationIdOf(attempt, files),
        follows,
        files,
        existing,
        cursor,
        gone: reading.gone,
        keepsRows: plan.keepsRows,
        allowEmpty: plan.keepsRows || common.allowEmpty,
      };
      const result = await captureOrHold(dependencies, batch, connection);
      tellGuesses(existing, result, batch);
      existing = columnsOf(result.made?.content as DatasetContent | undefined) ?? existing;
      results.push({ batch, result });
      attempt.progress(index + 1, groups.length, perFile ? "files" : "versions");
    }
  } finally {
    stopWatching();
    connection.close();
  }
  return results;
}

/** What the contract needs of secrets and of other datasets, ready on the connection. */
async function bindContract(
  dependencies: CaptureRunDependencies,
  connection: AnalyticsConnection,
  {
    attempt: { inputs, workFolder },
    contract,
  }: { readonly attempt: AttemptContext<CaptureDeclaration> } & Pick<CaptureBatch, "contract">,
): Promise<Pick<CaptureBatch, "hashes" | "contract">> {
  const { secret = () => undefined } = dependencies;
  try {
    const hashes = await registerKeyedHashes(connection, contract?.compiled, secret);
    if (contract === undefined) return { hashes, contract };
    const { compiled } = contract;
    const bound = await bindReferences(dependencies, { compiled, versions: inputs, folder: workFolder, hashes });
    return { hashes, contract: { ...contract, compiled: bound } };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function tellGuesses(known: readonly Column[], { made }: Captured, batch: CaptureBatch): void {
  const before = isReplacing(batch.disposition) ? [] : known.map(({ name }) => name);
  for (const { name, type, format } of (made?.content as DatasetContent | undefined)?.columns ?? [])
    if (format !== undefined && !before.includes(name))
      batch.log(
        `${name}: its values are taken to be written as ${format}${type.startsWith("TIMESTAMP") ? ", in UTC" : ""}; if it is something else, give its format in a contract, or: csv: { guess: false }`,
      );
}

/** What a single file can be to blame for: others are published without it. */
const FAULTS_OF_A_FILE = [
  "DATA_CONTRACT_BROKEN",
  "DATA_MERGE_KEY_INVALID",
  "DATA_SCHEMA_CONFLICT",
  "DATA_COLUMN_UNSUPPORTED",
] as const;

async function captureOrHold(
  dependencies: CaptureRunDependencies,
  batch: CaptureBatch,
  connection: Parameters<typeof captureBatch>[2],
): Promise<Captured> {
  try {
    return await captureBatch(dependencies, batch, connection);
  } catch (error) {
    if (batch.keepsRows || batch.files.length !== 1 || !FAULTS_OF_A_FILE.some((code) => isEsteiraError(error, code)))
      throw error;
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
): Promise<
  Omit<
    CaptureBatch,
    | "operationId"
    | "follows"
    | "files"
    | "existing"
    | "dropped"
    | "hashes"
    | "duplicates"
    | "cursor"
    | "gone"
    | "keepsRows"
  >
> {
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
    csv: preparedCsv(capture.csv ?? {}),
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
