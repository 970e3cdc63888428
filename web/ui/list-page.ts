import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryOptions } from "@tanstack/react-query";
import { useEffect } from "react";
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

/** Every item of a list, page after page: for a choice that must offer all of them. */
export function useWholeList<Item, Key extends readonly unknown[]>(
  options: UseInfiniteQueryOptions<Page<Item>, Error, InfiniteData<Page<Item>>, Key, string | undefined>,
): readonly Item[] {
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(options);
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return data?.pages.flatMap((page) => page.items) ?? [];
}
