import { listQuarantineBatches } from "#metadata-store/data";
import { readProjectFile } from "#pipeline";
import type { Platform } from "./platform.ts";

const MOST_BATCHES = 1000;

/**
 * Replays every batch of a dataset's quarantine that still holds rows, under the contract of the step that makes it.
 */
export async function replayDataset(
  platform: Platform,
  request: { readonly dataset: string; readonly actor: string },
): Promise<{ readonly replayed: number; readonly held: number }> {
  const { declaredWrite, replayQuarantine } = await import("#data");
  const { store, project, config } = platform;
  const file = (await platform.contractOf(request.dataset))?.file;
  const contract = file === undefined ? undefined : { path: file, text: await readProjectFile(config.folder, file) };
  const batches = await store.read((transaction) =>
    listQuarantineBatches(transaction, { project, dataset: request.dataset, limit: MOST_BATCHES, onlyHeld: true }),
  );
  const write = declaredWrite(platform.definitionOf(request.dataset)?.declaration ?? {});
  let [replayed, held] = [0, 0];
  for (const batch of batches.toReversed()) {
    const result = await replayQuarantine(platform, {
      batchId: batch.id,
      actor: request.actor,
      write,
      ...(contract === undefined ? {} : { contract }),
    });
    replayed += result.replayed;
    held += result.held;
  }
  return { replayed, held };
}
