import { setTimeout } from "node:timers/promises";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { messageOf } from "#base";
import { markCommitUnknown } from "../commit-unknown.ts";
import type { Database, WriteTransaction } from "../database.ts";
import { storeUnreachable } from "../errors.ts";
import { type MetadataStore, withUrgent } from "../metadata-store.ts";
import { migrate } from "../migrate.ts";
import { PostgresListener } from "./postgres-listener.ts";

const CONNECTIONS = 16;
/** Connections that only engines use: they never wait for one of the others. */
const URGENT_CONNECTIONS = 4;
const TRIES = 8;
const RETRY_PAUSE_MS = 50;
/** Serialization failure, deadlock. */
const CONFLICTS: ReadonlySet<string> = new Set(["40001", "40P01"]);
/** Ended by an administrator, by a crash, not taken yet; and what the system says of a connection. */
const LOSSES: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03", "ECONNRESET", "EPIPE"]);
/** What the driver says without a code. */
const LOSS_MESSAGE = /^Connection terminated|^Client has encountered a connection error/;
const CHANNEL = "esteira_change";
const INT8_TYPE = 20;

export interface PostgresOptions {
  /** `postgres://user@host:port/database` */
  readonly url: string;
  /** Schema that holds the tables; default `esteira`. Made when missing. */
  readonly schema?: string;
}

/**
 * Metadata in PostgreSQL: a pool of connections, one transaction per change, `NOTIFY` after each.
 *
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openPostgresStore(options: PostgresOptions): Promise<MetadataStore> {
  const schema = options.schema ?? "esteira";
  const store = withoutPassword(options.url);
  const types = {
    getTypeParser: (id: number, format?: string) =>
      id === INT8_TYPE ? parseInt8 : pg.types.getTypeParser(id, format as "text"),
  };
  const connection = {
    connectionString: options.url,
    options: `-c search_path=${schema}`,
    types: types as pg.CustomTypesConfig,
  };
  const pool = openPool(connection, CONNECTIONS);
  const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const urgentPool = openPool(connection, URGENT_CONNECTIONS);
  const urgent = new Kysely<Database>({ dialect: new PostgresDialect({ pool: urgentPool }) });
  try {
    await pool.query(`create schema if not exists "${schema.replaceAll('"', '""')}"`);
  } catch (error) {
    await pool.end();
    throw storeUnreachable({ store, reason: messageOf(error) }, error);
  }
  await migrate(kysely, "postgres", store);

  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  const listener = new PostgresListener({ connection, channel: CHANNEL, onNotify: notify });

  const writeBy =
    (lane: Kysely<Database>): MetadataStore["write"] =>
    async (work) => {
      const result = await writeWithRetries(lane, work);
      void notifyOthers(pool);
      return result;
    };
  const common: Omit<MetadataStore, "read" | "readLong" | "write" | "urgent"> = {
    kind: "postgres",
    onChange(hear) {
      listener.start();
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    async close() {
      await listener.close();
      await urgent.destroy();
      await kysely.destroy();
    },
  };
  return withUrgent(
    { ...common, read: readBy(kysely), readLong: readBy(kysely), write: writeBy(kysely) },
    { ...common, read: readBy(urgent), readLong: readBy(kysely), write: writeBy(urgent) },
  );
}

/** What happens to a connection is told by its statements; an event without a listener would end the process. */
function openPool(connection: pg.PoolConfig, max: number): pg.Pool {
  const pool = new pg.Pool({ ...connection, max });
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** A read has no effect: after the loss of its connection it is done again. */
function readBy(lane: Kysely<Database>): MetadataStore["read"] {
  return async (work) => {
    for (let tries = 1; ; tries++) {
      try {
        return await work(lane);
      } catch (error) {
        if (tries >= TRIES || !isConnectionLoss(error)) throw error;
        await setTimeout(tries * RETRY_PAUSE_MS);
      }
    }
  };
}

/** A change that nobody hears of is not looked at until the next one: it is said again when a connection was lost. */
async function notifyOthers(pool: pg.Pool): Promise<void> {
  for (let tries = 1; tries <= TRIES && !pool.ending; tries++) {
    try {
      await pool.query(`notify ${CHANNEL}`);
      return;
    } catch {
      await setTimeout(tries * RETRY_PAUSE_MS, undefined, { ref: false });
    }
  }
}

async function writeWithRetries<Result>(
  kysely: Kysely<Database>,
  work: (transaction: WriteTransaction) => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    // From then on nobody knows whether a connection that is lost took the change with it.
    let isCommitting = false;
    try {
      return await kysely.transaction().execute(async (transaction) => {
        const result = await work(transaction);
        isCommitting = true;
        return result;
      });
    } catch (error) {
      if (tries >= TRIES && !(isCommitting && isConnectionLoss(error))) throw error;
      if (isConnectionLoss(error)) {
        if (isCommitting) {
          markCommitUnknown(error);
          throw error;
        }
        await setTimeout(tries * RETRY_PAUSE_MS);
      } else if (!CONFLICTS.has(codeOf(error))) throw error;
    }
  }
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** The connection ended under the statement; another one may work. */
function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  return LOSSES.has(code) || code.startsWith("08") || LOSS_MESSAGE.test(messageOf(error));
}

/** A 64-bit integer: a number where that is exact. */
export function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** An address as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/([^:/@]*):[^@]*@/, "//$1@");
}
