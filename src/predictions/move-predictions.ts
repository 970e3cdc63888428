import { type Clock, isEsteiraError, type Log, newId } from "#base";
import type { Analytics, AnalyticsConnection, LogFile, LogTables } from "#data";
import type { MetadataStore } from "#metadata-store";
import {
  claimPredictionHistory,
  clearMoved,
  deleteMovedLabels,
  type EndpointKey,
  getPredictionHistory,
  listMovable,
  listPredictingEndpoints,
  listPredictionHistories,
  measureMovable,
  noteClearedHistory,
  type Prediction,
  type PredictionHistory,
  releasePredictionHistory,
  showPredictionHistory,
} from "#metadata-store/serving";
import { countDays, groupDays } from "./day-groups.ts";
import { HISTORY_COLUMNS, historyFolder, lastReceivedMs, timesOf } from "./history-table.ts";
import { pickMerge } from "./pick-merge.ts";
import type { Predictions } from "./predictions.ts";

/** What leaves the database. */
export interface MoveRequest {
  readonly project: string;
  /** Only what was received so long ago, ms. */
  readonly ageMs: number;
  /**
   * An endpoint is left alone until so many of its predictions are of that age, or one of them waits for `waitMs` more;
   * default: at once.
   */
  readonly unless?: { readonly rows: number; readonly waitMs: number } | undefined;
  readonly signal: AbortSignal;
}

/** What was moved of one endpoint. */
export interface MovedEndpoint extends EndpointKey {
  /** Folder of its Delta table, among the files of tables. */
  readonly folder: string;
  readonly moved: number;
  readonly files: number;
  readonly rows: number;
  readonly sizeBytes: number;
}

interface MoverParts {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  readonly tables: LogTables;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rows that make one version of a table. */
const ROWS_A_VERSION = 50_000;
const ROWS_A_PAGE = 2000;
/** Rows that leave the database in one change: others write in between. */
const ROWS_A_CHANGE = 1000;
/** Nobody else moves the rows of an endpoint for so long after the last sign of life. */
const HELD_MS = 120_000;
/** Name under which versions are counted in the table. */
const WRITER = "esteira-predictions";
/** A file that is being written is younger. */
const LEAST_RETENTION_MS = 3_600_000;

/**
 * Moves predictions from the database into the tables.
 *
 * For one endpoint, in this order, and by whoever comes next where one is killed:
 * 1. what lies in the table behind the version that readers read is shown to them;
 * 2. what was shown is taken out of the database;
 * 3. rows are read and written as the version behind that of 1, or not at all.
 * So no row is in two versions, and none is out of the database before readers see it in the table.
 */
export function createMover(parts: MoverParts): Pick<Predictions, "move" | "expire" | "vacuum"> {
  const { store, tables, clock } = parts;
  const holder = newId();

  /** @returns undefined while another process moves the rows of the endpoint */
  async function hold<Result>(key: EndpointKey, work: (held: Held) => Promise<Result>): Promise<Result | undefined> {
    const folder = historyFolder(key);
    const claim = (): Promise<PredictionHistory | undefined> => {
      const nowMs = clock.now();
      return store.write((transaction) =>
        claimPredictionHistory(transaction, { ...key, folder, holder, nowMs, untilMs: nowMs + HELD_MS }),
      );
    };
    const history = await claim();
    if (history === undefined) return undefined;
    try {
      return await work({ history, renew: async () => (await claim()) !== undefined });
    } catch (error) {
      // Another process took over after this one had been away for long: its work stands.
      if (isEsteiraError(error, "DATA_WRITE_CONFLICT")) return undefined;
      throw error;
    } finally {
      await store.write((transaction) => releasePredictionHistory(transaction, { ...key, holder }));
    }
  }

  return {
    async move(request) {
      const { project, signal } = request;
      const done: MovedEndpoint[] = [];
      for (const key of await listKeys(store, project)) {
        signal.throwIfAborted();
        const isDue = await isMoveDue(parts, key, request);
        const moved = isDue ? await hold(key, (held) => moveEndpoint(parts, held, request)) : undefined;
        if (moved !== undefined) done.push(moved);
      }
      return done;
    },

    async expire({ project, beforeMs, signal }) {
      let gone = 0;
      for (const key of await store.read((transaction) => listPredictionHistories(transaction, { project }))) {
        signal.throwIfAborted();
        gone += (await hold(key, (held) => expireEndpoint(parts, held, { beforeMs, signal }))) ?? 0;
      }
      return gone;
    },

    async vacuum({ project, retentionMs, dryRun, signal }) {
      const found: (EndpointKey & { removed: readonly string[]; sizeBytes: number })[] = [];
      for (const history of await store.read((transaction) => listPredictionHistories(transaction, { project }))) {
        signal.throwIfAborted();
        const { environment, endpoint, folder, deltaVersion } = history;
        if (deltaVersion < 0) continue;
        const removed = await tables.vacuum(folder, {
          pinned: [deltaVersion],
          retentionMs: Math.max(retentionMs, LEAST_RETENTION_MS),
          dryRun,
        });
        found.push({ project, environment, endpoint, ...removed });
      }
      return found;
    },
  };
}

interface Held {
  readonly history: PredictionHistory;
  /** @returns false when another process took over */
  readonly renew: () => Promise<boolean>;
}

async function listKeys(store: MetadataStore, project: string): Promise<readonly EndpointKey[]> {
  const histories = await store.read((transaction) => listPredictionHistories(transaction, { project }));
  const asked = await store.read((transaction) => listPredictingEndpoints(transaction, project));
  const all = [...histories, ...asked].map(({ environment, endpoint }) => ({ project, environment, endpoint }));
  return [...new Map(all.map((key) => [historyFolder(key), key])).values()];
}

async function isMoveDue({ store, clock }: MoverParts, key: EndpointKey, request: MoveRequest): Promise<boolean> {
  const { unless, ageMs } = request;
  if (unless === undefined) return true;
  const history = await store.read((transaction) => getPredictionHistory(transaction, key));
  // A move that was killed halfway.
  if (history !== undefined && history.clearedVersion < history.deltaVersion) return true;
  const receivedBeforeMs = clock.now() - ageMs;
  const { rows, oldestMs } = await store.readLong((transaction) =>
    measureMovable(transaction, { ...key, receivedBeforeMs, most: unless.rows }),
  );
  return rows >= unless.rows || (oldestMs !== undefined && oldestMs < receivedBeforeMs - unless.waitMs);
}

async function moveEndpoint(parts: MoverParts, held: Held, request: MoveRequest): Promise<MovedEndpoint> {
  const { tables, clock } = parts;
  const { project, environment, endpoint, folder } = held.history;
  const receivedBeforeMs = clock.now() - request.ageMs;
  let version = await settle(parts, held, request.signal);
  let moved = 0;
  while (await held.renew()) {
    request.signal.throwIfAborted();
    const rows = await writeVersion(parts, held.history, { receivedBeforeMs, base: version });
    moved += rows;
    if (rows > 0) version = await settle(parts, held, request.signal);
    if (rows < ROWS_A_VERSION) break;
  }
  if (await mergeFiles(parts, held, version)) version = await settle(parts, held, request.signal);
  const files = version < 0 ? [] : ((await tables.open(folder, version))?.files ?? []);
  return {
    project,
    environment,
    endpoint,
    folder,
    moved,
    files: files.length,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
  };
}

/**
 * Shows readers what lies in the table, then takes it out of the database.
 *
 * @returns the version of the table; -1 while there is none
 */
async function settle(
  { store, tables, analytics }: MoverParts,
  { history, renew }: Held,
  signal: AbortSignal,
): Promise<number> {
  const latest = await tables.open(history.folder);
  if (latest === undefined) return -1;
  const { version } = latest;
  await store.write((transaction) => showPredictionHistory(transaction, { ...history, deltaVersion: version }));
  const [known] = (
    await store.read((transaction) => listPredictionHistories(transaction, { project: history.project }))
  ).filter(({ folder }) => folder === history.folder);
  for (let next = (known?.clearedVersion ?? -1) + 1; next <= version; next++) {
    const added = await tables.addedBy(history.folder, next);
    if (added.length > 0) {
      const ids = await readIds({ tables, analytics }, history.folder, added);
      for (let start = 0; start < ids.length; start += ROWS_A_CHANGE) {
        signal.throwIfAborted();
        await store.write((transaction) => clearMoved(transaction, ids.slice(start, start + ROWS_A_CHANGE)));
      }
      await renew();
    }
    await store.write((transaction) => noteClearedHistory(transaction, { ...history, clearedVersion: next }));
  }
  return version;
}

async function readIds(
  { tables, analytics }: Pick<MoverParts, "tables" | "analytics">,
  folder: string,
  files: readonly LogFile[],
): Promise<readonly string[]> {
  const relation = await tables.relation(folder, files);
  const connection = await analytics.connect();
  try {
    const { values } = await connection.columns(`select id from ${relation}`);
    const ids = values["id"];
    return ids?.kind === "text" ? ids.values.filter((id) => id !== null) : [];
  } finally {
    connection.close();
  }
}

/** @returns how many rows became the version behind `base` */
async function writeVersion(
  { store, tables, analytics }: MoverParts,
  history: PredictionHistory,
  of: { readonly receivedBeforeMs: number; readonly base: number },
): Promise<number> {
  const base = of.base < 0 ? undefined : await tables.open(history.folder, of.base);
  const connection = await analytics.connect();
  try {
    const days = new Map<number, number>();
    const rows = await loadMovable({ store, connection }, history, { ...of, days });
    if (rows === 0) return 0;
    await tables.commit(history.folder, {
      base,
      connection,
      selects: groupDays(days).map(
        ({ fromMs, toMs }) =>
          `select ${HISTORY_COLUMNS.map(({ name, type }) => (type === "BIGINT" ? `cast(${name} as bigint) as ${name}` : name)).join(", ")}
           from moving where at_ms >= ${fromMs} and at_ms < ${toMs} order by at_ms, id`,
      ),
      removes: [],
      count: { writer: WRITER, number: (base?.counts.get(WRITER) ?? 0) + 1 },
    });
    return rows;
  } finally {
    connection.close();
  }
}

async function loadMovable(
  { store, connection }: { readonly store: MetadataStore; readonly connection: AnalyticsConnection },
  key: EndpointKey,
  of: { readonly receivedBeforeMs: number; readonly days: Map<number, number> },
): Promise<number> {
  const { project, environment, endpoint } = key;
  const columns = HISTORY_COLUMNS.map(({ name, type }) => `${name} ${type === "BIGINT" ? "DOUBLE" : type}`);
  await connection.run(`create temp table moving (${columns.join(", ")})`);
  let rows = 0;
  let after: readonly [number, string] | undefined;
  while (rows < ROWS_A_VERSION) {
    const limit = Math.min(ROWS_A_PAGE, ROWS_A_VERSION - rows);
    const page = await store.readLong((transaction) =>
      listMovable(transaction, {
        project,
        environment,
        endpoint,
        receivedBeforeMs: of.receivedBeforeMs,
        after,
        limit,
      }),
    );
    if (page.length > 0) await connection.append("moving", toColumns(page));
    countDays(of.days, page);
    rows += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) break;
    after = [last.atMs, last.id];
  }
  return rows;
}

/** In the order of the table's columns. */
function toColumns(page: readonly Prediction[]): readonly (Float64Array | readonly (string | undefined)[])[] {
  return [
    page.map(({ id }) => id),
    page.map(({ modelVersionId }) => modelVersionId),
    page.map(({ arm }) => arm),
    Float64Array.from(page, ({ atMs }) => Number(atMs)),
    Float64Array.from(page, ({ receivedAtMs }) => Number(receivedAtMs)),
    page.map(({ requestId }) => requestId),
    page.map(({ features }) => features),
    page.map(({ context }) => context),
    Float64Array.from(page, ({ prediction }) => prediction ?? NaN),
    page.map(({ predictionText }) => predictionText),
    page.map(({ entityKey }) => entityKey),
    page.map(({ featureStatus }) => featureStatus),
    Float64Array.from(page, ({ propensity }) => propensity ?? NaN),
  ];
}

/** Makes few files of many small ones. @returns whether there were enough */
async function mergeFiles({ tables, analytics }: MoverParts, { history }: Held, version: number): Promise<boolean> {
  const base = version < 0 ? undefined : await tables.open(history.folder, version);
  const merge = base === undefined ? undefined : pickMerge(base.files);
  if (merge === undefined) return false;
  const connection = await analytics.connect();
  try {
    const relation = await tables.relation(history.folder, merge);
    const days = await connection.columns(
      `select at_ms // 86400000 as day, count(*) as rows from ${relation} group by 1`,
    );
    const counted = new Map<number, number>();
    const [day, rows] = [days.values["day"], days.values["rows"]];
    if (day?.kind !== "number" || rows?.kind !== "number") return false;
    for (let index = 0; index < days.rowCount; index++) counted.set(day.values[index] ?? 0, rows.values[index] ?? 0);
    await tables.commit(history.folder, {
      base,
      connection,
      selects: groupDays(counted).map(
        ({ fromMs, toMs }) =>
          `select * from ${relation} where at_ms >= ${fromMs} and at_ms < ${toMs} order by at_ms, id`,
      ),
      removes: merge,
      isRearranged: true,
    });
    return true;
  } finally {
    connection.close();
  }
}

const LABELS_A_CHANGE = 1000;

async function expireEndpoint(
  parts: MoverParts,
  held: Held,
  { beforeMs, signal }: { readonly beforeMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const { store, tables, analytics } = parts;
  const { history } = held;
  const version = await settle(parts, held, signal);
  const base = version < 0 ? undefined : await tables.open(history.folder, version);
  const old = (base?.files ?? []).filter((file) => timesOf(file)[1] < beforeMs && lastReceivedMs(file) < beforeMs);
  if (old.length > 0) {
    const connection = await analytics.connect();
    try {
      await tables.commit(history.folder, { base, connection, selects: [], removes: old });
    } finally {
      connection.close();
    }
    await settle(parts, held, signal);
  }
  for (;;) {
    signal.throwIfAborted();
    const gone = await store.write((transaction) =>
      deleteMovedLabels(transaction, { ...history, beforeMs, limit: LABELS_A_CHANGE }),
    );
    if (gone === 0) break;
  }
  return old.reduce((sum, file) => sum + file.rows, 0);
}
