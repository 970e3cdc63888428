import type { Json } from "#base";
import { type AssetVersion, getAssetVersion, listAssetVersions, type MetadataStore } from "#metadata-store";
import type { DatasetContent } from "../dataset.ts";
import { readLedger } from "./ledger.ts";
import type { SourcePosition } from "./sources/source.ts";

/** What a dataset has of its source. A dataset whose files were all asked for anew begins at the beginning. */
export async function findPosition(
  store: MetadataStore,
  of: { readonly project: string; readonly dataset: string },
): Promise<SourcePosition> {
  const ledger = await readLedger(store, of);
  const latest = await store.read((transaction) =>
    getAssetVersion(transaction, { project: of.project, asset: of.dataset }),
  );
  const isAnew = ledger.some(({ state }) => state === "anew");
  return { ledger, latest, cursor: () => (isAnew ? Promise.resolve(undefined) : findCursor(store, latest)) };
}

const PAGE = 100;

/**
 * The cursor that the rows of a version go up to: its own, that of the version whose content it has again, or that of
 * the nearest one before it, since a replay adds rows that were read long ago.
 */
async function findCursor(store: MetadataStore, latest: AssetVersion | undefined): Promise<Json | undefined> {
  if (latest === undefined) return undefined;
  const { project, asset } = latest;
  let before = latest.version + 1;
  for (;;) {
    const page = await store.read((transaction) =>
      listAssetVersions(transaction, { project, asset, before, limit: PAGE }),
    );
    for (const { version, content } of page) {
      if (version >= before) continue;
      const { cursor, dropped, restoredFrom } = content as DatasetContent;
      if (dropped === true) return undefined;
      if (cursor !== undefined) return cursor;
      before = restoredFrom === undefined ? version : restoredFrom + 1;
    }
    if (page.length < PAGE) return undefined;
  }
}
