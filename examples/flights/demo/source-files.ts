import { access, mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Week } from "./weeks.ts";

const FLIGHTS = resolve(import.meta.dirname, "../../../node_modules/vega-datasets/data/flights-3m.parquet");

/** What arrives from the airlines: the half year cut into weekly files, as a real feed would deliver them. */
export interface SourceFiles {
  /** Puts a week's file where the pipeline captures from; nothing when it is there already. */
  deliver(week: Week): Promise<void>;
  /** Puts the deliberately damaged file there. */
  deliverDamaged(): Promise<void>;
  /** Flights of a week for prediction: a random sample, the same at every call. */
  sample(week: Week, rows: number): Promise<readonly Flight[]>;
}

export interface Flight {
  /** Stable key of the flight: `2001-W14-000017`. */
  readonly id: string;
  /** Local departure time, epoch milliseconds. */
  readonly atMs: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
  /** Minutes; known only after the flight. */
  readonly delay: number;
}

/** @param folder absolute folder that the capture step reads */
export async function openSourceFiles(folder: string): Promise<SourceFiles> {
  await mkdir(folder, { recursive: true });
  const connection = await (
    await DuckDBInstance.create(":memory:", { threads: "2", autoinstall_known_extensions: "false" })
  ).connect();
  const between = (week: Week): string =>
    `date >= TIMESTAMP '${stamp(week.startMs)}' AND date < TIMESTAMP '${stamp(week.endMs)}'`;
  return {
    async deliver(week) {
      const file = join(folder, `flights-${week.name}.parquet`);
      if (await exists(file)) return;
      // Written under another name first: a feed that is seen half-written is a classic cause of lost rows.
      const partial = join(folder, `.${week.name}.partial`);
      await connection.run(
        `COPY (SELECT * FROM read_parquet('${FLIGHTS}') WHERE ${between(week)}) TO '${partial}' (FORMAT parquet)`,
      );
      await rename(partial, file);
    },
    async deliverDamaged() {
      const file = join(folder, "flights-damaged.csv");
      if (await exists(file)) return;
      await writeFile(file, damagedRows);
    },
    async sample(week, rows) {
      // Ordered by a hash, not by a random number: the demo sends the same flights each time it is run.
      const reader = await connection.runAndReadAll(
        `WITH numbered AS (SELECT *, row_number() OVER () AS number FROM read_parquet('${FLIGHTS}') WHERE ${between(week)})
         SELECT epoch_ms(date) AS at_ms, delay, distance, origin, destination, number FROM numbered ORDER BY hash(number, '${week.name}') LIMIT ${rows}`,
      );
      return reader.getRowObjectsJson().map((row) => ({
        id: `${week.name}-${String(Number(row["number"])).padStart(6, "0")}`,
        atMs: Number(row["at_ms"]),
        distance: Number(row["distance"]),
        origin: row["origin"] as string,
        destination: row["destination"] as string,
        delay: Number(row["delay"]),
      }));
    },
  };
}

/** Every way that a hand-edited file goes wrong, one line each; not one row of it can be used. */
const damagedRows = [
  "date,delay,distance,origin,destination",
  "2001-02-30 10:00:00,5,731,ATL,BOS",
  "2001-02-12 09:15:00,late,731,ATL,BOS",
  "2001-02-12 09:20:00,12,-731,ATL,BOS",
  "2001-02-12 09:25:00,12,731,atlanta,BOS",
  "2001-02-12 09:30:00,12,731,ATL,",
  "2001-02-12 09:35:00,12,731,BOS,BOS",
  "2091-02-12 09:40:00,12,731,ATL,BOS",
  "2001-02-12 09:45:00,12",
  "2001-02-12 09:50:00,12,731,ATL,BOS,extra,columns",
  "2001-02-12 09:55:00,99999,731,ATL,BOS",
  "",
].join("\n");

function stamp(atMs: number): string {
  return new Date(atMs).toISOString().replace("T", " ").slice(0, 19);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
