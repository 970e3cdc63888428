/** A key and its value, as MLflow's tags and params are. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Rows by their owner's id, in the order they came. */
export function groupPairs(
  rows: readonly { readonly owner: string; readonly key: string; readonly value: string }[],
): ReadonlyMap<string, readonly KeyValue[]> {
  const groups = new Map<string, KeyValue[]>();
  for (const { owner, key, value } of rows) {
    const group = groups.get(owner);
    if (group === undefined) groups.set(owner, [{ key, value }]);
    else group.push({ key, value });
  }
  return groups;
}

/** The last value of each key. */
export function lastOfEachKey(pairs: readonly KeyValue[]): readonly KeyValue[] {
  return [...new Map(pairs.map((pair) => [pair.key, pair])).values()];
}

/** Pieces of a list that stay below the bind limits of both databases. */
export function chunksOf<Item>(items: readonly Item[], size = 5000): readonly (readonly Item[])[] {
  const chunks: (readonly Item[])[] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
