import type { Migration } from "../migrate.ts";

/** What each arm of a trial did and why the trial ended; which features a prediction lacked. */
export const servingTrialsMigration: Migration = {
  name: "serving-trials",
  async up({ schema }) {
    await schema
      .createTable("endpoint_trial")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("environment", "text", (column) => column.notNull())
      .addColumn("endpoint", "text", (column) => column.notNull())
      .addColumn("strategy", "text", (column) => column.notNull())
      .addColumn("stable_version_id", "text", (column) => column.notNull())
      .addColumn("candidate_version_id", "text", (column) => column.notNull())
      .addColumn("started_at_ms", "bigint", (column) => column.notNull())
      .addColumn("ended_at_ms", "bigint")
      .addColumn("outcome", "text")
      .addColumn("reason", "text")
      .addColumn("figures", "text", (column) => column.notNull())
      .execute();
    await schema
      .createIndex("endpoint_trial_endpoint")
      .on("endpoint_trial")
      .columns(["project", "environment", "endpoint", "id"] as never)
      .execute();
    await schema.alterTable("prediction").addColumn("feature_status", "text").execute();
  },
};
