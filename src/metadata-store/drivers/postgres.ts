import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { messageOf } from "#base";
import type { Database, WriteTransaction } from "../database.ts";
import { storeUnreachable } from "../errors.ts";
import { type MetadataStore, withUrgent } from "../metadata-store.ts";
import { migrate } from "../migrate.ts";

const CONNECTIONS = 16;
/** Connections that only engines use: they never wait for one of the others. */
const URGENT_CONNECTIONS = 4;
const WRITE_TRIES = 8;
const SERIALIZATION_FAILURE = "40001";
const DEADLOCK = "40P01";
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
  const pool = new pg.Pool({ ...connection, max: CONNECTIONS });
  pool.on("error", () => {});
  const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const urgentPool = new pg.Pool({ ...connection, max: URGENT_CONNECTIONS });
  urgentPool.on("error", () => {});
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
  let listening: pg.Client | undefined;
  const listen = async (): Promise<void> => {
    const client = new pg.Client(connection);
    listening = client;
    client.on("notification", notify);
    client.on("error", () => {
      listening = undefined;
    });
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
  };

  const writeBy =
    (lane: Kysely<Database>): MetadataStore["write"] =>
    async (work) => {
      const result = await writeWithRetries(lane, work);
      void pool.query(`notify ${CHANNEL}`).catch(() => {});
      return result;
    };
  const common: Omit<MetadataStore, "read" | "readLong" | "write" | "urgent"> = {
    kind: "postgres",
    onChange(listener) {
      if (listening === undefined) void listen().catch(() => {});
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await listening?.end();
      await urgent.destroy();
      await kysely.destroy();
    },
  };
  return withUrgent(
    { ...common, read: (work) => work(kysely), readLong: (work) => work(kysely), write: writeBy(kysely) },
    { ...common, read: (work) => work(urgent), readLong: (work) => work(kysely), write: writeBy(urgent) },
  );
}

async function writeWithRetries<Result>(
  kysely: Kysely<Database>,
  work: (transaction: WriteTransaction) => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await kysely.transaction().execute(work);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if ((code !== SERIALIZATION_FAILURE && code !== DEADLOCK) || tries >= WRITE_TRIES) throw error;
    }
  }
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
