// A small copy of examples/flights with a store of its own.
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { openSourceFiles } from "../../examples/flights/demo/source-files.ts";
import { weeks } from "../../examples/flights/demo/weeks.ts";
import { runEsteira } from "../setup/command-line.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLE = join(ROOT, "examples/flights");
const FLIGHTS = join(ROOT, "node_modules/vega-datasets/data/flights-3m.parquet");
/** Made once and kept: what is tested is the pipelines, not pip. */
const PYTHON = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "esteira", "test-flights-python");

export interface FlightsProject {
  readonly folder: string;
  readonly store: string;
  /** Token of the reviewer, who is not the author. */
  readonly reviewer: string;
}

/** The weekly files as they are, thinned to a tenth, so that a whole cycle takes seconds. */
export async function writeSourceFiles(folder: string): Promise<void> {
  await (await openSourceFiles(folder)).deliverDamaged();
  const connection = await (
    await DuckDBInstance.create(":memory:", { threads: "2", autoinstall_known_extensions: "false" })
  ).connect();
  // Rows of one week that break the contract in a file that is otherwise good.
  const damaged = (week: string): string =>
    week === "2001-W02"
      ? " UNION ALL SELECT TIMESTAMP '2001-01-09 10:00:00', 2000 + range, 500, 'ATL', 'BOS' FROM range(5)"
      : "";
  for (const { name, startMs, endMs } of weeks.slice(0, 3)) {
    const stamp = (atMs: number): string =>
      `TIMESTAMP '${new Date(atMs).toISOString().replace("T", " ").slice(0, 19)}'`;
    await connection.run(
      `COPY (SELECT * FROM read_parquet('${FLIGHTS}') WHERE date >= ${stamp(startMs)} AND date < ${stamp(endMs)} AND hash(date, origin, destination, delay) % 10 = 0${damaged(name)}) TO '${join(folder, `flights-${name}.parquet`)}' (FORMAT parquet)`,
    );
  }
  connection.closeSync();
}

/**
 * The example with little training, lenient thresholds (a tenth of the rows cannot reach the real ones) and the given
 * source files.
 */
export async function createFlightsProject(folder: string, data: string): Promise<FlightsProject> {
  await cp(EXAMPLE, folder, {
    recursive: true,
    filter: (path) => !path.startsWith(join(EXAMPLE, ".esteira")) && !path.startsWith(join(EXAMPLE, "data")),
  });
  await cp(data, join(folder, "data"), { recursive: true });
  const pipeline = join(folder, "pipelines/delay.yaml");
  const text = (await readFile(pipeline, "utf8"))
    .replace(
      'max_depth: "${{ params.max_depth }}"',
      'max_depth: "${{ params.max_depth }}", sample_rows: 5000, max_iter: 20',
    )
    .replace("roc_auc >= 0.62", "roc_auc >= 0.5")
    .replace("roc_auc >= 0.55", "roc_auc >= 0.4")
    .replace("min_rows: 5000", "min_rows: 300");
  await writeFile(pipeline, text);
  const store = join(folder, ".esteira");
  await mkdir(store);
  await mkdir(PYTHON, { recursive: true });
  await symlink(PYTHON, join(store, "python"));
  const create = async (...words: string[]): Promise<{ readonly token: string }> => {
    const { code, stdout, stderr } = await runEsteira(folder, ["user", "create", ...words, "--json"]);
    if (code !== 0) throw new Error(`esteira user create ${words.join(" ")} failed: ${stdout}${stderr}`);
    return JSON.parse(stdout) as { token: string };
  };
  await create("admin", "--role", "admin");
  return { folder, store, reviewer: (await create("rita", "--role", "reviewer")).token };
}
