import type { WriteTransaction } from "#metadata-store";
import { changeGate } from "#metadata-store/engine";

/** A gate that step runs may wait for, and who moves it. */
export interface GateKey {
  readonly project: string;
  /** For instance `approval:<digest>:<environment>`. */
  readonly key: string;
  readonly atMs: number;
  readonly actor: string;
}

/**
 * Opens a gate: step runs that wait for it are queued again, in the caller's transaction. A step that is just about to
 * wait for it is queued too, so that an opening is never missed.
 *
 * @returns ids of the step runs that go on
 */
export async function openGate(transaction: WriteTransaction, gate: GateKey): Promise<readonly string[]> {
  return changeGate(transaction, { ...gate, state: "open", reason: "" });
}

/**
 * Refuses a gate: step runs that wait for it fail with the reason, and what depends on them is skipped. Returns their
 * ids.
 */
export async function refuseGate(
  transaction: WriteTransaction,
  gate: GateKey & { readonly reason: string },
): Promise<readonly string[]> {
  return changeGate(transaction, { ...gate, state: "refused" });
}
