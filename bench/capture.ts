/**
 * Capture of 3,000,000 flights (Parquet) with their contract into a Delta table, against the limit: DuckDB's bare
 * `COPY` of the same
 * file to Parquet, alternating in one process. With `--dlt`, also against dlt from PyPI, which loads the same file into
 * a Delta table.
 *
 * dlt's columnar path looks at no row; with a contract (Pydantic) it goes row by row, measured on the first 200,000
 * rows.
 * Prints one JSON line: medians in seconds and ratios. Target: at least 0.7 of the limit's speed, at least 5 times dlt
 * with a contract.
 */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createCaptureKind, createDatasets, quoteText } from "#data";
import { openMetadataStore, recordAssetVersion } from "#metadata-store";
import { createFileSystemObjectStore } from "#object-store";
import type { AttemptContext } from "#pipeline";
import { testPython } from "../test/setup/python-environment.ts";

const ROUNDS = 5;
const CHECKED_ROWS = 200_000;
const source = fileURLToPath(new URL("../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url));
const contract = fileURLToPath(new URL("../examples/flights/contracts/flights.yaml", import.meta.url));

const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const store = await openMetadataStore(join(folder, "metadata.sqlite"));
const objects = createFileSystemObjectStore(join(folder, "objects"));
const analytics = createAnalytics({ folder: join(folder, "spill") });
const datasets = createDatasets({
  store,
  objects,
  folder: join(folder, "datasets"),
  analytics,
  clock: systemClock,
  log: silentLog,
});
const capture = createCaptureKind({ store, objects, analytics, datasets, folder: join(folder, "datasets") });
await mkdir(join(folder, "project"));
await mkdir(join(folder, "work"));
await copyFile(source, join(folder, "project", "flights.parquet"));
await copyFile(contract, join(folder, "project", "flights.yaml"));

async function captureOnce(step: string): Promise<void> {
  const outcome = await capture.execute({
    declaration: { capture: { files: "flights.parquet" }, contract: "flights.yaml" },
    project: "bench",
    projectFolder: join(folder, "project"),
    pipeline: "bench",
    step,
    pipelineRunId: "r",
    stepRunId: newId(),
    attemptId: newId(),
    attemptNumber: 1,
    actor: "bench",
    commit: undefined,
    params: {},
    inputs: new Map(),
    workFolder: join(folder, "work"),
    signal: new AbortController().signal,
    log: () => {},
    progress: () => {},
    operatorLog: silentLog,
  } as unknown as AttemptContext<never>);
  if (outcome.status !== "succeeded" || outcome.facts?.["published"] !== 2_999_983)
    throw new Error(`captured ${JSON.stringify(outcome)}`);
  await store.write(async (transaction) => {
    await outcome.alsoWrite?.(transaction);
    for (const made of outcome.made)
      await recordAssetVersion(transaction, {
        project: "bench",
        madeAtMs: Date.now(),
        actor: "bench",
        inputs: [],
        ...made,
      });
  });
}

const raw = await analytics.connect();
async function copyOnce(name: string): Promise<void> {
  await raw.run(
    `copy (select * from read_parquet(${quoteText(source)})) to ${quoteText(join(folder, name))} (format parquet)`,
  );
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const limit: number[] = [];
const ours: number[] = [];
await captureOnce("warm");
await copyOnce("warm.parquet");
for (let round = 0; round < ROUNDS; round++) {
  limit.push(await secondsOf(() => copyOnce(`copy-${round}.parquet`)));
  // The contract wants raw_flights; any name does for the only object of its schema.
  ours.push(await secondsOf(() => captureOnce(`flights_${round}`)));
}
const result: Record<string, unknown> = {
  bench: "capture",
  rows: 3_000_000,
  rounds: ROUNDS,
  sourceBytes: (await stat(source)).size,
  seconds: { capture: median(ours), copy: median(limit) },
  speedOfLimit: median(limit) / median(ours),
};

if (process.argv.includes("--dlt")) {
  const found = await testPython(["dlt[deltalake,parquet]", "pyarrow", "pydantic"]);
  if ("problem" in found) throw new Error(found.problem);
  const script = fileURLToPath(new URL("capture-dlt.py", import.meta.url));
  const run = (mode: string, rows: number): number =>
    Number(
      execFileSync(found.python, [script, source, join(folder, `dlt-${newId()}`), mode, String(rows)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      })
        .trim()
        .split("\n")
        .at(-1),
    );
  const columnar = median([run("columnar", 0), run("columnar", 0), run("columnar", 0)]);
  const checked = run("checked", CHECKED_ROWS);
  const ourRate = 3_000_000 / median(ours);
  result["dlt"] = {
    columnarWithoutContract: { seconds: columnar, ratio: columnar / median(ours) },
    checkedRows: { rows: CHECKED_ROWS, seconds: checked, ratio: ourRate / (CHECKED_ROWS / checked) },
  };
}
process.stdout.write(`${JSON.stringify(result)}\n`);
await store.close();
await rm(folder, { recursive: true, force: true });
process.exit(0);
