import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** A value in the page's address: a link to the page keeps it, the back button undoes it. */
export function useSearchValue(name: string): readonly [string | undefined, (value: string | undefined) => void] {
  const search: Readonly<Record<string, unknown>> = useSearch({ strict: false });
  const navigate = useNavigate();
  const value = search[name];
  const set = useCallback(
    (next: string | undefined) => {
      void navigate({ to: ".", search: ((before: Record<string, unknown>) => ({ ...before, [name]: next })) as never, replace: true, resetScroll: false });
    },
    [navigate, name],
  );
  return [typeof value === "string" || typeof value === "number" ? String(value) : undefined, set];
}
