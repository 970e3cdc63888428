import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

/** The events as a Merkle tree: how far they were taken into it, and its hashes in tiles of 256. */
export const eventLogMigration: Migration = {
  name: "event-log",
  async up(database: Kysely<never>) {
    await sql`create table event_log (
      id smallint primary key, size bigint not null, last_sequence bigint not null, holes text not null,
      origin text, verifier_key text)`.execute(database);
    await sql`create table event_tile (
      level smallint not null, number bigint not null, hashes text not null, sequences text,
      primary key (level, number))`.execute(database);
  },
};
