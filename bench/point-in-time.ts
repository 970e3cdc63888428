// Point-in-time join of 1,000,000 rows against 10,000,000 feature rows: esteira, raw DuckDB ASOF, Feast (dask) where it
// can be installed.
// Usage: node bench/point-in-time.ts [--rows 1000000] [--features 10000000] [--keys 100000] [--runs 3] [--feast]
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAnalytics } from "#data";
import { joinPointInTime, type JoinedView } from "#features";
import { testCache } from "../test/setup/cache-folder.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    features: { type: "string", default: "10000000" },
    keys: { type: "string", default: "100000" },
    runs: { type: "string", default: "3" },
    feast: { type: "boolean", default: false },
  },
});
const runs = Number(values.runs);
const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
const analytics = createAnalytics({ folder: join(folder, "spill") });
const connection = await analytics.connect();
const spineFile = join(folder, "spine.parquet");
const sourceFile = join(folder, "source.parquet");
const day = 86_400;
await connection.run(
  `copy (select i::bigint as id, (hash(i) % ${values.keys})::bigint as k, timestamp '2026-01-01' + to_seconds((hash(i + 7) % ${60 * day})::bigint) as t, i % 5 = 0 as late from range(${values.rows}) r(i)) to '${spineFile}' (format parquet)`,
);
await connection.run(
  `copy (select (i % ${values.keys})::bigint as k, timestamp '2025-12-25' + to_seconds(((i // ${values.keys}) * ${Math.floor((67 * day) / (Number(values.features) / Number(values.keys)))} + hash(i) % 600)::bigint) as ts, random() as x, i::bigint as y from range(${values.features}) r(i)) to '${sourceFile}' (format parquet)`,
);
const view: JoinedView = {
  view: "v",
  alias: "v",
  source: "source",
  keys: [{ spine: "k", source: "k" }],
  timestamp: "ts",
  created: null,
  availableAfterUs: 0,
  ttlUs: 0,
  features: [
    { column: "x", name: "x" },
    { column: "y", name: "y" },
  ],
};

interface Timing {
  readonly wall: number;
  /** Of this process: what a machine that is busy with other work changes least. */
  readonly cpu: number;
}

async function timed(work: () => Promise<void>): Promise<Timing> {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const used = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, cpu: (used.user + used.system) / 1e6 };
}

function medians(timings: readonly Timing[]): Timing {
  return { wall: median(timings.map(({ wall }) => wall)), cpu: median(timings.map(({ cpu }) => cpu)) };
}

function median(seconds: readonly number[]): number {
  return [...seconds].sort((left, right) => left - right)[Math.floor(seconds.length / 2)] ?? Number.NaN;
}

const output = join(folder, "out.parquet");
const ourTimings: Timing[] = [];
const rawTimings: Timing[] = [];
for (let run = 0; run < runs; run++) {
  // Taken in turns, so that a busy machine is busy for both. Both write what they join.
  rawTimings.push(
    await timed(() =>
      connection.run(
        `copy (select s.*, f.x, f.y from read_parquet('${spineFile}') s asof left join read_parquet('${sourceFile}') f on s.k = f.k and s.t >= f.ts) to '${output}' (format parquet)`,
      ),
    ),
  );
  ourTimings.push(
    await timed(async () => {
      const rows = await joinPointInTime({
        connection,
        spine: { name: "spine", relation: `read_parquet('${spineFile}')`, timestamp: "t" },
        views: [{ joined: view, relation: `read_parquet('${sourceFile}')`, unique: true }],
      });
      await connection.run(`copy (${rows.select()}) to '${output}' (format parquet)`);
      await rows.drop();
    }),
  );
}
const perKey = Math.round(Number(values.features) / Number(values.keys));
console.log(
  `point-in-time join, ${values.rows} rows against ${values.features} (${perKey} per key), median of ${runs}`,
);
const [ours, raw] = [medians(ourTimings), medians(rawTimings)];
console.log(`  esteira           ${ours.wall.toFixed(2)} s wall, ${ours.cpu.toFixed(2)} s CPU`);
console.log(
  `  raw DuckDB ASOF   ${raw.wall.toFixed(2)} s wall, ${raw.cpu.toFixed(2)} s CPU   ratio ${(raw.wall / ours.wall).toFixed(2)} wall, ${(raw.cpu / ours.cpu).toFixed(2)} CPU (at least 0.7)`,
);
if (values.feast) await compareWithFeast();
connection.close();
analytics.close();
await rm(folder, { recursive: true, force: true });

/** Feast's local stores, in an environment of their own that is kept between runs. */
async function compareWithFeast(): Promise<void> {
  const environment = join(testCache(), "bench-feast");
  if (!existsSync(join(environment, "bin", "feast"))) {
    console.log("  installing feast (once)");
    spawnSync("python3", ["-m", "venv", environment], { stdio: "inherit" });
    const installed = spawnSync(join(environment, "bin", "pip"), ["install", "--quiet", "feast[duckdb]"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (installed.status !== 0)
      return console.log(`  feast cannot be installed: ${installed.stderr.toString().slice(-300)}`);
  }
  for (const store of ["duckdb", "dask"]) {
    const repository = join(folder, store);
    await mkdir(repository);
    await writeFile(
      join(repository, "feature_store.yaml"),
      `project: bench\nregistry: registry.db\nprovider: local\noffline_store: { type: ${store} }\nonline_store: { type: sqlite, path: online.db }\nentity_key_serialization_version: 3\n`,
    );
    await writeFile(
      join(repository, "run.py"),
      `import time, pandas as pd
from datetime import timedelta
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64
fs = FeatureStore(repo_path=".")
k = Entity(name="k", join_keys=["k"], value_type=ValueType.INT64)
source = FileSource(path="${sourceFile}", timestamp_field="ts")
v = FeatureView(name="v", entities=[k], ttl=timedelta(days=3650), schema=[Field(name="k", dtype=Int64), Field(name="x", dtype=Float64), Field(name="y", dtype=Int64)], source=source)
fs.apply([k, v])
spine = pd.read_parquet("${spineFile}").rename(columns={"t": "event_timestamp"})
spine["event_timestamp"] = spine["event_timestamp"].dt.tz_localize("UTC")
start = time.perf_counter()
out = fs.get_historical_features(entity_df=spine, features=["v:x", "v:y"]).to_df()
out.to_parquet("out.parquet")
print(time.perf_counter() - start, len(out))
`,
    );
    const result = spawnSync(join(environment, "bin", "python"), ["run.py"], { cwd: repository, timeout: 600_000 });
    const [seconds, rows] = (result.stdout.toString().trim().split("\n").at(-1) ?? "").split(" ").map(Number);
    if (result.status !== 0 || seconds === undefined || rows === undefined)
      console.log(`  Feast ${store}: failed: ${result.stderr.toString().trim().split("\n").at(-1) ?? "no output"}`);
    else
      console.log(
        `  Feast ${store.padEnd(11)} ${seconds.toFixed(2)} s   ratio ${(seconds / ours.wall).toFixed(2)} (rows out ${rows})`,
      );
  }
}
