import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { ReaderAnswer, ReaderRequest } from "./reader-messages.ts";
import { createStatements } from "./sqlite-statements.ts";
import { startCost } from "./statement-cost.ts";

/*
 * Answers statements that take long, one at a time, by a connection of its own that can only read.
 */

/** Rows of one message: taking it keeps the main thread for less than a millisecond. */
const ROWS_PER_MESSAGE = 500;

const { file, timeoutMs } = workerData as { readonly file: string; readonly timeoutMs: number };
const database = new DatabaseSync(file, { timeout: timeoutMs });
database.exec("pragma query_only=on; pragma cache_size=-32768; pragma temp_store=memory");
const run = createStatements(database, { rowByRow: true });
let left: Record<string, unknown>[] = [];
let tookMs = 0;

parentPort?.on("message", (request: ReaderRequest) => parentPort?.postMessage(answer(request)));

function answer(request: ReaderRequest): ReaderAnswer {
  try {
    if (request.kind === "read") {
      const cost = startCost();
      left = run(request.sql, request.parameters).rows;
      tookMs = cost();
    }
    const rows = left.slice(0, ROWS_PER_MESSAGE);
    left = left.slice(ROWS_PER_MESSAGE);
    return { ok: true, rows, more: left.length > 0, tookMs };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { ok: false, message, code };
  }
}
