/**
 * Capture into a Delta table, against the limit: plain DuckDB reads the same files and writes Parquet, alternating in
 * one process. Four cases:
 *
 * - `rows`: 3,000,000 flights (Parquet) with their contract. Target: at least 0.7 of the limit's speed.
 * - `wide`: a CSV of 500 columns and 5,000 rows. Target: at most 2 times the limit.
 * - `files`: 300 CSV files of 10 rows. Target: at most 4 times the limit.
 * - `large`: a CSV of 2 GB, each side in a process of its own. Target: at most 1 GB of memory at its peak.
 *
 * With `--dlt`, `rows` also runs against dlt from PyPI, which loads the same file into a Delta table: its columnar path
 * looks at no row; with a contract (Pydantic) it goes row by row, measured on the first 200,000 rows.
 * Usage: node bench/capture.ts [--only rows,wide,files,large] [--rounds 5] [--columns 500] [--files 300]
 * [--megabytes 2000] [--dlt]. Prints one JSON line for each case: medians in seconds, ratios, peaks of memory in MB.
 */
import { execFileSync } from "node:child_process";
import { copyFile, link, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { newId } from "#base";
import { createAnalytics, quoteText } from "#data";
import { testPython } from "../test/setup/python-environment.ts";
import { type CaptureProject, type Cost, costOf, median, medianCost, openCaptureProject } from "./capture-project.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "rows,wide,files,large" },
    rounds: { type: "string", default: "5" },
    columns: { type: "string", default: "500" },
    files: { type: "string", default: "300" },
    megabytes: { type: "string", default: "2000" },
    dlt: { type: "boolean", default: false },
    /** One side of `large`, in a process of its own. */
    side: { type: "string" },
    source: { type: "string", default: "" },
    rows: { type: "string", default: "0" },
  },
});
const ROUNDS = Number(options.rounds);
const CHECKED_ROWS = 200_000;
const flights = fileURLToPath(new URL("../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url));
const contract = fileURLToPath(new URL("../examples/flights/contracts/flights.yaml", import.meta.url));

interface Case {
  readonly declaration: Readonly<Record<string, unknown>>;
  readonly rows: number;
  /** What plain DuckDB reads. */
  readonly read: string;
}

interface Compared {
  readonly capture: Cost;
  readonly copy: Cost;
  /** The median of capture by that of copy. */
  readonly times: number;
  readonly processorTimes: number;
}

async function compare({ capture, raw, folder }: CaptureProject, of: Case): Promise<Compared> {
  const costs: { readonly capture: Cost[]; readonly copy: Cost[] } = { capture: [], copy: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    const copy = await costOf(() =>
      raw.run(`copy (select * from ${of.read}) to ${quoteText(join(folder, `${newId()}.parquet`))} (format parquet)`),
    );
    // A contract of one table takes any name for it.
    const captured = await costOf(() => capture(`captured_${round}`, of.declaration, of.rows));
    if (round === 0) continue;
    costs.copy.push(copy);
    costs.capture.push(captured);
  }
  const [ours, limit] = [medianCost(costs.capture), medianCost(costs.copy)];
  return {
    capture: ours,
    copy: limit,
    times: ours.seconds / limit.seconds,
    processorTimes: ours.processorSeconds / limit.processorSeconds,
  };
}

function print(result: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ bench: "capture", ...result })}\n`);
}

async function benchRows(project: CaptureProject): Promise<void> {
  await copyFile(flights, join(project.sources, "flights.parquet"));
  await copyFile(contract, join(project.sources, "flights.yaml"));
  const compared = await compare(project, {
    declaration: { capture: { files: "flights.parquet" }, contract: "flights.yaml" },
    rows: 2_999_983,
    read: `read_parquet(${quoteText(flights)})`,
  });
  print({
    case: "rows",
    rows: 3_000_000,
    rounds: ROUNDS,
    sourceBytes: (await stat(flights)).size,
    ...compared,
    speedOfLimit: 1 / compared.times,
    ...(options.dlt ? { dlt: await benchDlt(project.folder, compared.capture.seconds) } : {}),
  });
}

async function benchDlt(folder: string, ourSeconds: number): Promise<Record<string, unknown>> {
  const found = await testPython(["dlt[deltalake,parquet]", "pyarrow", "pydantic"]);
  if ("problem" in found) throw new Error(found.problem);
  const script = fileURLToPath(new URL("capture-dlt.py", import.meta.url));
  const run = (mode: string, rows: number): number =>
    Number(
      execFileSync(found.python, [script, flights, join(folder, `dlt-${newId()}`), mode, String(rows)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      })
        .trim()
        .split("\n")
        .at(-1),
    );
  const columnar = median([run("columnar", 0), run("columnar", 0), run("columnar", 0)]);
  const checked = run("checked", CHECKED_ROWS);
  return {
    columnarWithoutContract: { seconds: columnar, ratio: columnar / ourSeconds },
    checkedRows: {
      rows: CHECKED_ROWS,
      seconds: checked,
      ratio: 3_000_000 / ourSeconds / (CHECKED_ROWS / checked),
    },
  };
}

async function benchWide(project: CaptureProject): Promise<void> {
  const columns = Number(options.columns);
  const rows = 5_000;
  const path = join(project.sources, "wide.csv");
  // A fifth each: whole numbers, few whole numbers, fractions, texts, dates.
  const kinds = [
    (n: number) => `i * ${n + 1}`,
    (n: number) => `(i + ${n}) % 17`,
    (n: number) => `round((hash(i + ${n}) % 1000000) / 997.0, 4)`,
    (n: number) => `'text ' || hash(i * ${n + 1}) % 500`,
    (n: number) => `date '2020-01-01' + ((i + ${n}) % 1500)::INTEGER`,
  ];
  const list = Array.from({ length: columns }, (_, n) => `${kinds[n % kinds.length]?.(n)} as c${n}`);
  await project.raw.run(
    `copy (select ${list.join(", ")} from range(${rows}) t(i)) to ${quoteText(path)} (format csv, header)`,
  );
  const compared = await compare(project, {
    declaration: { capture: { files: "wide.csv" } },
    rows,
    read: `read_csv(${quoteText(path)})`,
  });
  print({ case: "wide", columns, rows, rounds: ROUNDS, ...compared });
}

async function benchFiles(project: CaptureProject): Promise<void> {
  const count = Number(options.files);
  await mkdir(join(project.sources, "days"));
  for (let number = 0; number < count; number++) {
    const lines = Array.from(
      { length: 10 },
      (_, row) =>
        `${number * 10 + row},2020-01-${String(1 + row).padStart(2, "0")},name ${row},${row / 7},${row % 2 === 0}`,
    );
    await writeFile(
      join(project.sources, "days", `${String(number).padStart(6, "0")}.csv`),
      `id,day,name,x,ok\n${lines.join("\n")}\n`,
    );
  }
  const compared = await compare(project, {
    declaration: { capture: { files: "days/*.csv" } },
    rows: count * 10,
    read: `read_csv(${quoteText(join(project.sources, "days/*.csv"))})`,
  });
  print({ case: "files", files: count, rounds: ROUNDS, ...compared });
}

async function benchLarge(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  try {
    const analytics = createAnalytics({ folder: join(folder, "spill") });
    const connection = await analytics.connect();
    const source = join(folder, "large.csv");
    // About 77 bytes a row.
    const rows = Math.round((Number(options.megabytes) * 1e6) / 77);
    await connection.run(
      `copy (select i as id, timestamp '2020-01-01' + to_seconds(i) as at, 'customer ' || hash(i) % 100000 as customer, round((hash(i) % 10000000) / 997.0, 3) as amount, i % 100 as store, 'remark ' || hash(i + 1) % 1000000 as remark, i % 3 = 0 as paid from range(${rows}) t(i)) to ${quoteText(source)} (format csv, header)`,
    );
    connection.close();
    analytics.close();
    const run = (side: string): Cost & { readonly peakMegabytes: number } =>
      JSON.parse(
        execFileSync(
          process.execPath,
          [
            ...process.execArgv,
            fileURLToPath(import.meta.url),
            "--side",
            side,
            "--source",
            source,
            "--rows",
            String(rows),
          ],
          { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
        ),
      ) as Cost & { readonly peakMegabytes: number };
    const [copy, capture] = [run("copy"), run("capture")];
    print({
      case: "large",
      sourceBytes: (await stat(source)).size,
      rows,
      capture,
      copy,
      times: capture.seconds / copy.seconds,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The kernel's highest mark of this process is of the one side only. */
async function runSide(side: string): Promise<void> {
  const project = await openCaptureProject();
  const source = join(project.sources, "large.csv");
  await link(options.source, source);
  const cost = await costOf(() =>
    side === "capture"
      ? project.capture("large", { capture: { files: "large.csv" } }, Number(options.rows))
      : project.raw.run(
          `copy (select * from read_csv(${quoteText(options.source)})) to ${quoteText(join(project.folder, "large.parquet"))} (format parquet)`,
        ),
  );
  const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  await project.close();
  process.stdout.write(JSON.stringify({ ...cost, peakMegabytes }));
}

const CASES: Readonly<Record<string, (project: CaptureProject) => Promise<void>>> = {
  rows: benchRows,
  wide: benchWide,
  files: benchFiles,
};

if (options.side === undefined) {
  for (const name of options.only.split(",")) {
    if (name === "large") await benchLarge();
    else {
      const project = await openCaptureProject();
      await CASES[name]?.(project);
      await project.close();
    }
  }
} else await runSide(options.side);
process.exit(0);
