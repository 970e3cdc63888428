import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, formatQuantity } from "#base";
import type { Problem } from "#pipeline";
import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { textOf } from "../../analytics/rows.ts";
import { quoteName, quotePath, quoteText } from "../../analytics/sql-text.ts";
import { normaliseColumnName } from "../../column-name.ts";
import { contentOf, type WriteDisposition } from "../../dataset.ts";
import { isKeyed, keysOf } from "../../write-disposition.ts";
import { replicationUnfit, sourceChanged } from "../../source-errors.ts";
import type { IdentifiedFile } from "../capture.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { CHANGE_COLUMNS, CHANGE_VALUES, ChangeDump, NET } from "./change-dump.ts";
import type { DatabaseColumn } from "./database.ts";
import type { PostgresDeclaration, ReplicationDeclaration } from "./database-declaration.ts";
import type { DatabaseDependencies } from "./database-sources.ts";
import { formatLogPosition, parseLogPosition } from "./log-position.ts";
import {
  connectPostgres,
  openPostgres,
  POSTGRES,
  type PostgresConnection,
  quote,
  sessionSettings,
} from "./postgres.ts";
import { checkServer, findPublished, type PublishedTable } from "./publication.ts";
import { type Dump, readDump } from "./read-dump.ts";
import { RowChanges } from "./row-changes.ts";
import {
  assertHeld,
  confirmSlot,
  createSlot,
  dropSlot,
  exportSnapshot,
  findSlot,
  keyCondition,
  LOG_END,
  type SlotOwner,
} from "./replication-slot.ts";
import { heldText, lookAtHeld, maxLagBytes } from "./replication-lag.ts";
import { readLog } from "./replication-stream.ts";
import { describeServer, findServer, type ServerAddress, serverProblems } from "./server-address.ts";
import { freshFolder } from "./singer-result.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";
import { chosenColumns } from "./table-source.ts";

const cursorSchema = z.object({
  format: z.literal("replication/1"),
  source: z.string(),
  slot: z.string(),
  /** Of the server: another one counts its log anew. */
  system: z.string(),
  /** Everything that was committed before is in the dataset. */
  position: z.string(),
  /** Digest under which the ledger has what was read last; its path there says how far the log was looked through. */
  file: z.string(),
});

type ReplicationCursor = z.infer<typeof cursorSchema>;

/** A declaration that follows changes. */
type FollowedDeclaration = PostgresDeclaration & { readonly replication: ReplicationDeclaration };

export function isFollowed(declaration: PostgresDeclaration): declaration is FollowedDeclaration {
  return declaration.replication !== undefined;
}

const MEMORY_BYTES = 512 << 20;
const UP_TO = " up to ";
const CONFIRM_LIMIT_MS = 15_000;

/** A table of PostgreSQL and its changes, by logical replication. */
export function createReplicationSource(
  declaration: FollowedDeclaration,
  write: CaptureDeclaration["write"],
  dependencies: DatabaseDependencies,
): Source {
  const description = `${describeServer(POSTGRES, declaration)} ${declaration.table ?? ""}`;
  return {
    description,
    write: "append",
    duplicates: "last",
    keeps: "rows",
    analyse: () =>
      Promise.resolve({
        problems: [...followProblems(declaration, write), ...serverProblems(POSTGRES, declaration)],
        fingerprint: undefined,
      }),
    async preview({ position }) {
      const saved = cursorSchema.safeParse(await position.cursor()).data;
      return saved === undefined
        ? `${description}: all rows, and then its changes by the slot ${declaration.replication.slot}`
        : `${description}: changes after ${saved.position} by the slot ${saved.slot}`;
    },
    open: (context) => Promise.resolve(openReplication(declaration, dependencies, { description, context })),
  };
}

function followProblems(declaration: FollowedDeclaration, write: CaptureDeclaration["write"]): Problem[] {
  const { table, query, cursor } = declaration;
  const problems: Problem[] = [];
  const add = (path: readonly string[], message: string, hint?: string): void =>
    void problems.push({ path, message, ...(hint === undefined ? {} : { hint }) });
  const at = ["capture", "postgres"];
  if (table === undefined || query !== undefined)
    add(at, "replication follows a table", "Name it: table: public.orders; a query has no changes to follow.");
  if (cursor !== undefined)
    add([...at, "cursor"], "replication finds what is new by itself", "Take out the cursor, or the replication.");
  if (write === undefined)
    add(
      [...at, "replication"],
      "the step does not say how changes meet the rows that are there",
      "Use write: { merge: KEY } for the table as it is, { history: KEY } for what it was too, or append for each change as a row.",
    );
  if (write === "replace")
    add(
      ["write"],
      "a run would leave only the rows that changed",
      "Use write: { merge: KEY }, { history: KEY } or append.",
    );
  if (isKeyed(write) && write.updated_at !== undefined)
    add(["write", "updated_at"], "changes come in the order in which they were committed", "Take out updated_at.");
  return problems;
}

interface Opening {
  readonly description: string;
  readonly context: SourceContext;
}

/** What a run follows with. */
interface Following extends Opening {
  readonly declaration: FollowedDeclaration;
  readonly dependencies: DatabaseDependencies;
  readonly reader: SourceReader;
  readonly address: ServerAddress;
  readonly owner: SlotOwner;
  /** For questions. */
  readonly sql: PostgresConnection;
  readonly table: PublishedTable;
  /** Columns of the table that tell its rows apart. */
  readonly keys: readonly string[];
  readonly system: string;
  readonly analytics: AnalyticsConnection;
}

function openReplication(
  declaration: FollowedDeclaration,
  dependencies: DatabaseDependencies,
  of: Opening,
): OpenSource {
  const { slot } = declaration.replication;
  const owner: SlotOwner = { source: `${of.description} (step ${of.context.step})`, dataset: of.context.step, slot };
  const { findHost, secret } = dependencies;
  const find = (): Promise<ServerAddress> =>
    findServer(POSTGRES, declaration, { source: owner.source, findHost, valueOf: secret });
  /** Asks the server once more, when what was read is stored or could not be. */
  const ask = async (question: (sql: PostgresConnection) => Promise<void>): Promise<void> => {
    const sql = await connectPostgres(await find(), {
      source: owner.source,
      signal: AbortSignal.timeout(CONFIRM_LIMIT_MS),
    });
    try {
      await question(sql);
    } finally {
      await sql.close();
    }
  };
  return {
    async read(reader) {
      const address = await find();
      const sql = await connectPostgres(address, { source: owner.source, signal: reader.signal });
      const analytics = await dependencies.analytics.sandbox({
        files: [],
        folders: [reader.workFolder],
        memoryBytes: MEMORY_BYTES,
      });
      const stopWatching = analytics.interruptOn(reader.signal);
      try {
        await sql.client.query(sessionSettings("session"));
        const system = await checkServer(sql.ask, owner.source);
        const table = await findPublished(sql.ask, {
          source: owner.source,
          table: declaration.table ?? "",
          publication: declaration.replication.publication,
        });
        const keys = keyColumns(table, of.context.disposition, owner.source);
        const following = {
          ...of,
          declaration,
          dependencies,
          reader,
          address,
          owner,
          sql,
          table,
          keys,
          system,
          analytics,
        };
        const reading = await follow(following);
        const durable = cursorSchema.safeParse(reading.cursor).data?.position;
        return {
          ...reading,
          notes: [...table.notes, ...reading.notes],
          ...(durable === undefined
            ? {}
            : { published: () => ask((to) => confirmSlot(to.ask, owner, parseLogPosition(durable))) }),
        };
      } finally {
        stopWatching();
        analytics.close();
        await sql.close();
      }
    },
    failed: (log) => ask((sql) => lookAtHeld(sql, { owner, replication: declaration.replication, log })),
    close: () => Promise.resolve(),
  };
}

/** @throws DATA_REPLICATION_UNFIT when the log does not tell rows apart as the step does */
function keyColumns(table: PublishedTable, disposition: WriteDisposition, source: string): readonly string[] {
  if (!isKeyed(disposition)) return table.identity.length === 0 ? table.columns : table.identity;
  const called = `${quote(table.schema)}.${quote(table.name)}`;
  return keysOf(disposition).map((key) => {
    const column = table.columns.find(
      (name, index) => name === key || normaliseColumnName(name, index).toLowerCase() === key.toLowerCase(),
    );
    if (column !== undefined && table.identity.includes(column)) return column;
    throw replicationUnfit({
      source,
      problem:
        column === undefined
          ? `the key column ${key} is not among those that are published (${table.columns.join(", ")})`
          : `its log says ${table.identity.length === 0 ? "nothing" : `only ${table.identity.join(", ")}`} of rows that are updated or deleted, and rows are written by ${key}`,
      remedy:
        column === undefined || table.identity.length === 0
          ? `Name columns of the table, and give it a primary key or: alter table ${called} replica identity full;`
          : `Write by ${table.identity.join(", ")}, or: alter table ${called} replica identity full;`,
    });
  });
}

async function follow(following: Following): Promise<SourceReading> {
  const { sql, owner, context, declaration, reader } = following;
  const last = await lastCursor(following);
  const { rows } = await sql.ask<{ end: string }>(`select (${LOG_END})::text as end`);
  const end = parseLogPosition(rows[0]?.end ?? "0/0");
  const slot = await findSlot(sql.ask, owner);
  const held = slot?.heldBytes ?? 0;
  if (held > maxLagBytes(declaration.replication))
    reader.log(`warning: ${heldText(owner, declaration.replication, held)}`);
  if (last === undefined) {
    if (slot?.isLost === true) await dropSlot(sql.ask, owner);
    if (slot === undefined || slot.isLost) {
      await createSlot(sql.ask, owner);
      reader.log(`made the slot ${owner.slot}: the server keeps its log for it until it is dropped`);
    }
    return readAll(following);
  }
  const reached = reachedPosition(last, context);
  assertHeld(slot, owner, { position: reached, end });
  return readChanges(following, { last, reached, end });
}

/** @throws DATA_SOURCE_CHANGED */
async function lastCursor({ context, description, owner, system }: Following): Promise<ReplicationCursor | undefined> {
  const { position, step, disposition } = context;
  const saved = await position.cursor();
  const last = cursorSchema.safeParse(saved).data;
  const now = `${description} by the slot ${owner.slot}`;
  const isOther = last === undefined || last.source !== description || last.slot !== owner.slot;
  if (saved !== undefined && isOther)
    throw sourceChanged({
      dataset: step,
      before: last === undefined ? "another kind of source" : `${last.source} by the slot ${last.slot}`,
      now,
    });
  if (last !== undefined && last.system !== system)
    throw sourceChanged({ dataset: step, before: `the server ${last.system}`, now: `the server ${system}` });
  const isAnew = position.ledger.some(({ state }) => state === "anew");
  const { latest } = position;
  // Rows of before would be there twice.
  if (
    saved === undefined &&
    disposition === "append" &&
    latest !== undefined &&
    !isAnew &&
    contentOf(latest).dropped !== true
  )
    throw sourceChanged({ dataset: step, before: "a source without a place", now });
  return last;
}

/** Where nothing was found, no version says how far the log was read: the ledger does. */
function reachedPosition({ position, file }: ReplicationCursor, { position: { ledger } }: SourceContext): bigint {
  const noted =
    ledger
      .find(({ digest }) => digest === file)
      ?.path.split(UP_TO)
      .at(-1) ?? position;
  const [saved, reached] = [parseLogPosition(position), parseLogPosition(noted)];
  return reached > saved ? reached : saved;
}

/** All rows, exactly as they were at a place in the log. */
async function readAll(following: Following): Promise<SourceReading> {
  const { address, owner, reader, analytics, context, description } = following;
  const replicating = await connectPostgres(
    address,
    { source: owner.source, signal: reader.signal },
    { replication: "database" },
  );
  try {
    const { snapshot, position } = await exportSnapshot(replicating, owner);
    const dump = await dumpSnapshot(following, { snapshot, name: "rows" });
    const read = await readDump(analytics, dump, { by: undefined, seen: undefined });
    reader.progress(read.rows, undefined, "rows");
    const isLog = context.disposition === "append";
    const target = join(reader.workFolder, "source.parquet");
    if (isLog)
      await analytics.run(
        `copy (select 'snapshot' as "${CHANGE_COLUMNS.kind}", cast(null as TIMESTAMPTZ) as "${CHANGE_COLUMNS.at}", ${quoteText(formatLogPosition(position))} as "${CHANGE_COLUMNS.position}", cast(0 as BIGINT) as "${CHANGE_COLUMNS.place}", cast(null as VARCHAR) as "${CHANGE_COLUMNS.unchanged}", * from read_parquet(${quotePath(dump.target)})) to ${quoteText(target)} (format parquet)`,
      );
    const columns = isLog ? [...LOG_COLUMNS, ...dump.columns] : dump.columns;
    const reading = await toReading(following, {
      target: isLog ? target : dump.target,
      columns,
      isText: read.isText,
      from: undefined,
      to: position,
      notes: [`${description}: ${formatQuantity(read.rows, "row")} at ${formatLogPosition(position)}`],
    });
    return context.position.latest === undefined || !isKeyed(context.disposition)
      ? reading
      : { ...reading, gone: { isAll: true, file: undefined } };
  } finally {
    await replicating.close();
  }
}

const LOG_COLUMNS: readonly DatabaseColumn[] = [
  [CHANGE_COLUMNS.kind, "VARCHAR"],
  [CHANGE_COLUMNS.at, "TIMESTAMP WITH TIME ZONE"],
  [CHANGE_COLUMNS.position, "VARCHAR"],
  [CHANGE_COLUMNS.place, "BIGINT"],
  [CHANGE_COLUMNS.unchanged, "VARCHAR"],
].map(([name = "", type = ""]) => ({ name, quoted: name, select: name, type }));

async function dumpSnapshot(
  { address, owner, reader, declaration, table }: Following,
  of: { readonly snapshot: string; readonly name: string; readonly condition?: string },
): Promise<Dump> {
  const database = await openPostgres(
    address,
    { table: `${quote(table.schema)}.${quote(table.name)}` },
    { source: owner.source, signal: reader.signal, snapshot: of.snapshot },
  );
  try {
    const all = (await database.columns()).filter(({ name }) => table.columns.includes(name));
    const columns = chosenColumns(declaration, owner.source, all);
    const path = join(reader.workFolder, `${of.name}.csv`);
    const where = [table.where, of.condition].flatMap((sql) => (sql === undefined ? [] : [`(${sql})`])).join(" and ");
    const dumped = await database.dump(columns, { path, where: where === "" ? undefined : where });
    return { path, dumped, columns, target: join(reader.workFolder, `${of.name}.parquet`), source: owner.source };
  } finally {
    await database.close();
  }
}

interface Span {
  readonly last: ReplicationCursor;
  /** What is before is in the dataset. */
  readonly reached: bigint;
  readonly end: bigint;
}

async function readChanges(following: Following, { last, reached, end }: Span): Promise<SourceReading> {
  const { reader, description, owner, context, analytics } = following;
  const changes = new ChangeDump(await freshFolder(reader.workFolder));
  const rows = new RowChanges(changes, following);
  const read = (from: bigint, to: bigint): Promise<void> => readSpan(following, rows, { from, to, durable: reached });
  let to = end;
  try {
    await read(reached, end);
    if (changes.count === 0) {
      const moved =
        reached === end ? [] : [{ digest: last.file, path: `${description}${UP_TO}${formatLogPosition(end)}` }];
      return {
        files: [],
        cursor: { ...last, position: formatLogPosition(end) },
        moved,
        notes: [],
        nothingNew: `no change of ${description} up to ${formatLogPosition(end)}`,
      };
    }
    const notes = newColumnNotes(following, changes.columns);
    if (context.disposition === "append") {
      const { path, isText } = await changes.list(analytics, owner.source);
      const target = join(reader.workFolder, "source.parquet");
      const list = [...CHANGE_VALUES, ...changes.columns.map(({ name }) => quoteName(name))].join(", ");
      await analytics.run(
        `copy (select ${list} from read_parquet(${quotePath(path)})) to ${quoteText(target)} (format parquet)`,
      );
      return await toReading(following, {
        target,
        columns: [...LOG_COLUMNS, ...changes.columns],
        isText,
        from: reached,
        to,
        notes: [`${description}: ${formatQuantity(changes.count, "change")}`, ...notes],
      });
    }
    let net = await changes.reduce(analytics, owner.source);
    let found: Dump | undefined;
    const unknown = await countRows(analytics, net.path, NET.isUnknown);
    if (unknown > 0) {
      const looked = await lookUp(following, { changes, read, end });
      ({ net, found, to } = looked);
    }
    return await netReading(following, { changes, net, found, from: reached, to, notes });
  } finally {
    changes.destroy();
  }
}

async function readSpan(
  { address, owner, reader, declaration }: Following,
  rows: RowChanges,
  span: { readonly from: bigint; readonly to: bigint; readonly durable: bigint },
): Promise<void> {
  const { source, slot } = owner;
  const replicating = await connectPostgres(address, { source, signal: reader.signal }, { replication: "database" });
  try {
    await replicating.client.query(sessionSettings("session"));
    const { publication } = declaration.replication;
    await readLog(replicating, { ...span, slot, publication, source }, (message) => rows.take(message));
  } finally {
    await replicating.close();
  }
}

/**
 * Large values that did not change are not in the log. Rows whose values are not known from changes before are read
 * from the table as it is at a place behind, to which the log is read on.
 */
async function lookUp(
  following: Following,
  of: {
    readonly changes: ChangeDump;
    readonly read: (from: bigint, to: bigint) => Promise<void>;
    readonly end: bigint;
  },
): Promise<{
  readonly net: Awaited<ReturnType<ChangeDump["reduce"]>>;
  readonly found: Dump | undefined;
  readonly to: bigint;
}> {
  const { address, owner, reader, analytics, sql, table, keys } = following;
  const replicating = await connectPostgres(
    address,
    { source: owner.source, signal: reader.signal },
    { replication: "database" },
  );
  try {
    const { snapshot, position } = await exportSnapshot(replicating, owner);
    if (position > of.end) {
      // The server notices only after a while that the reader before has gone.
      await findSlot(sql.ask, owner);
      await of.read(of.end, position);
    }
    const net = await of.changes.reduce(analytics, owner.source);
    const wanted = await analytics.rows(
      `select ${NET.key} as key from read_parquet(${quotePath(net.path)}) where ${NET.isUnknown} order by ${NET.place}`,
    );
    const values = wanted.map(({ key }) => z.array(z.string().nullable()).parse(JSON.parse(textOf(key))));
    if (values.length === 0) return { net, found: undefined, to: position };
    const columns = keys.map((name) => ({ name, type: table.types.get(name) ?? "text" }));
    const found = await dumpSnapshot(following, { snapshot, name: "found", condition: keyCondition(columns, values) });
    return { net, found, to: position };
  } finally {
    await replicating.close();
  }
}

async function netReading(
  following: Following,
  of: {
    readonly changes: ChangeDump;
    readonly net: { readonly path: string; readonly isText: boolean };
    readonly found: Dump | undefined;
    readonly from: bigint;
    readonly to: bigint;
    readonly notes: readonly string[];
  },
): Promise<SourceReading> {
  const { analytics, reader, keys, description, owner } = following;
  const { changes, net, found, from, to } = of;
  const list = changes.columns.map(({ name }) => quoteName(name)).join(", ");
  const net_ = `read_parquet(${quotePath(net.path)})`;
  const looked = found === undefined ? undefined : await readDump(analytics, found, { by: undefined, seen: undefined });
  const isText = net.isText || looked?.isText === true;
  const target = join(reader.workFolder, "source.parquet");
  const there = [
    `select ${list} from ${net_} where ${NET.isThere}`,
    ...(found === undefined ? [] : [`select * from read_parquet(${quotePath(found.target)})`]),
  ];
  await analytics.run(`copy (${there.join(" union all by name ")}) to ${quoteText(target)} (format parquet)`);
  const goneTarget = join(reader.workFolder, "gone.parquet");
  const keyList = keys.map(quoteName).join(", ");
  await analytics.run(
    `copy (select ${keyList} from ${net_} where ${NET.isGone}) to ${quoteText(goneTarget)} (format parquet)`,
  );
  const [rows, gone] = [await countRows(analytics, target, "true"), await countRows(analytics, goneTarget, "true")];
  const columns = changes.columns;
  const reading = await toReading(following, {
    target,
    columns,
    isText,
    from,
    to,
    notes: [
      `${description}: ${formatQuantity(changes.count, "change")}${changes.isTruncated ? ", one of which empties it," : ""} of which ${formatQuantity(rows, "row")} and ${formatQuantity(gone, "deleted key", "deleted keys")} are left`,
      ...(found === undefined
        ? []
        : [
            `${formatQuantity(looked?.rows ?? 0, "row")} with large values that did not change were read from the table`,
          ]),
      ...of.notes,
    ],
  });
  const keyTypes = columns.filter(({ name }) => keys.includes(name));
  const file = await identify(owner.source, {
    target: goneTarget,
    columns: keyTypes,
    isText: net.isText,
    digest: digestOf(goneTarget),
  });
  return { ...reading, gone: { isAll: changes.isTruncated, file: gone === 0 ? undefined : file } };
}

async function countRows(connection: AnalyticsConnection, path: string, where: string): Promise<number> {
  const [row] = await connection.rows(`select count(*) as n from read_parquet(${quotePath(path)}) where ${where}`);
  return Number(row?.["n"]);
}

async function toReading(
  { description, owner, system }: Following,
  of: {
    readonly target: string;
    readonly columns: readonly DatabaseColumn[];
    readonly isText: boolean;
    readonly from: bigint | undefined;
    readonly to: bigint;
    readonly notes: readonly string[];
  },
): Promise<SourceReading> {
  const position = formatLogPosition(of.to);
  const from = of.from === undefined ? null : formatLogPosition(of.from);
  const digest = digestOf(JSON.stringify([description, owner.slot, system, from, position]));
  const cursor: ReplicationCursor = {
    format: "replication/1",
    source: description,
    slot: owner.slot,
    system,
    position,
    file: digest,
  };
  return {
    files: [await identify(`${description}${UP_TO}${position}`, { ...of, digest })],
    cursor,
    moved: [],
    notes: of.notes,
    nothingNew: "",
  };
}

async function identify(
  path: string,
  of: {
    readonly target: string;
    readonly columns: readonly DatabaseColumn[];
    readonly isText: boolean;
    readonly digest: IdentifiedFile["digest"];
  },
): Promise<IdentifiedFile> {
  const { size, mtimeMs } = await stat(of.target);
  return {
    path,
    absolute: of.target,
    sizeBytes: size,
    mtimeMs: Math.floor(mtimeMs),
    digest: of.digest,
    lineFeeds: undefined,
    supersedes: [],
    format: "parquet",
    ...(of.isText ? { texts: of.columns.map(({ name, type }) => ({ name, type })) } : {}),
  };
}

/** Rows that do not change do not come again, whatever a new column has in them. */
function newColumnNotes(
  { context: { position, step } }: Following,
  columns: readonly DatabaseColumn[],
): readonly string[] {
  const known = position.latest === undefined ? [] : contentOf(position.latest).columns;
  const names = new Set(known.map(({ name, original }) => (original ?? name).toLowerCase()));
  const fresh = columns.map(({ name }) => name).filter((name) => !names.has(name.toLowerCase()));
  return fresh.length === 0 || known.length === 0
    ? []
    : [
        `new columns: ${fresh.join(", ")}; rows that did not change since have no value of them, until the table is read anew: esteira capture ${step} --again all`,
      ];
}
