/**
 * The log of predictions: what a row takes in the metadata database and in the table that it moves to, how fast rows
 * move, and how long reads of a long history take.
 *
 *     node bench/prediction-log.ts [--moved 100000] [--history 10000000] [--keep FOLDER]
 *
 * Rows are those of a usual model: ten inputs, half of them numbers with many digits, an entity key, one row a request.
 * The history is made by SQL, with the columns and the layout of one that was moved. SQLite.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newId, silentLog, systemClock } from "#base";
import { type Analytics, createAnalytics } from "#data";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import { claimPredictionHistory, recordPredictions, showPredictionHistory } from "#metadata-store/serving";
import { createPredictions, type Predictions } from "#predictions";
import { createFileSystemFiles } from "#storage";
import { createHistoryTables, historyFolder } from "../src/predictions/history-table.ts";

const { values: flags } = parseArgs({
  options: {
    moved: { type: "string", default: "100000" },
    history: { type: "string", default: "10000000" },
    keep: { type: "string" },
  },
});
const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;
const LONG = { ...KEY, endpoint: "long" } as const;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const DAYS = 100;
const ROWS_A_WRITE = 500;
const { signal } = new AbortController();
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const ORIGINS = ["ATL", "JFK", "ORD", "DFW", "DEN", "LAX", "SFO", "SEA", "MIA", "BOS"];

const folder = flags.keep ?? (await mkdtemp(join(tmpdir(), "prediction-log-")));
const file = join(folder, "metadata.sqlite");
const store = await openMetadataStore(file);
const analytics = createAnalytics({ folder: join(folder, "spill"), memoryBytes: 1 << 30 });
const files = createFileSystemFiles({ root: join(folder, "tables"), allowsLinks: true });
const predictions = createPredictions({ store, analytics, files, log: silentLog });
try {
  await measureMove(store, predictions, Number(flags.moved));
  if (Number(flags.history) > 0) {
    await makeHistory(store, analytics, Number(flags.history));
    await measureReads(predictions, Number(flags.history));
  }
} finally {
  await store.close();
  analytics.close();
  if (flags.keep === undefined) await rm(folder, { recursive: true, force: true });
}

async function measureMove(of: MetadataStore, log: Predictions, rows: number): Promise<void> {
  const before = await sizeOf(file);
  let startMs = performance.now();
  for (let start = 0; start < rows; start += ROWS_A_WRITE)
    await of.write((transaction) =>
      recordPredictions(
        transaction,
        Array.from({ length: Math.min(ROWS_A_WRITE, rows - start) }, (_, index) => usualRow(start + index)),
      ),
    );
  say(
    `metadata database: ${Math.round(((await sizeOf(file)) - before) / rows)} bytes a row, ${rate(rows, startMs)} rows/s in writes of ${ROWS_A_WRITE}`,
  );
  startMs = performance.now();
  const cpu = process.cpuUsage();
  const [moved] = await log.move({ project: "p", ageMs: 0, signal });
  const { user, system } = process.cpuUsage(cpu);
  const each = ((user + system) / rows).toFixed(0);
  say(
    `table: ${((moved?.sizeBytes ?? 0) / rows).toFixed(1)} bytes a row in ${moved?.files} files; moved ${rate(rows, startMs)} rows/s, ${each} µs of processor time a row`,
  );
}

function usualRow(row: number): Parameters<typeof recordPredictions>[1][number] {
  const atMs = START_MS + row * 40;
  return {
    ...KEY,
    id: newId(atMs),
    modelVersionId: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
    arm: "stable",
    atMs,
    receivedAtMs: atMs + 1,
    requestId: newId(atMs),
    features: JSON.stringify({
      distance: 100 + ((row * 7919) % 2900),
      hour: row % 24,
      weekday: row % 7,
      month: 1 + (row % 12),
      origin: ORIGINS[(row * 31) % 10],
      destination: ORIGINS[(row * 17) % 10],
      carrier: ["AA", "DL", "UA", "WN"][row % 4],
      wind: Math.round(Math.random() * 400) / 10,
      delay_rate_7d: Math.random(),
      seats: 50 + (row % 150),
    }),
    context: undefined,
    prediction: Math.random(),
    predictionText: undefined,
    entityKey: `flight-${row}`,
    featureStatus: undefined,
  };
}

/** Rows spread over days, a file a day. */
async function makeHistory(of: MetadataStore, by: Analytics, rows: number): Promise<void> {
  const startMs = performance.now();
  const tables = createHistoryTables({ analytics: by, files, clock: systemClock });
  const tableFolder = historyFolder(LONG);
  const connection = await by.connect();
  const perDay = Math.ceil(rows / DAYS);
  const step = DAY_MS / perDay;
  const selects = Array.from({ length: DAYS }, (_, day) => {
    const from = START_MS + day * DAY_MS;
    return `select '01K' || lpad(upper(to_base(${from} + cast(n * ${step} as bigint), 32)), 9, '0') || upper(substr(md5(n::varchar), 1, 14)) as id,
      '01JZZZZZZZZZZZZZZZZZZZZZZZ' as model_version_id, 'stable' as arm, ${from} + cast(n * ${step} as bigint) as at_ms,
      ${from} + cast(n * ${step} as bigint) + 1 as received_at_ms, '01K' || substr(md5((n + 7)::varchar), 1, 23) as request_id,
      '{"distance":' || (100 + n * 7919 % 2900) || ',"hour":' || (n % 24) || ',"origin":"ATL","delay_rate_7d":' || random() || '}' as features,
      null::varchar as context, random() as prediction, null::varchar as prediction_text, 'flight-' || (${day * perDay} + n) as entity_key, null::varchar as feature_status
      from range(${perDay}) t(n) order by at_ms, id`;
  });
  const version = await tables.commit(tableFolder, { base: undefined, connection, selects, removes: [] });
  connection.close();
  await of.write(async (transaction) => {
    await claimPredictionHistory(transaction, { ...LONG, folder: tableFolder, holder: "bench", nowMs: 1, untilMs: 1 });
    await showPredictionHistory(transaction, { ...LONG, deltaVersion: version });
    await transaction.updateTable("prediction_history").set({ cleared_version: version }).execute();
    const counted = { ...LONG, model_version_id: "01JZZZZZZZZZZZZZZZZZZZZZZZ", arm: "stable" as const, labelled: 0 };
    for (let hour = 0; hour < DAYS * 24; hour++)
      await transaction
        .insertInto("prediction_hour")
        .values({
          ...counted,
          hour_ms: START_MS + hour * 3_600_000,
          predictions: Math.ceil(perDay / 24),
          corrections: 0,
          last_received_at_ms: START_MS,
          revision: 1,
        })
        .execute();
  });
  say(`made a history of ${rows} rows in ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
}

async function measureReads(log: Predictions, rows: number): Promise<void> {
  const first = await log.list({ ...LONG, limit: 101 });
  const some = await log.list({ ...LONG, toMs: START_MS + (DAYS / 2) * DAY_MS, limit: 101 });
  const last = some.at(-1);
  if (last === undefined || first.length === 0) throw new Error("the history is empty");
  const before = [last.atMs, last.id] as const;
  await median("first page of a list", () => log.list({ ...LONG, limit: 101 }));
  await median("a page in the middle", () => log.list({ ...LONG, before, limit: 101 }));
  await median("first page without a label", () => log.list({ ...LONG, labelled: false, limit: 101 }));
  await median("first page of a version", () => log.list({ ...LONG, modelVersionId: last.modelVersionId, limit: 101 }));
  await median("one by its id", () => log.get(last.id));
  const ids = some.map(({ id }) => ({ id, label: 1 }));
  const batch = { ...LONG, receivedAtMs: Date.now(), actor: "bench" };
  await median("101 labels by id", () => log.recordLabels({ ...batch, labels: ids }), 5);
  const keys = some.map(({ entityKey, atMs }) => ({ entityKey: entityKey ?? "", label: 0, atMs: atMs + 1 }));
  await median("101 labels by entity key, of the middle", () => log.recordLabels({ ...batch, labels: keys }), 3);
  const startMs = performance.now();
  let scanned = 0;
  let peak = 0;
  for await (const part of log.scan({ ...LONG, fromMs: START_MS, toMs: START_MS + 7 * DAY_MS })) {
    scanned += part.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  say(`a window of a week: ${scanned} rows, ${rate(scanned, startMs)} rows/s, at most ${peak >> 20} MB`);
  say(`of ${rows} rows`);
}

async function median(name: string, work: () => Promise<unknown>, times = 15): Promise<void> {
  const taken: number[] = [];
  for (let time = 0; time < times; time++) {
    const startMs = performance.now();
    await work();
    taken.push(performance.now() - startMs);
  }
  taken.sort((left, right) => left - right);
  say(`${name}: ${(taken[times >> 1] ?? 0).toFixed(1)} ms (${(taken.at(-1) ?? 0).toFixed(1)} at most)`);
}

function rate(rows: number, startMs: number): string {
  return String(Math.round((rows / (performance.now() - startMs)) * 1000));
}

async function sizeOf(path: string): Promise<number> {
  const sizes = await Promise.all([path, `${path}-wal`].map((each) => stat(each).catch(() => ({ size: 0 }))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}
