/**
 * Many small appends to one dataset: does one cost the same after 2,000 as at first? Each appends 50 rows of four
 * columns as a version of its own; beside each, plain DuckDB writes the same rows as one Parquet file. Medians of the
 * first, the middle and the last hundred, and their ratios; bytes of the log and of the data that versions can be read
 * from; files that the latest version opens. Targets: last at most 1.5 times the first, log at most 5 MB, at most 65
 * files. Usage: node bench/append.ts [--appends 2000]. Prints one JSON line.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, quoteText } from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { type Cost, costOf, medianCost } from "./capture-project.ts";

const { values } = parseArgs({ options: { appends: { type: "string", default: "2000" } } });
const appends = Number(values.appends);
const WINDOW = Math.min(100, Math.floor(appends / 3));

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const store = await openMetadataStore(join(folder, "metadata.sqlite"));
const analytics = createAnalytics({ folder: join(folder, "spill") });
const datasets = createDatasets({
  store,
  objects: createFileSystemBlobs(join(folder, "objects")),
  files: createFileSystemFiles({ root: join(folder, "datasets") }),
  analytics,
  clock: systemClock,
  log: silentLog,
});
const connection = await analytics.connect();

function rowsOf(number: number): string {
  return `select ${number} * 50 + i as id, 'name ' || i as name, i / 7.0 as x, date '2020-01-01' + ${number} as day from range(50) t(i)`;
}

async function appendOnce(number: number): Promise<void> {
  const write = {
    project: "bench",
    asset: "d",
    operationId: newId(),
    disposition: "append" as const,
    connection,
    select: rowsOf(number),
  };
  const made = await datasets.write(write);
  await store.write(async (transaction) => {
    await datasets.settle(transaction, write);
    return recordAssetVersion(transaction, {
      project: "bench",
      madeAtMs: Date.now(),
      actor: "bench",
      inputs: [],
      ...made,
    });
  });
}

async function bytesIn(path: string): Promise<{ readonly bytes: number; readonly files: number }> {
  const entries = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(entries.map(async ({ name }) => (await stat(join(path, name))).size));
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), files: sizes.length };
}

function around(costs: readonly Cost[], middle: number): Cost {
  const start = Math.max(0, Math.min(costs.length - WINDOW, middle - WINDOW / 2));
  const { seconds, processorSeconds } = medianCost(costs.slice(start, start + WINDOW));
  return { seconds, processorSeconds };
}

const [ours, plain]: [Cost[], Cost[]] = [[], []];
for (let number = 0; number < appends; number++) {
  ours.push(await costOf(() => appendOnce(number)));
  const path = join(folder, "plain.parquet");
  plain.push(await costOf(() => connection.run(`copy (${rowsOf(number)}) to ${quoteText(path)} (format parquet)`)));
}
const [first, middle, last] = [0, appends / 2, appends].map((place) => around(ours, place)) as [Cost, Cost, Cost];
const limit = around(plain, appends);
const table = join(folder, "datasets/d");
const [log, data] = [await bytesIn(join(table, "_delta_log")), await bytesIn(table)];
const { filesBefore } = await datasets.compact({ project: "bench", asset: "d" });
process.stdout.write(
  `${JSON.stringify({
    bench: "append",
    appends,
    first,
    middle,
    last,
    plain: limit,
    lastByFirst: last.seconds / first.seconds,
    processorLastByFirst: last.processorSeconds / first.processorSeconds,
    lastByPlain: last.seconds / limit.seconds,
    log,
    data,
    logByData: log.bytes / data.bytes,
    filesOpened: filesBefore,
  })}\n`,
);
connection.close();
await store.close();
await rm(folder, { recursive: true, force: true });
process.exit(0);
