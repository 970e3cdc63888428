import type { ReplicationDeclaration } from "./database-declaration.ts";
import type { PostgresConnection } from "./postgres.ts";
import { dropSlot, findSlot, type SlotOwner } from "./replication-slot.ts";

const DEFAULT_MAX_LAG = "10 GB";
const SIZES: Readonly<Record<string, number>> = {
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export function maxLagBytes({ max_lag: text = DEFAULT_MAX_LAG }: ReplicationDeclaration): number {
  const [, amount = "0", unit = ""] = /^([\d.]+) ?(\w+)$/.exec(text) ?? [];
  return Number(amount) * (SIZES[unit] ?? 1);
}

/** For people: that a slot holds more than it may, and what helps. */
export function heldText(
  { slot }: SlotOwner,
  { max_lag: text = DEFAULT_MAX_LAG }: ReplicationDeclaration,
  bytes: number,
): string {
  const held = bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
  return `the server keeps ${held} of its log for the slot ${slot}, and max_lag is ${text}: let the step run more often, or, when nobody needs it any more, drop it there: select pg_drop_replication_slot('${slot}')`;
}

/** A load that fails must not fill the server's disk. */
export async function lookAtHeld(
  { ask }: PostgresConnection,
  of: { readonly owner: SlotOwner; readonly replication: ReplicationDeclaration; readonly log: (text: string) => void },
): Promise<void> {
  const { owner, replication, log } = of;
  const slot = await findSlot(ask, owner);
  if (slot === undefined || slot.heldBytes <= maxLagBytes(replication)) return;
  log(`warning: ${heldText(owner, replication, slot.heldBytes)}`);
  if (replication.beyond !== "release") return;
  await dropSlot(ask, owner);
  log(
    `dropped the slot ${owner.slot}, as beyond: release says; when the step's trouble is over, read the table anew: esteira capture ${owner.dataset} --again all`,
  );
}
