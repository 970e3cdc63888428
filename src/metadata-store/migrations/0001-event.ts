import type { Migration } from "../migrate.ts";

export const eventMigration: Migration = {
  name: "event",
  async up(database, kind) {
    await database.schema
      .createTable("event")
      .addColumn("sequence", kind === "postgres" ? "bigserial" : "integer", (column) =>
        kind === "postgres" ? column.primaryKey() : column.primaryKey().autoIncrement(),
      )
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("type", "text", (column) => column.notNull())
      .addColumn("subject_kind", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("actor", "text", (column) => column.notNull())
      .addColumn("data", "text", (column) => column.notNull())
      .execute();
    await database.schema
      .createIndex("event_subject")
      .on("event")
      .columns(["subject_kind", "subject", "sequence"] as never)
      .execute();
  },
};
