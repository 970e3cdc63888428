import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** A value in the page's address: a link to the page keeps it. */
export function useSearchValue(name: string): readonly [string | undefined, (value: string | undefined) => void] {
  const search: Readonly<Record<string, unknown>> = useSearch({ strict: false });
  const navigate = useNavigate();
  const value = search[name];
  const set = useCallback(
    (next: string | undefined) => {
      void navigate({
        to: ".",
        search: ((before: Record<string, unknown>) => ({ ...before, [name]: next })) as never,
        replace: true,
        resetScroll: false,
      });
    },
    [navigate, name],
  );
  return [typeof value === "string" || typeof value === "number" ? String(value) : undefined, set];
}

/** A value in the page's address that is one of a list; another is none. */
export function useSearchChoice<Value extends string>(
  name: string,
  known: readonly Value[],
): readonly [Value | undefined, (value: string | undefined) => void] {
  const [value, set] = useSearchValue(name);
  return [known.find((each) => each === value), set];
}

/** A value in the page's address that opens something over the page: going back closes it, and closing it goes back. */
export function useOpened(name: string): readonly [string | undefined, (value: string | undefined) => void] {
  const [value, replace] = useSearchValue(name);
  const router = useRouter();
  const set = useCallback(
    (next: string | undefined) => {
      const { history } = router;
      const isOurs = history.location.state["opened" as keyof typeof history.location.state] === name;
      if (next === undefined && isOurs) history.back();
      else if (next === undefined) replace(undefined);
      else
        void router.navigate({
          to: ".",
          search: ((before: Record<string, unknown>) => ({ ...before, [name]: next })) as never,
          replace: isOurs,
          state: { opened: name } as never,
          resetScroll: false,
        });
    },
    [router, name, replace],
  );
  return [value, set];
}
