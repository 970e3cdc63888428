import type { Migration } from "../migrate.ts";

/** Captured files have a state, quarantined rows are closed as superseded, datasets can be dropped. */
export const datasetLifecycleMigration: Migration = {
  name: "dataset-lifecycle",
  async up({ schema }) {
    await schema
      .alterTable("captured_file")
      .addColumn("state", "text", (column) => column.notNull().defaultTo("captured"))
      .execute();
    await schema
      .alterTable("quarantine_batch")
      .addColumn("superseded", "bigint", (column) => column.notNull().defaultTo(0))
      .execute();
    for (const name of ["closed_as", "closed_by", "closed_reason"] as const)
      await schema.alterTable("quarantine_batch").addColumn(name, "text").execute();
    await schema.alterTable("quarantine_batch").addColumn("closed_at_ms", "bigint").execute();
    await schema.alterTable("asset").addColumn("dropped_at_ms", "bigint").execute();
  },
};
