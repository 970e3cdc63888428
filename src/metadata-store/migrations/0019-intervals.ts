import type { Migration } from "../migrate.ts";

/** Which intervals of an incremental dataset are filled, and which are to be filled again. */
export const intervalsMigration: Migration = {
  name: "intervals",
  async up({ schema }) {
    await schema
      .createTable("interval_ledger")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("dataset", "text", (column) => column.notNull())
      .addColumn("delta_version", "bigint", (column) => column.notNull())
      .addColumn("ledger", "text", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("interval_ledger_key", ["project", "dataset"] as never)
      .execute();
    await schema
      .createTable("restatement")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("dataset", "text", (column) => column.notNull())
      .addColumn("from_ms", "bigint")
      .addColumn("to_ms", "bigint")
      .addColumn("actor", "text", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .execute();
    await schema.createIndex("restatement_dataset").on("restatement").column("project").column("dataset").execute();
  },
};
