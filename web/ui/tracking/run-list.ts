import { useCallback, useEffect, useRef, useState } from "react";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { readRuns, type RunSearch } from "../../services/tracking-queries.ts";

/** The first page is small, so that it is there at once; those that follow are read while someone scrolls. */
const FIRST_PAGE = 100;
const NEXT_PAGE = 500;
/** Most runs that are read again by one refresh; what was loaded beyond stays as it was. */
const MOST_REFRESHED = 1000;

interface Loaded {
  /** Of which search these runs are. */
  readonly key: string;
  readonly runs: readonly TrackingRun[];
  readonly token: string | undefined;
}

export interface RunList {
  readonly runs: readonly TrackingRun[] | undefined;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
  readonly load: () => void;
  /** Reads again what stands first. Resolves when it is here. */
  readonly refresh: () => Promise<void>;
}

/**
 * The runs of a search, page after page.
 *
 * While another search is on its way, and after one that the server refused, the runs of the one before stay.
 */
export function useRunList(search: RunSearch): RunList {
  const key = JSON.stringify(search);
  const [loaded, setLoaded] = useState<Loaded>();
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>();
  const current = useRef({ key, loaded });
  current.current = { key, loaded };
  const isReading = useRef(false);

  const read = useCallback(
    async (
      limit: number,
      token: string | undefined,
      merge: (before: readonly TrackingRun[], runs: readonly TrackingRun[]) => Pick<Loaded, "runs"> & Partial<Loaded>,
      signal?: AbortSignal,
    ) => {
      isReading.current = true;
      setLoading(true);
      try {
        const page = await readRuns(JSON.parse(key) as RunSearch, { limit, token }, signal);
        if (current.current.key !== key) return;
        const before = current.current.loaded?.key === key ? current.current.loaded.runs : [];
        setLoaded({ key, token: page.token, ...merge(before, page.runs) });
        setError(undefined);
      } catch (failure) {
        if (signal?.aborted !== true && current.current.key === key) setError(failure);
      } finally {
        if (signal?.aborted !== true) {
          isReading.current = false;
          setLoading(false);
        }
      }
    },
    [key],
  );
  useEffect(() => {
    const stop = new AbortController();
    void read(FIRST_PAGE, undefined, (_, runs) => ({ runs }), stop.signal);
    return () => stop.abort();
  }, [read]);

  const token = loaded?.key === key ? loaded.token : undefined;
  const load = useCallback(() => {
    if (token !== undefined && !isReading.current)
      void read(NEXT_PAGE, token, (before, runs) => ({ runs: [...before, ...runs] }));
  }, [read, token]);
  const refresh = useCallback(async () => {
    const before = current.current.loaded;
    const count = Math.min(MOST_REFRESHED, Math.max(FIRST_PAGE, before?.runs.length ?? 0));
    await read(count, undefined, (old, runs) => {
      if (old.length <= count || before === undefined) return { runs };
      const ids = new Set(runs.map(({ id }) => id));
      return { runs: [...runs, ...old.slice(count).filter(({ id }) => !ids.has(id))], token: before.token };
    });
  }, [read]);
  return { runs: loaded?.runs, hasMore: token !== undefined, isLoading, error, load, refresh };
}
