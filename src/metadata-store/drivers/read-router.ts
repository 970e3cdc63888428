import type { ReaderThreads } from "./reader-threads.ts";
import type { StatementResult } from "./sqlite-statements.ts";
import { startCost } from "./statement-cost.ts";

/** A statement that cost so much is answered aside from then on: nobody else is answered meanwhile. */
const SLOW_MS = 4;
/** So many quick answers in a row bring a statement back. */
const QUICK_READS = 200;
const QUICK_MS = 0.5;
const KNOWN_STATEMENTS = 1000;

/** Where the reads of a SQLite file are answered. */
export interface ReadRouter {
  /** Here, if the statement is quick: a thread costs a message each way. Aside, if it was slow. */
  readonly read: (sql: string, parameters: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;
  /** Aside, whatever it takes. */
  readonly readAside: (sql: string, parameters: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;
}

/**
 * Learns by the time that statements take: what was slow once is answered by the reader threads, until it was quick
 * there many times in a row.
 *
 * @param here answers at once, on this thread
 */
export function createReadRouter(
  here: (sql: string, parameters: readonly unknown[]) => StatementResult,
  aside: ReaderThreads,
): ReadRouter {
  /** Statements that were slow, with the quick answers since. */
  const slow = new Map<string, number>();

  async function readAside(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    const { rows, tookMs } = await aside.read(sql, parameters);
    const shape = shapeOf(sql);
    const quick = slow.get(shape);
    if (quick === undefined) return rows;
    if (tookMs > QUICK_MS) slow.set(shape, 0);
    else if (quick + 1 < QUICK_READS) slow.set(shape, quick + 1);
    else slow.delete(shape);
    return rows;
  }

  return {
    readAside,
    async read(sql, parameters) {
      if (slow.size > 0 && slow.has(shapeOf(sql))) return readAside(sql, parameters);
      const cost = startCost();
      const { rows } = here(sql, parameters);
      if (cost() > SLOW_MS) {
        const oldest = slow.keys().next().value;
        if (slow.size >= KNOWN_STATEMENTS && oldest !== undefined) slow.delete(oldest);
        slow.set(shapeOf(sql), 0);
      }
      return rows;
    },
  };
}

/** A statement without the number of values in its lists. */
function shapeOf(sql: string): string {
  return sql.replaceAll(/\?(?:, \?)+/g, "?");
}
