import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, type Digest, digestOf } from "#base";
import {
  appendEvent,
  type AssetVersion,
  getAssetVersion,
  type MetadataStore,
  recordAssetVersion,
} from "#metadata-store";
import {
  closeQuarantine,
  getQuarantineBatch,
  listOpenQuarantine,
  listQuarantineRows,
  type QuarantineBatch,
  type QuarantineRow,
  type QuarantineRowState,
  setCapturedFileState,
  setQuarantineRows,
} from "#metadata-store/data";
import type { Blobs } from "#storage";
import { fireTrigger } from "#engine";
import type { Analytics, AnalyticsConnection } from "../analytics/analytics.ts";
import { type Row, textOf } from "../analytics/rows.ts";
import { quotePath } from "../analytics/sql-text.ts";
import { openObjects } from "../capture/formats/json.ts";
import { nameColumns } from "../capture/column-names.ts";
import { typeRows } from "../capture/typed-rows.ts";
import { contentOf, type Datasets, type WriteDisposition } from "../dataset.ts";
import { isKeyed, neededColumns, sourceColumns } from "../write-disposition.ts";
import { latestOf } from "../latest-versions.ts";
import { contractInvalid, datasetMissing, quarantineMissing } from "../errors.ts";
import { bindReferences } from "./bind-references.ts";
import { readContract, tableOf } from "./contract.ts";
import { registerKeyedHashes } from "./keyed-hash.ts";
import { setRecordedBounds } from "./recorded-bounds.ts";
import { compileContract } from "./rules.ts";

export interface QuarantineDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly clock: Clock;
  /** Values of the secrets that contracts hash with. Default: none is set. */
  readonly secret?: (name: string) => string | undefined;
}

/** One held row as the UI and the CLI show it. */
export interface QuarantinedRow {
  readonly rowNumber: number;
  readonly state: QuarantineRowState;
  /** Record of the source (from 0), line (from 1) and byte, where they can be told. */
  readonly record: number | undefined;
  readonly line: number | undefined;
  readonly byte: number | undefined;
  /** The row as received: an object of its values, or the text of a line that is no row. */
  readonly row: unknown;
  readonly rules: readonly string[];
  readonly messages: readonly string[];
  /** Who changed its state, and why. */
  readonly reason?: string;
  readonly actor?: string;
}

/** A page of a batch's rows. `limit` at most 1,000. @throws DATA_QUARANTINE_MISSING */
export async function readQuarantine(
  dependencies: QuarantineDependencies,
  of: { readonly batchId: string; readonly offset?: number; readonly limit?: number },
): Promise<{ readonly batch: QuarantineBatch; readonly rows: readonly QuarantinedRow[] }> {
  const batch = await batchOf(dependencies, of.batchId);
  if (batch.objectDigest === undefined) return { batch, rows: [] };
  const changed = new Map(
    (await dependencies.store.read((transaction) => listQuarantineRows(transaction, batch.id))).map((row) => [
      row.rowNumber,
      row,
    ]),
  );
  const path = await dependencies.objects.localPath(batch.objectDigest as Digest);
  const connection = await dependencies.analytics.connect();
  try {
    const rows = await connection.rows(
      `select * from read_parquet(${quotePath(path)}) order by row_number limit ${Math.min(of.limit ?? 100, 1000)} offset ${of.offset ?? 0}`,
    );
    return {
      batch,
      rows: rows.map((row) => toQuarantinedRow(row, changed.get(Number(row["row_number"])), batch.closed)),
    };
  } finally {
    connection.close();
  }
}

function toQuarantinedRow(row: Row, own: QuarantineRow | undefined, closed: QuarantineBatch["closed"]): QuarantinedRow {
  // What happened to the batch as a whole happened to the rows that were still held.
  const isOpen = own === undefined || own.state === "held";
  const changed = isOpen && closed !== undefined ? { state: closed.as, reason: closed.reason, actor: closed.by } : own;
  const number = (name: string): number | undefined => (typeof row[name] === "number" ? row[name] : undefined);
  return {
    rowNumber: Number(row["row_number"]),
    state: changed?.state ?? "held",
    record: number("record"),
    line: number("line"),
    byte: number("byte"),
    row: JSON.parse(textOf(row["row"] ?? "null")) as unknown,
    rules: row["rules"] as readonly string[],
    messages: row["messages"] as readonly string[],
    ...(changed === undefined ? {} : { reason: changed.reason, actor: changed.actor }),
  };
}

async function batchOf({ store }: QuarantineDependencies, id: string): Promise<QuarantineBatch> {
  const batch = await store.read((transaction) => getQuarantineBatch(transaction, id));
  if (batch === undefined) throw quarantineMissing({ batch: id });
  return batch;
}

/**
 * Gives held rows of a batch up for good, with a reason; without `rowNumbers` the whole batch, also a file that is held
 * back whole, which no run tries again then. Nothing is deleted.
 *
 * @throws DATA_QUARANTINE_MISSING
 */
export async function discardQuarantine(
  dependencies: QuarantineDependencies,
  discard: {
    readonly batchId: string;
    readonly rowNumbers?: readonly number[];
    readonly actor: string;
    readonly reason: string;
  },
): Promise<{ readonly discarded: number; readonly files: number }> {
  const batch = await batchOf(dependencies, discard.batchId);
  if (batch.closed !== undefined) return { discarded: 0, files: 0 };
  const { project, dataset } = batch;
  const { actor, reason, rowNumbers } = discard;
  const atMs = dependencies.clock.now();
  const wanted = rowNumbers === undefined ? undefined : new Set(rowNumbers);
  const held = (await heldRows(dependencies, batch)).filter((row) => wanted?.has(row) ?? true);
  const isFile = wanted === undefined && batch.fileProblem !== undefined;
  if (held.length === 0 && !isFile) return { discarded: 0, files: 0 };
  await dependencies.store.write(async (transaction) => {
    if (wanted !== undefined)
      await setQuarantineRows(transaction, {
        batchId: batch.id,
        rowNumbers: held,
        state: "discarded",
        actor,
        reason,
        atMs,
      });
    else await closeQuarantine(transaction, { batchIds: [batch.id], as: "discarded", actor, reason, atMs });
    if (isFile)
      await setCapturedFileState(transaction, {
        project,
        dataset,
        digests: [batch.sourceDigest],
        state: "captured",
        onlyFrom: "held",
      });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "quarantine.discarded",
      subjectKind: "asset",
      subject: dataset,
      actor,
      data: { batch: batch.id, rows: held.length, files: isFile ? 1 : 0, source: batch.sourcePath, reason },
    });
  });
  return { discarded: held.length, files: isFile ? 1 : 0 };
}

/**
 * Gives up what is open in a dataset's quarantine: everything, or the rows of one source or one rule. A row that breaks
 * several rules counts for each.
 *
 * @throws DATA_DATASET_MISSING when nothing was ever held back from a dataset of that name, and there is none
 */
export async function discardHeld(
  dependencies: QuarantineDependencies,
  request: {
    readonly project: string;
    readonly dataset: string;
    readonly source?: string | undefined;
    readonly rule?: string | undefined;
    readonly actor: string;
    readonly reason: string;
  },
): Promise<{ readonly discarded: number; readonly files: number }> {
  const { project, dataset, source, rule, actor, reason } = request;
  const { open, latest } = await dependencies.store.read(async (transaction) => ({
    open: await listOpenQuarantine(transaction, { project, dataset }),
    latest: await getAssetVersion(transaction, { project, asset: dataset }),
  }));
  if (open.length === 0 && latest === undefined) throw datasetMissing({ dataset, version: undefined });
  let [discarded, files] = [0, 0];
  for (const batch of open.filter(({ sourcePath }) => source === undefined || sourcePath === source)) {
    const isWhole = rule === undefined || (rule === FILE_RULE && batch.fileProblem !== undefined);
    const rowNumbers = isWhole ? undefined : await rowsOfRule(dependencies, batch.id, rule);
    if (rowNumbers?.length === 0) continue;
    const done = await discardQuarantine(dependencies, {
      batchId: batch.id,
      actor,
      reason,
      ...(rowNumbers === undefined ? {} : { rowNumbers }),
    });
    discarded += done.discarded;
    files += done.files;
  }
  return { discarded, files };
}

/** Rule id under which a file that is held back whole is listed. */
const FILE_RULE = "file";
const PAGE = 1000;

async function rowsOfRule(
  dependencies: QuarantineDependencies,
  batchId: string,
  rule: string,
): Promise<readonly number[]> {
  const numbers: number[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const { rows } = await readQuarantine(dependencies, { batchId, offset, limit: PAGE });
    for (const row of rows) if (row.rules.includes(rule)) numbers.push(row.rowNumber);
    if (rows.length < PAGE) return numbers;
  }
}

async function heldRows({ store }: QuarantineDependencies, batch: QuarantineBatch): Promise<number[]> {
  if (batch.closed !== undefined) return [];
  const changed = new Map(
    (await store.read((transaction) => listQuarantineRows(transaction, batch.id))).map((row) => [
      row.rowNumber,
      row.state,
    ]),
  );
  return Array.from({ length: batch.rows }, (_, index) => index).filter(
    (row) => (changed.get(row) ?? "held") === "held",
  );
}

/** What a replay did. `replayed + held` are the rows that were held before. */
export interface ReplayResult {
  readonly replayed: number;
  readonly held: number;
  readonly version: AssetVersion | undefined;
}

/**
 * Reads held rows again under the contract as it is now: those that pass come into the dataset as a new version, merged
 * where the dataset is merged, and are marked, in one transaction; the others stay held, with a note. Idempotent: a row
 * comes in once.
 *
 * @param replay.contract text of the contract; without one only types decide
 * @throws DATA_QUARANTINE_MISSING, DATA_CONTRACT_INVALID, and what writing a dataset throws
 */
export async function replayQuarantine(
  dependencies: QuarantineDependencies,
  replay: {
    readonly batchId: string;
    readonly contract?: { readonly path: string; readonly text: string };
    /** How its step writes now. Default: how the latest version was written. */
    readonly write?: WriteDisposition | undefined;
    readonly actor: string;
    readonly reason?: string;
  },
): Promise<ReplayResult> {
  const batch = await batchOf(dependencies, replay.batchId);
  const latest = await dependencies.store.read((transaction) =>
    getAssetVersion(transaction, { project: batch.project, asset: batch.dataset }),
  );
  const held = await heldRows(dependencies, batch);
  if (latest === undefined || batch.objectDigest === undefined || held.length === 0)
    return { replayed: 0, held: held.length, version: latest };
  const stored = await dependencies.objects.localPath(batch.objectDigest as Digest);
  const { path: folder } = await dependencies.datasets.location(latest);
  const own = await mkdtemp(join(tmpdir(), "esteira-replay-"));
  // What the contract and the step say of a row is SQL of a user.
  const connection = await dependencies.analytics.sandbox({ files: [stored], folders: [folder, own] });
  try {
    await connection.run("create or replace temp table __held_numbers (n BIGINT)");
    for (let start = 0; start < held.length; start += 10_000)
      await connection.run(
        `insert into __held_numbers values ${held
          .slice(start, start + 10_000)
          .map((row) => `(${row})`)
          .join(", ")}`,
      );
    await connection.run(
      `create or replace temp table __held as select row_number as "__record", row as "__json" from read_parquet(${quotePath(stored)}) where row_number in (select n from __held_numbers)`,
    );
    return await appendPassing(dependencies, connection, { batch, latest, held, replay, folder: own });
  } finally {
    connection.close();
    await rm(own, { recursive: true, force: true });
  }
}

/** Values that had a type were never written in a format. */
const TYPED_FORMATS: ReadonlySet<string> = new Set(["parquet", "sql", "python"]);

/** A batch whose rows are read again. */
interface HeldBatch {
  readonly batch: QuarantineBatch;
  readonly latest: AssetVersion;
  readonly held: readonly number[];
  readonly replay: Parameters<typeof replayQuarantine>[1];
  /** Private, and open to the connection. */
  readonly folder: string;
}

/** Which of the held rows keep the contract now, by their numbers; the rest stays. */
async function judgeHeld(
  dependencies: QuarantineDependencies,
  connection: AnalyticsConnection,
  of: HeldBatch,
): Promise<{
  readonly typed: ReturnType<typeof typeRows>;
  /** Versions whose keys the rows were looked for in. */
  readonly referred: readonly AssetVersion[];
  readonly passing: readonly number[];
  readonly staying: readonly number[];
}> {
  const { batch, latest, held, replay } = of;
  const disposition = dispositionOf(replay.write, latest);
  const columns = sourceColumns(contentOf(latest).columns, disposition);
  const keys = neededColumns(disposition);
  const source = nameColumns(
    await openObjects(
      { connection, number: 0 },
      { all: "__held", format: "ndjson", line: "NULL::BIGINT", close: async () => {} },
    ),
    columns,
  );
  const compiled = compiledContract(replay.contract, batch.dataset);
  const hashes = await registerKeyedHashes(connection, compiled, dependencies.secret ?? (() => undefined));
  const versions = await latestOf(
    dependencies.store,
    batch.project,
    compiled?.references.flatMap(({ datasets }) => datasets) ?? [],
  );
  const bound =
    compiled === undefined
      ? undefined
      : await bindReferences(dependencies, { compiled, versions, folder: of.folder, hashes });
  const contract =
    bound === undefined
      ? undefined
      : {
          ...bound,
          deduplication: undefined,
          ...(TYPED_FORMATS.has(batch.sourceFormat) ? { formats: new Map() } : {}),
        };
  const typed = typeRows(source, { columns, mode: "discard_value", contract, hashes, keys, isDuplicate: undefined });
  await setRecordedBounds(dependencies.store, connection, {
    project: batch.project,
    dataset: batch.dataset,
    contract,
    measured: typed.measured,
  });
  const failing = new Set(
    (await connection.rows(`select record from (${typed.bad()}) where record is not null`)).map((row) =>
      Number(row["record"]),
    ),
  );
  const rejected = new Set(
    (
      await connection.rows(
        `select "__record" as record from __held where not (case when json_valid("__json") then json_type("__json") = 'OBJECT' else false end)`,
      )
    ).map((row) => Number(row["record"])),
  );
  const [staying, passing] = [true, false].map((isBroken) =>
    held.filter((row) => (failing.has(row) || rejected.has(row)) === isBroken),
  ) as [number[], number[]];
  return { typed, passing, staying, referred: [...versions.values()] };
}

async function appendPassing(
  dependencies: QuarantineDependencies,
  connection: AnalyticsConnection,
  of: HeldBatch,
): Promise<ReplayResult> {
  const { batch, latest, replay } = of;
  const { typed, passing, staying, referred } = await judgeHeld(dependencies, connection, of);
  const note = { batchId: batch.id, actor: replay.actor, atMs: dependencies.clock.now() };
  if (passing.length === 0) {
    await dependencies.store.write((transaction) =>
      setQuarantineRows(transaction, {
        ...note,
        rowNumbers: staying,
        state: "held",
        reason: "replayed: still breaks the contract",
      }),
    );
    return { replayed: 0, held: staying.length, version: latest };
  }
  const operation = {
    project: batch.project,
    asset: batch.dataset,
    operationId: `replay:${batch.id}:${digestOf(passing.join()).slice(7, 23)}`,
  };
  const disposition = dispositionOf(replay.write, latest);
  const made = await dependencies.datasets.write({
    ...operation,
    kind: latest.kind === "features" ? "features" : "data",
    disposition,
    select: typed.good,
    connection,
    expectedRows: passing.length,
    source: batch.sourceDigest as Digest,
    content: {
      replayed: [{ path: batch.sourcePath, digest: batch.sourceDigest as Digest, rows: passing.length }],
      ...(isKeyed(disposition) ? { disposition } : {}),
    },
    provenance: { replayOf: batch.id, actor: replay.actor },
  });
  const version = await dependencies.store.write(async (transaction) => {
    await dependencies.datasets.settle(transaction, operation);
    const { version: recorded } = await recordAssetVersion(transaction, {
      project: batch.project,
      madeAtMs: note.atMs,
      actor: replay.actor,
      inputs: [
        { versionId: latest.id, role: "input" },
        ...referred.map(({ id }) => ({ versionId: id, role: "reference" })),
      ],
      ...made,
    });
    await setQuarantineRows(transaction, {
      ...note,
      rowNumbers: passing,
      state: "replayed",
      reason: replay.reason ?? `replayed into version ${recorded.version}`,
    });
    if (staying.length > 0)
      await setQuarantineRows(transaction, {
        ...note,
        rowNumbers: staying,
        state: "held",
        reason: "replayed: still breaks the contract",
      });
    await appendEvent(transaction, {
      atMs: note.atMs,
      project: batch.project,
      type: "quarantine.replayed",
      subjectKind: "asset",
      subject: batch.dataset,
      actor: replay.actor,
      data: { batch: batch.id, replayed: passing.length, held: staying.length, version: recorded.version },
    });
    await fireTrigger(transaction, {
      project: batch.project,
      on: "data",
      subject: batch.dataset,
      cause: { versionId: recorded.id, replayOf: batch.id },
      atMs: note.atMs,
      actor: replay.actor,
    });
    return recorded;
  });
  return { replayed: passing.length, held: staying.length, version };
}

/** Rows that were held back meet those that are there as others do; of no source do they tell what is missing. */
function dispositionOf(declared: WriteDisposition | undefined, latest: AssetVersion): WriteDisposition {
  const write = declared ?? contentOf(latest).disposition;
  return isKeyed(write) ? { ...write, delete: undefined, anew: undefined } : "append";
}

function compiledContract(
  contract: { readonly path: string; readonly text: string } | undefined,
  dataset: string,
): ReturnType<typeof compileContract> | undefined {
  if (contract === undefined) return undefined;
  const read = readContract(contract.text, contract.path);
  const table = read.contract === undefined ? undefined : tableOf(read.contract, dataset);
  if (read.contract === undefined || table === undefined)
    throw contractInvalid({
      problems: read.problems.map(({ line, column, message }) => `${contract.path}:${line}:${column} ${message}`),
    });
  return compileContract(read.contract, table, dataset);
}
