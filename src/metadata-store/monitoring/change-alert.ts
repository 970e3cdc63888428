import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { type Alert, type AlertState, toAlert } from "./alert.ts";
import { listTold, queueNotices } from "./notice.ts";

/**
 * Acknowledges or closes an alert, with the event `alert.acknowledged` or `alert.closed`. Who was told
 * that it opened is told that it closed.
 *
 * @returns undefined when no alert has this id in the project; the alert unchanged when it is closed or already in that
 *   state
 */
export async function changeAlert(
  transaction: WriteTransaction,
  change: {
    readonly project: string;
    readonly id: string;
    readonly state: Exclude<AlertState, "open">;
    readonly actor: string;
    readonly atMs: number;
    readonly reason?: string;
  },
): Promise<Alert | undefined> {
  const row = await transaction
    .selectFrom("alert")
    .selectAll()
    .where("id", "=", change.id)
    .where("project", "=", change.project)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.state === change.state || row.state === "closed") return toAlert(row);
  const changed = {
    state: change.state,
    changed_at_ms: change.atMs,
    changed_by: change.actor,
    ...(change.state === "closed" ? { close_reason: change.reason ?? null } : {}),
  };
  await transaction.updateTable("alert").set(changed).where("id", "=", change.id).execute();
  if (change.state === "closed") {
    const targets = await listTold(transaction, row.id);
    await queueNotices(transaction, { alertId: row.id, event: "closed", targets, atMs: change.atMs });
  }
  await appendEvent(transaction, {
    atMs: change.atMs,
    project: change.project,
    type: `alert.${change.state}`,
    subjectKind: "alert",
    subject: row.monitor,
    actor: change.actor,
    data: { id: row.id, ...(change.reason === undefined ? {} : { reason: change.reason }) },
  });
  return toAlert({ ...row, ...changed });
}
