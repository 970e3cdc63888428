import { z } from "zod";
import { isEsteiraError, messageOf } from "#base";
import { replicationBusy, replicationLost, replicationUnfit } from "../../source-errors.ts";
import { formatLogPosition, parseLogPosition } from "./log-position.ts";
import { type Ask, type PostgresConnection, quote, quoteLiteral } from "./postgres.ts";

/** A slot as the server has it. */
export interface ReplicationSlot {
  /** Up to here changes were confirmed, and are gone. */
  readonly confirmed: bigint;
  /** Bytes of log that the server keeps for it. */
  readonly heldBytes: number;
}

export interface SlotOwner {
  readonly source: string;
  readonly dataset: string;
  readonly slot: string;
}

const slotSchema = z.object({
  plugin: z.string().nullable(),
  database: z.string().nullable(),
  here: z.string(),
  active_pid: z.coerce.string().nullable(),
  confirmed: z.string().nullable(),
  held: z.coerce.number().nullable(),
  /** Since PostgreSQL 13. */
  wal_status: z.string().nullish(),
});

/** Where the log is now; on a standby, what it has replayed. */
export const LOG_END =
  "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end";

/** Until a slot whose reader has just gone is free. */
const FREE_AFTER_MS = 5000;
const LOOK_EVERY_MS = 100;
/** A transaction that is open must end before a slot can begin. */
const START_LIMIT_MS = 60_000;

/**
 * @returns undefined when there is none
 * @throws DATA_REPLICATION_UNFIT, DATA_REPLICATION_BUSY
 */
export async function findSlot(
  ask: Ask,
  owner: SlotOwner,
): Promise<(ReplicationSlot & { isLost: boolean }) | undefined> {
  for (const until = Date.now() + FREE_AFTER_MS; ;) {
    const { rows } = await ask(
      `select s.*, current_database()::text as here, s.confirmed_flush_lsn::text as confirmed, pg_wal_lsn_diff(${LOG_END}, s.restart_lsn)::text as held from pg_replication_slots s where s.slot_name = $1`,
      [owner.slot],
    );
    if (rows.length === 0) return undefined;
    const { plugin, database, here, active_pid: by, confirmed, held, wal_status } = slotSchema.parse(rows[0]);
    if (plugin !== "pgoutput" || database !== here)
      throw replicationUnfit({
        source: owner.source,
        problem: `the slot ${owner.slot} is of ${database === here ? `the plugin ${plugin ?? "of a standby"}` : `the database ${database ?? "of a standby"}`}`,
        remedy: "Name another slot: one that is not there is made.",
      });
    if (by === null || wal_status === "lost")
      return {
        confirmed: parseLogPosition(confirmed ?? "0/0"),
        heldBytes: held ?? 0,
        isLost: wal_status === "lost" || confirmed === null,
      };
    if (Date.now() > until) throw replicationBusy({ ...owner, by });
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** @throws DATA_REPLICATION_UNFIT */
export async function createSlot(ask: Ask, { source, slot }: SlotOwner): Promise<void> {
  await ask(`set statement_timeout = ${START_LIMIT_MS}`);
  try {
    await ask("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  } catch (error) {
    throw createError(source, error);
  } finally {
    await ask("set statement_timeout = 0");
  }
}

export async function dropSlot(ask: Ask, { slot }: SlotOwner): Promise<void> {
  await ask("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", [slot]);
}

/** The server may forget what is before a position. Never backwards, and never beyond its log. */
export async function confirmSlot(ask: Ask, owner: SlotOwner, position: bigint): Promise<void> {
  const slot = await findSlot(ask, owner);
  if (slot === undefined || slot.isLost || slot.confirmed >= position) return;
  await ask("select pg_replication_slot_advance($1, $2::pg_lsn)", [owner.slot, formatLogPosition(position)]);
}

/** A snapshot of exactly what was committed before a place in the log. */
export interface ExportedSnapshot {
  /** For `set transaction snapshot`, as long as its connection is asked nothing else. */
  readonly snapshot: string;
  readonly position: bigint;
}

/**
 * @param connection of replication, which holds the snapshot until it is closed
 * @throws DATA_REPLICATION_UNFIT
 */
export async function exportSnapshot(
  { ask, client }: PostgresConnection,
  { source, slot }: SlotOwner,
): Promise<ExportedSnapshot> {
  const name = `${slot.slice(0, 50)}_${process.pid}_snap`.slice(0, 63);
  const late = setTimeout(() => void client.end().catch(() => {}), START_LIMIT_MS);
  try {
    const { rows } = await ask(`CREATE_REPLICATION_SLOT ${quote(name)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`);
    const { consistent_point, snapshot_name } = z
      .object({ consistent_point: z.string(), snapshot_name: z.string() })
      .parse(rows[0]);
    return { snapshot: snapshot_name, position: parseLogPosition(consistent_point) };
  } catch (error) {
    throw createError(source, error);
  } finally {
    clearTimeout(late);
  }
}

function createError(source: string, error: unknown): unknown {
  const said = isEsteiraError(error) ? error.context["reason"] : undefined;
  const reason = typeof said === "string" ? said : messageOf(error);
  if (/all replication slots are in use/.test(reason))
    return replicationUnfit({
      source,
      problem: "the server has no free slot",
      remedy: "Drop one that nobody reads (select * from pg_replication_slots), or raise max_replication_slots.",
    });
  if (/statement timeout|ended|terminated|closed/i.test(reason))
    return replicationUnfit({
      source,
      problem: `no place to begin was found within ${START_LIMIT_MS / 1000} seconds, since transactions are open on the server`,
      remedy: "End them, or wait: select pid, xact_start, query from pg_stat_activity where backend_xid is not null",
    });
  if (/superuser|permission|replication role/i.test(reason))
    return replicationUnfit({
      source,
      problem: `its user may not replicate (${reason})`,
      remedy: "alter role USER replication; on a managed server, give the user the role for replication.",
    });
  return error;
}

/** @throws DATA_REPLICATION_LOST when what the position needs is not there any more */
export function assertHeld(
  slot: (ReplicationSlot & { isLost: boolean }) | undefined,
  owner: SlotOwner,
  { position, end }: { readonly position: bigint; readonly end: bigint },
): asserts slot is ReplicationSlot & { isLost: boolean } {
  const lost = (problem: string): Error => replicationLost({ ...owner, problem });
  if (slot === undefined) throw lost("the slot is gone");
  if (slot.isLost) throw lost("the server gave the slot up, since it held more than max_slot_wal_keep_size");
  const [at, there] = [formatLogPosition(position), formatLogPosition(slot.confirmed)];
  if (slot.confirmed > position) throw lost(`the version ends at ${at}, and the slot was moved on to ${there}`);
  if (position > end)
    throw lost(`the version ends at ${at}, and the log of the server at ${formatLogPosition(end)}: it is another one`);
}

/**
 * SQL of rows that have one of the keys, as the log writes them. Each is no expression of its own: of those that have
 * several columns the server takes some thousand.
 */
export function keyCondition(
  columns: readonly { readonly name: string; readonly type: string }[],
  keys: readonly (readonly (string | null)[])[],
): string {
  const names = columns.map((_, index) => `k${index}`);
  const rows = keys.map((values) => Object.fromEntries(names.map((name, index) => [name, values[index]])));
  const typed = columns.map(({ type }, index) => `k${index} ${type}`).join(", ");
  return `(${columns.map(({ name }) => quote(name)).join(", ")}) in (select ${names.join(", ")} from json_to_recordset(${quoteLiteral(JSON.stringify(rows))}) as keys (${typed}))`;
}
