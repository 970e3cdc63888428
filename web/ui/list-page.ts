import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryOptions } from "@tanstack/react-query";
import type { Page } from "#api";

/** All pages read so far as one list, and how to read the next. */
export function useList<Item, Key extends readonly unknown[]>(
  options: UseInfiniteQueryOptions<Page<Item>, Error, InfiniteData<Page<Item>>, Key, string | undefined>,
) {
  const result = useInfiniteQuery(options);
  const items = result.data?.pages.flatMap((page) => page.items);
  return {
    result: { data: items, error: result.error, isPending: result.isPending, refetch: result.refetch },
    more: {
      hasMore: result.hasNextPage,
      isLoading: result.isFetchingNextPage,
      load: () => void result.fetchNextPage(),
    },
  };
}
