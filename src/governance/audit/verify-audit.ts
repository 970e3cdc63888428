import type { MetadataStore } from "#metadata-store";
import { getEventLog } from "#metadata-store/audit";
import { parseCheckpoints, readCheckpoints } from "./checkpoint-file.ts";
import { checkpointUnreadable } from "./errors.ts";
import { type CheckpointSource, type LogVerification, verifyLog } from "./verify-log.ts";
import { createToldRows, type RowVerification, verifyRows } from "./verify-rows.ts";

export interface AuditVerification {
  readonly log: LogVerification;
  readonly rows: RowVerification;
}

/** The checkpoints of a text that was kept somewhere. */
export function parseCheckpointSource(kept: { readonly name: string; readonly text: string }): CheckpointSource {
  return { name: kept.name, ...parseCheckpoints(kept.text) };
}

/** The checkpoints of a file. @throws GOVERNANCE_CHECKPOINT_UNREADABLE when one is asked for that holds none */
export async function readCheckpointSource(
  file: string,
  options: { readonly mustHold?: boolean } = {},
): Promise<CheckpointSource> {
  const source = { name: file, ...(await readCheckpoints(file)) };
  if (options.mustHold === true && source.checkpoints.length === 0)
    throw checkpointUnreadable({ file, reason: "it has no signed note with a size and a root" });
  return source;
}

/**
 * Proves that nothing was changed in the event log since it was signed, and that every row that decides is what the
 * events say. Nothing is changed.
 *
 * @param sources read before: a checkpoint that is signed meanwhile is not of the log that is read here
 * @param verifierKey key that must have signed; default: the one that the log names
 * @param currentKey of the key that signs here: gives the verifier key of the key file for the name of a log
 */
export async function verifyAudit(
  store: MetadataStore,
  options: {
    readonly sources: readonly CheckpointSource[];
    readonly verifierKey?: string | undefined;
    readonly currentKey: (origin: string) => Promise<string | undefined>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<AuditVerification> {
  const { origin, verifierKey: signer } = await store.read((transaction) => getEventLog(transaction));
  const name = origin ?? options.sources.flatMap(({ checkpoints }) => checkpoints)[0]?.origin;
  const found = name === undefined ? undefined : await options.currentKey(name);
  const expected = options.verifierKey ?? signer;
  const told = createToldRows();
  const log = await verifyLog(store, {
    ...options,
    // Where somebody took the name of the key away, the key file tells whose the checkpoints are.
    verifierKey: expected ?? found,
    visit: (event) => told.tell(event),
  });
  const rows = await verifyRows(store, told);
  if (expected === undefined || found === undefined || found === expected) return { log, rows };
  const changed = { kind: "key_changed", signer: expected, found } as const;
  return { log: { ...log, findings: [changed, ...log.findings], count: log.count + 1 }, rows };
}
