import type { Page } from "#api";

/**
 * A page from one item more than was asked for.
 *
 * @param found up to `limit` + 1 items
 * @param cursor the key of an item, to be passed back as `after`
 */
export function toPage<Found, Item>(found: readonly Found[], options: { readonly limit: number; readonly cursor: (item: Found) => string; readonly show: (item: Found) => Item }): Page<Item> {
  const shown = found.slice(0, options.limit);
  const last = shown.at(-1);
  return { items: shown.map(options.show), ...(found.length > options.limit && last !== undefined ? { next: options.cursor(last) } : {}) };
}
