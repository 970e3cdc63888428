/**
 * Many small appends to one dataset: does one cost the same after 2,000 as at first? `--appends N` makes fewer. Each
 * appends 50 rows of four columns as a version of its own. Prints one JSON line: medians in milliseconds of the first
 * and the last hundred, their ratio, bytes and files of the log, and the files that the latest version opens. Target:
 * ratio at most 1.5, log at most 5 MB, at most 65 files.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemObjectStore } from "#object-store";

const at = process.argv.indexOf("--appends");
const appends = at < 0 ? 2_000 : Number(process.argv[at + 1]);
const WINDOW = Math.min(100, Math.floor(appends / 2));

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const store = await openMetadataStore(join(folder, "metadata.sqlite"));
const analytics = createAnalytics({ folder: join(folder, "spill") });
const datasets = createDatasets({
  store,
  objects: createFileSystemObjectStore(join(folder, "objects")),
  folder: join(folder, "datasets"),
  analytics,
  clock: systemClock,
  log: silentLog,
});
const connection = await analytics.connect();

async function appendOnce(number: number): Promise<number> {
  const start = performance.now();
  const write = {
    project: "bench",
    asset: "d",
    operationId: newId(),
    disposition: "append" as const,
    connection,
    select: `select ${number} * 50 + i as id, 'name ' || i as name, i / 7.0 as x, date '2020-01-01' + ${number} as day from range(50) t(i)`,
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
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const times: number[] = [];
for (let number = 0; number < appends; number++) times.push(await appendOnce(number));
const log = join(folder, "datasets/d/_delta_log");
const names = await readdir(log);
const sizes = await Promise.all(names.map(async (name) => (await stat(join(log, name))).size));
const [first, last] = [median(times.slice(0, WINDOW)), median(times.slice(-WINDOW))];
const { filesBefore } = await datasets.compact({ project: "bench", asset: "d" });
process.stdout.write(
  `${JSON.stringify({ bench: "append", appends, milliseconds: { first, last }, ratio: last / first, logBytes: sizes.reduce((sum, size) => sum + size, 0), logFiles: names.length, filesOpened: filesBefore })}\n`,
);
connection.close();
await store.close();
await rm(folder, { recursive: true, force: true });
process.exit(0);
