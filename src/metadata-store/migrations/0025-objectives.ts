import { type Kysely, sql } from "kysely";
import type { Migration } from "../migrate.ts";

const STATEMENTS: readonly string[] = [
  `create table objective_count (
     project text not null, environment text not null, endpoint text not null, objective text not null, span text not null,
     start_ms bigint not null, good bigint not null, total bigint not null,
     primary key (project, environment, endpoint, objective, span, start_ms))`,
];

/** What endpoints promise, counted by minute and hour. */
export const objectivesMigration: Migration = {
  name: "objectives",
  async up(database: Kysely<never>) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
