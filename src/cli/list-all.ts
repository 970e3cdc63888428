import type { Page } from "#api";

const PAGE = 1000;

/**
 * Every item of a listing, page after page until the API says that there is no more: how long a page is says nothing.
 */
export async function listAll<Item>(
  read: (page: { readonly limit: number; readonly after?: string }) => Promise<Page<Item>>,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let after: string | undefined; ;) {
    const page = await read({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    for (const item of page.items) items.push(item);
    if (page.next === undefined) return items;
    after = page.next;
  }
}
