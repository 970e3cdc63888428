import { type Kysely, sql } from "kysely";
import type { StoreKind } from "../metadata-store.ts";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  "create table log_blob (id bigint not null primary key, digest text not null, size_bytes bigint not null)",
  "create index log_segment_of_blob on log_segment (blob_id)",
];

const SEGMENT = `create table log_segment (step_run_id text not null, attempt_number bigint not null,
  first_sequence bigint not null, last_sequence bigint not null, blob_id bigint not null, start_byte bigint not null,
  size_bytes bigint not null, stdout_characters bigint not null, stderr_characters bigint not null,
  primary key (step_run_id, attempt_number, first_sequence))`;

/** Where the sealed parts of step logs are in storage. What is not sealed stays in `log_chunk`. */
export const logSegmentsMigration: Migration = {
  name: "log-segments",
  async up(database: Kysely<never>, kind: StoreKind) {
    await sql.raw(kind === "sqlite" ? `${SEGMENT} without rowid` : SEGMENT).execute(database);
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
