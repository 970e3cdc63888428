import { readFile } from "node:fs/promises";
import type { Settings } from "#config";
import type { AuditVerification, Checkpoint, ExportedLine, ProvenEvent } from "#governance";
import { readGitCheckpoint } from "./checkpoint-keepers.ts";
import type { StorePlatform } from "./platform.ts";

/**
 * Verifies the event log of a store against every checkpoint that is kept, and the rows that decide against their
 * events.
 *
 * @param request `against`: absolute file with checkpoints that somebody else kept
 * @throws GOVERNANCE_CHECKPOINT_UNREADABLE
 */
export async function verifyPlatformAudit(
  { store, config }: StorePlatform,
  request: {
    readonly settings: Settings;
    readonly against?: string | undefined;
    readonly verifierKey?: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<AuditVerification> {
  const { checkpointFileOf, parseCheckpointSource, readCheckpointSource, readVerifierKey, verifyAudit } =
    await import("#governance");
  const { storeFolder, audit } = config;
  const inGit = await readGitCheckpoint(config, request.settings);
  const sources = [
    await readCheckpointSource(checkpointFileOf(storeFolder)),
    ...(inGit === undefined ? [] : [parseCheckpointSource(inGit)]),
    ...(request.against === undefined ? [] : [await readCheckpointSource(request.against, { mustHold: true })]),
  ];
  return verifyAudit(store, {
    sources,
    verifierKey: request.verifierKey,
    currentKey: (origin) => readVerifierKey({ storeFolder, keyFile: audit.key }, origin),
    signal: request.signal,
  });
}

/**
 * A proof that an event stands in the signed log.
 *
 * @param sequence number of the event
 * @throws GOVERNANCE_EVENT_UNKNOWN, GOVERNANCE_EVENT_LOG_UNSIGNED
 */
export async function provePlatformEvent(platform: StorePlatform, sequence: number): Promise<string> {
  const { proveEvent } = await import("#governance");
  return proveEvent(platform.store, sequence, await sealed(platform));
}

/** The signed log, line by line. @throws GOVERNANCE_EVENT_LOG_UNSIGNED */
export async function exportEvents(
  platform: StorePlatform,
  request: { readonly since?: number | undefined },
): Promise<AsyncGenerator<ExportedLine>> {
  const { exportLog } = await import("#governance");
  return exportLog(platform.store, await sealed(platform), request);
}

/** Checks a proof without a store. @throws GOVERNANCE_PROOF_INVALID */
export async function proveByKey(file: string, verifierKey: string): Promise<ProvenEvent> {
  const { checkProof } = await import("#governance");
  return checkProof(await readFile(file, "utf8"), { file, verifierKey });
}

async function sealed({ auditLog }: StorePlatform): Promise<Checkpoint> {
  const { logUnsigned } = await import("#governance");
  const checkpoint = await (await auditLog()).seal();
  if (checkpoint === undefined) throw logUnsigned({});
  return checkpoint;
}
