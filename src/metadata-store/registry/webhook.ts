import type { Selectable } from "kysely";
import { newId } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import type { WebhookEvent } from "./enqueue-webhooks.ts";
import { webhookMissing } from "./errors.ts";
import type { RegistryTables, WebhookStatus } from "./tables.ts";

const LARGEST_PAGE = 1000;

/** An address that is told of changes in the registry. The secret is never part of it. */
export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly status: WebhookStatus;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Fields that are given are set. */
export interface WebhookFields {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly url?: string | undefined;
  readonly events?: readonly WebhookEvent[] | undefined;
  /** Sealed by the caller. */
  readonly secret?: string | undefined;
  readonly status?: WebhookStatus | undefined;
}

interface Change {
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

/** Makes a webhook; event `webhook.created`. */
export async function createWebhook(
  transaction: WriteTransaction,
  facts: Change &
    WebhookFields & { readonly name: string; readonly url: string; readonly events: readonly WebhookEvent[] },
): Promise<Webhook> {
  const row = {
    id: newId(facts.atMs),
    name: facts.name,
    description: facts.description ?? null,
    url: facts.url,
    events: JSON.stringify(facts.events),
    secret: facts.secret ?? null,
    status: facts.status ?? "ACTIVE",
    created_at_ms: facts.atMs,
    updated_at_ms: facts.atMs,
  } as const;
  await transaction.insertInto("webhook").values(row).execute();
  await append(transaction, facts, row.id, "webhook.created");
  return toWebhook(row);
}

/** @throws METADATA_STORE_WEBHOOK_MISSING */
export async function getWebhook(transaction: ReadTransaction, id: string): Promise<Webhook> {
  return toWebhook(await findWebhook(transaction, id));
}

/** The key that deliveries are signed with, sealed. @throws METADATA_STORE_WEBHOOK_MISSING */
export async function getWebhookSecret(transaction: ReadTransaction, id: string): Promise<string | undefined> {
  return (await findWebhook(transaction, id)).secret ?? undefined;
}

/** Every secret as it is kept. */
export async function listWebhookSecrets(
  transaction: ReadTransaction,
): Promise<readonly { readonly id: string; readonly secret: string }[]> {
  const rows = await transaction
    .selectFrom("webhook")
    .select(["id", "secret"])
    .where("secret", "is not", null)
    .where("secret", "!=", "")
    .orderBy("id")
    .execute();
  return rows.map(({ id, secret }) => ({ id, secret: secret ?? "" }));
}

/** The same secret in another form. @returns false when it was changed meanwhile */
export async function replaceWebhookSecret(
  transaction: WriteTransaction,
  change: { readonly id: string; readonly from: string; readonly to: string },
): Promise<boolean> {
  const changed = await transaction
    .updateTable("webhook")
    .set({ secret: change.to })
    .where("id", "=", change.id)
    .where("secret", "=", change.from)
    .returning("id")
    .executeTakeFirst();
  return changed !== undefined;
}

/** A page of webhooks in the order they were made; `after` is the last id of the page before. */
export async function listWebhooks(
  transaction: ReadTransaction,
  query: { readonly limit: number; readonly after?: string },
): Promise<readonly Webhook[]> {
  let select = transaction.selectFrom("webhook").selectAll();
  if (query.after !== undefined) select = select.where("id", ">", query.after);
  const rows = await select
    .orderBy("id")
    .limit(Math.min(query.limit, LARGEST_PAGE + 1))
    .execute();
  return rows.map(toWebhook);
}

/** Changes the given fields; event `webhook.updated`. @throws METADATA_STORE_WEBHOOK_MISSING */
export async function updateWebhook(
  transaction: WriteTransaction,
  change: Change & WebhookFields & { readonly id: string },
): Promise<Webhook> {
  await findWebhook(transaction, change.id);
  await transaction
    .updateTable("webhook")
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.description === undefined ? {} : { description: change.description }),
      ...(change.url === undefined ? {} : { url: change.url }),
      ...(change.events === undefined ? {} : { events: JSON.stringify(change.events) }),
      ...(change.secret === undefined ? {} : { secret: change.secret }),
      ...(change.status === undefined ? {} : { status: change.status }),
      updated_at_ms: change.atMs,
    })
    .where("id", "=", change.id)
    .execute();
  await append(transaction, change, change.id, "webhook.updated");
  return getWebhook(transaction, change.id);
}

/** Removes a webhook and what was still to be sent to it. @throws METADATA_STORE_WEBHOOK_MISSING */
export async function deleteWebhook(
  transaction: WriteTransaction,
  change: Change & { readonly id: string },
): Promise<void> {
  await findWebhook(transaction, change.id);
  await transaction.deleteFrom("webhook_delivery").where("webhook_id", "=", change.id).execute();
  await transaction.deleteFrom("webhook").where("id", "=", change.id).execute();
  await append(transaction, change, change.id, "webhook.deleted");
}

async function findWebhook(transaction: ReadTransaction, id: string): Promise<Selectable<RegistryTables["webhook"]>> {
  const row = await transaction.selectFrom("webhook").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw webhookMissing({ id });
  return row;
}

function toWebhook(row: Selectable<RegistryTables["webhook"]>): Webhook {
  return {
    id: row.id,
    name: row.name,
    description: row.description ?? undefined,
    url: row.url,
    events: JSON.parse(row.events) as readonly WebhookEvent[],
    status: row.status,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}

async function append(
  transaction: WriteTransaction,
  change: Change,
  id: string,
  type: "webhook.created" | "webhook.deleted" | "webhook.updated",
): Promise<void> {
  await appendEvent(transaction, {
    atMs: change.atMs,
    project: change.project,
    type,
    subjectKind: "webhook",
    subject: id,
    actor: change.actor,
  });
}
