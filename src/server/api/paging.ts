import type { Page } from "#api";
import { requestInvalid } from "../errors.ts";

/**
 * A page from one item more than was asked for.
 *
 * @param found up to `limit` + 1 items
 * @param cursor the key of an item, to be passed back as `after`
 */
export function toPage<Found, Item>(
  found: readonly Found[],
  options: { readonly limit: number; readonly cursor: (item: Found) => string; readonly show: (item: Found) => Item },
): Page<Item> {
  const shown = found.slice(0, options.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(options.show),
    ...(found.length > options.limit && last !== undefined ? { next: options.cursor(last) } : {}),
  };
}

/** The cursor of lists that are ordered by id. */
export const ULID: RegExp = /^([0-9A-Z]{26})$/;

/**
 * The parts of a cursor that a page before gave.
 *
 * @param pattern with one group for each part
 * @throws SERVER_REQUEST_INVALID for one that no page gave
 */
export function parseCursor(after: string | undefined, pattern: RegExp): readonly string[] | undefined {
  if (after === undefined) return undefined;
  const found = pattern.exec(after);
  if (found === null)
    throw requestInvalid({
      where: "query",
      problems: [
        `after: ${JSON.stringify(after.slice(0, 60))} is no cursor of this list; expected what "next" of the page before said`,
      ],
    });
  return found.slice(1);
}
