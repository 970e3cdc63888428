import { type AssetVersion, listAssetVersions, type MetadataStore } from "#metadata-store";
import { getQuarantineBatch } from "#metadata-store/data";
import type { DatasetContent } from "./dataset.ts";
import type { Action } from "./delta/actions.ts";
import { readLogEntry } from "./delta/log-entry.ts";
import type { Table } from "./delta/table.ts";
import { rowCountOf } from "./delta/statistics.ts";
import { type RowSources, sourceKey, sumOf } from "./row-sources.ts";

const PAGE = 1000;

/**
 * Sources of data files that carry none, because an earlier release wrote them: what each version's record says of its
 * files, where it fits the one data file that the version added. Files that were rearranged since then are not among
 * them.
 *
 * @returns by path of the data file, as its `add` action has it
 */
export async function recoverRowSources(
  store: MetadataStore,
  of: { readonly project: string; readonly asset: string; readonly table: Table },
): Promise<ReadonlyMap<string, RowSources>> {
  const recovered = new Map<string, RowSources>();
  for await (const version of versionsOf(store, of)) {
    const content = version.content as DatasetContent;
    if (typeof content.disposition === "object") continue;
    const entry = await readLogEntry(of.table, content.deltaVersion).catch(() => undefined);
    const adds = (entry?.actions ?? []).flatMap(({ add }) => add ?? []);
    const [add] = adds;
    if (add === undefined || adds.length > 1) continue;
    const rows = rowCountOf(add.stats) ?? -1;
    const sources =
      content.captured?.map(({ digest, rows: count }) => [sourceKey(digest), count] as const) ??
      (await replayedSource(store, entry?.actions ?? [], rows));
    if (sources !== undefined && sumOf(sources) === rows) recovered.set(add.path, sources);
  }
  return recovered;
}

async function* versionsOf(
  store: MetadataStore,
  of: { readonly project: string; readonly asset: string },
): AsyncGenerator<AssetVersion> {
  for (let before: number | undefined; ;) {
    const page = await store.read((transaction) =>
      listAssetVersions(transaction, { ...of, limit: PAGE, ...(before === undefined ? {} : { before }) }),
    );
    yield* page;
    before = page.at(-1)?.version;
    if (page.length < PAGE) return;
  }
}

/** Rows that were replayed from a quarantine come from the file that they were held back from. */
async function replayedSource(
  store: MetadataStore,
  actions: readonly Action[],
  rows: number,
): Promise<RowSources | undefined> {
  const text = actions.find(({ commitInfo }) => commitInfo !== undefined)?.commitInfo?.userMetadata;
  const { replayOf } = text === undefined ? {} : (JSON.parse(text) as { readonly replayOf?: string });
  if (replayOf === undefined) return undefined;
  const batch = await store.read((transaction) => getQuarantineBatch(transaction, replayOf));
  return batch === undefined ? undefined : [[sourceKey(batch.sourceDigest), rows]];
}
