import type { Kysely } from "kysely";
import type { Migration } from "../migrate.ts";

/** Users and tokens, approvals and verdicts, releases and deployments. */
export const accessGovernanceDeliveryMigration: Migration = {
  name: "access-governance-delivery",
  async up(database) {
    await createAccess(database);
    await createGovernance(database);
    await createDelivery(database);
  },
};

async function createAccess({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("access_user")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("owner", "text")
    .addColumn("emails", "text", (column) => column.notNull())
    .addColumn("created_at_ms", "bigint", (column) => column.notNull())
    .execute();
  await schema
    .createTable("access_grant")
    .addColumn("user_name", "text", (column) => column.notNull())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("role", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("access_grant_key", ["user_name", "project"] as never)
    .execute();
  await schema
    .createTable("access_token")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("user_name", "text", (column) => column.notNull())
    .addColumn("label", "text", (column) => column.notNull())
    .addColumn("secret_hash", "text", (column) => column.notNull())
    .addColumn("created_at_ms", "bigint", (column) => column.notNull())
    .addColumn("expires_at_ms", "bigint")
    .addColumn("last_used_at_ms", "bigint")
    .addColumn("revoked_at_ms", "bigint")
    .execute();
  await schema
    .createIndex("access_token_user")
    .on("access_token")
    .columns(["user_name"] as never)
    .execute();
}

async function createGovernance({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("approval")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("subject_kind", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("decision", "text", (column) => column.notNull())
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("counts_for", "text", (column) => column.notNull())
    .addColumn("comment", "text", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("revoked_at_ms", "bigint")
    .addColumn("revoked_by", "text")
    .execute();
  await schema
    .createIndex("approval_digest")
    .on("approval")
    .columns(["project", "digest"] as never)
    .execute();
  await schema
    .createTable("approval_request")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("subject_kind", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("version_id", "text")
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("needed", "bigint", (column) => column.notNull())
    .addColumn("requested_by", "text", (column) => column.notNull())
    .addColumn("requested_at_ms", "bigint", (column) => column.notNull())
    .addColumn("closed_at_ms", "bigint")
    .addPrimaryKeyConstraint("approval_request_key", ["project", "digest", "environment"] as never)
    .execute();
  await schema
    .createTable("verdict")
    .addColumn("version_id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("passed", "smallint", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("step_run_id", "text")
    .addColumn("content", "text", (column) => column.notNull())
    .execute();
}

async function createDelivery({ schema }: Kysely<never>): Promise<void> {
  await schema
    .createTable("release")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("number", "bigint", (column) => column.notNull())
    .addColumn("asset", "text", (column) => column.notNull())
    .addColumn("version_id", "text", (column) => column.notNull())
    .addColumn("created_at_ms", "bigint", (column) => column.notNull())
    .addColumn("created_by", "text", (column) => column.notNull())
    .addColumn("settings", "text", (column) => column.notNull())
    .addUniqueConstraint("release_number", ["project", "environment", "number"] as never)
    .execute();
  await schema
    .createTable("release_version")
    .addColumn("release_id", "text", (column) => column.notNull())
    .addColumn("version_id", "text", (column) => column.notNull())
    .addColumn("asset", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("role", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("release_version_key", ["release_id", "version_id"] as never)
    .execute();
  await schema
    .createTable("deployment")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("asset", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("idempotency_key", "text", (column) => column.notNull())
    .addColumn("step_run_id", "text")
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("started_at_ms", "bigint", (column) => column.notNull())
    .addColumn("ended_at_ms", "bigint")
    .addColumn("target", "text")
    .addColumn("error", "text")
    .addUniqueConstraint("deployment_idempotency", ["project", "idempotency_key"] as never)
    .execute();
  await schema
    .createIndex("deployment_history")
    .on("deployment")
    .columns(["project", "environment", "id"] as never)
    .execute();
  await schema
    .createTable("deployed")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("environment", "text", (column) => column.notNull())
    .addColumn("asset", "text", (column) => column.notNull())
    .addColumn("deployment_id", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull())
    .addColumn("version_id", "text", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("deployed_key", ["project", "environment", "asset"] as never)
    .execute();
  await schema
    .createTable("push_delivery")
    .addColumn("project", "text", (column) => column.notNull())
    .addColumn("id", "text", (column) => column.notNull())
    .addColumn("branch", "text", (column) => column.notNull())
    .addColumn("commit_id", "text", (column) => column.notNull())
    .addColumn("pusher", "text", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("answer", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("push_delivery_key", ["project", "id"] as never)
    .execute();
}
