import type { WriteTransaction } from "#metadata-store";
import { getAssetVersion } from "#metadata-store";
import {
  type CapturedFile,
  closeQuarantine,
  listOpenQuarantine,
  type NewQuarantineBatch,
  recordQuarantineBatch,
} from "#metadata-store/data";
import type { AttemptContext, MadeVersion } from "#pipeline";
import type { CaptureDeclaration } from "./capture-declaration.ts";
import type { CapturedBatch } from "./capture-run.ts";

/** What was held of earlier contents of the same files is closed, and what is held now is recorded. */
export async function recordQuarantine(
  transaction: WriteTransaction,
  attempt: AttemptContext<CaptureDeclaration>,
  {
    captured,
    made,
    isReplaced,
  }: {
    readonly captured: readonly CapturedBatch[];
    readonly made: MadeVersion | undefined;
    readonly isReplaced: boolean;
  },
): Promise<void> {
  const { project, step: dataset } = attempt;
  const files = captured.flatMap(({ result }) => result.files);
  const batches: NewQuarantineBatch[] = captured.flatMap(({ result }) => [...result.quarantine]);
  const sources = isReplaced
    ? undefined
    : [...files, ...captured.flatMap(({ result }) => result.superseded)].map(({ path, digest }) => ({ path, digest }));
  const open = await listOpenQuarantine(transaction, { project, dataset, sources });
  const latest = made === undefined ? undefined : await getAssetVersion(transaction, { project, asset: dataset });
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const [reason, closing] of Map.groupBy(open, (batch) =>
    reasonToClose(byPath.get(batch.sourcePath), batch.sourceDigest, {
      version: latest?.version,
      isReplaced,
      stepRunId: attempt.stepRunId,
    }),
  )) {
    await closeQuarantine(transaction, {
      batchIds: closing.map(({ id }) => id),
      as: "superseded",
      actor: attempt.actor,
      reason,
      atMs: Date.now(),
    });
  }
  for (const batch of batches) await recordQuarantineBatch(transaction, batch);
}

function reasonToClose(
  file: CapturedFile | undefined,
  sourceDigest: string,
  facts: { readonly version: number | undefined; readonly isReplaced: boolean; readonly stepRunId: string },
): string {
  const how = facts.isReplaced
    ? "the dataset was replaced"
    : file?.digest === sourceDigest
      ? `${file.path} was read again`
      : `a corrected ${file?.path ?? "file"} was captured`;
  return `superseded: ${how}${facts.version === undefined ? ` (step run ${facts.stepRunId})` : `, version ${facts.version}`}`;
}
