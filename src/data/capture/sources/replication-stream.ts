import type { Duplex, DuplexOptions } from "node:stream";
import type { Submittable } from "pg";
import { isEsteiraError } from "#base";
import { replicationBusy } from "../../source-errors.ts";
import { errorCode } from "./error-code.ts";
import { type LogMessage, readLogMessage } from "./pgoutput.ts";
import { formatLogPosition } from "./log-position.ts";
import { type PostgresConnection, queryError, quote, quoteLiteral } from "./postgres.ts";

declare module "pg-copy-streams" {
  /** Its types do not have it. Chunks that are read are whole messages. */
  export function both(
    text: string,
    options: DuplexOptions & { readonly alignOnCopyDataFrame: boolean },
  ): Duplex & Submittable;
}

/** How often the server is told that we are there, and asked how far it is. */
const STATUS_EVERY_MS = 500;
/** Soon, where nothing is to be sent and the answer alone ends the reading. */
const FIRST_STATUS_MS = 20;
const LOG_DATA = "w".charCodeAt(0);
const KEEPALIVE = "k".charCodeAt(0);
const LOG_DATA_HEADER_BYTES = 25;
const STATUS = "r".charCodeAt(0);
const STATUS_BYTES = 34;
const POSITION_BYTES = 8;

/** SQLSTATE `object_in_use`. */
const IN_USE = "55006";

export interface LogSpan {
  readonly slot: string;
  readonly publication: string;
  /** Transactions whose commit begins here or behind. */
  readonly from: bigint;
  /** And before this. */
  readonly to: bigint;
  /** The slot is told that what is before is kept elsewhere, and need not be sent again. */
  readonly durable: bigint;
  readonly source: string;
}

/**
 * Messages of whole transactions, in the order of their commits; ends when the server is beyond the span.
 *
 * @param take answers with a promise where the next message must wait
 *
 * @param connection of replication; it can be closed afterwards, and nothing else
 * @throws DATA_SOURCE_UNREACHABLE, DATA_SOURCE_QUERY_FAILED
 */
export async function readLog(
  { client }: PostgresConnection,
  span: LogSpan,
  take: (message: LogMessage) => Promise<void> | undefined,
): Promise<void> {
  const { both } = await import("pg-copy-streams");
  const stream = client.query(
    both(
      `START_REPLICATION SLOT ${quote(span.slot)} LOGICAL ${formatLogPosition(span.from)} (proto_version '1', publication_names ${quoteLiteral(quote(span.publication))})`,
      { alignOnCopyDataFrame: true, readableObjectMode: true },
    ),
  );
  const tell = (): void => void stream.write(statusOf(span.durable));
  const timers = [setTimeout(tell, FIRST_STATUS_MS), setInterval(tell, STATUS_EVERY_MS)];
  let isWithin = false;
  try {
    for await (const frame of stream) {
      if (!Buffer.isBuffer(frame)) continue;
      const kind = frame.readUInt8(0);
      if (kind === KEEPALIVE && frame.readBigUInt64BE(1) >= span.to) return;
      if (kind !== LOG_DATA) continue;
      const message = readLogMessage(frame.subarray(LOG_DATA_HEADER_BYTES));
      if (message.kind === "begin") {
        if (message.at >= span.to) return;
        isWithin = message.at >= span.from;
      }
      if (!isWithin && message.kind !== "relation") continue;
      const wait = take(message);
      if (wait !== undefined) await wait;
    }
  } catch (error) {
    if (isEsteiraError(error)) throw error;
    // Somebody was there first, since the slot was looked at.
    if (errorCode(error) === IN_USE) throw replicationBusy({ ...span, by: "unknown" });
    throw queryError(span.source, error);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    stream.on("error", () => {});
    stream.destroy();
  }
  throw queryError(span.source, new Error("the server ended the stream of changes"));
}

/** Everything before a position is durable here; please answer. */
function statusOf(durable: bigint): Buffer {
  const status = Buffer.alloc(STATUS_BYTES);
  status.writeUInt8(STATUS, 0);
  for (let part = 0; part < 3; part++) status.writeBigUInt64BE(durable, 1 + part * POSITION_BYTES);
  status.writeUInt8(1, STATUS_BYTES - 1);
  return status;
}
