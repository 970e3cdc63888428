import type { EngineParts } from "./engine-parts.ts";
import { sealLog, sealLooseLogs, sealLooseLogsIfMany, weightOf, WORTH_SEALING } from "./seal-log.ts";

/** From so much on, a log has a blob of its own as soon as its attempt has ended. */
const OWN_BLOB = 64 * 1024;

/** Moves logs of ended attempts out of the metadata database, while nobody waits for it. */
export interface LogSealer {
  /** Looks for what engines before left. */
  begin(): void;
  /** An attempt has ended, and the database holds so much of its log. */
  note(
    attempt: { readonly stepRunId: string; readonly attemptNumber: number },
    loose: { readonly chunks: number; readonly sizeBytes: number },
  ): void;
}

/** A large log is sealed by itself; small ones stay until they are enough for a blob together. */
export function createLogSealer(parts: EngineParts): LogSealer {
  const { project } = parts;
  const storage = { store: parts.patientStore, objects: parts.objects };
  let loose = 0;
  let sealing = false;

  const sealAll = (work: () => Promise<void>): void => {
    if (sealing) return;
    sealing = true;
    loose = 0;
    parts.later(work().finally(() => (sealing = false)));
  };

  return {
    begin: () => sealAll(() => sealLooseLogsIfMany(storage, project)),
    note({ stepRunId, attemptNumber }, left) {
      if (left.sizeBytes >= OWN_BLOB) return parts.later(sealLog(storage, { stepRunId, attemptNumber }));
      loose += weightOf(left);
      if (loose >= WORTH_SEALING) sealAll(() => sealLooseLogs(storage, project));
    },
  };
}
