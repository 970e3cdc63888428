import { useCallback, useMemo, useState } from "react";

export interface RunMarks {
  readonly selected: ReadonlySet<string>;
  /** Stand first, whatever the order. */
  readonly pinned: ReadonlySet<string>;
  readonly hidden: ReadonlySet<string>;
  readonly toggle: (kind: "selected" | "pinned" | "hidden", id: string) => void;
  /** Selects exactly these, or nothing when they all are selected. */
  readonly selectAll: (ids: readonly string[]) => void;
  readonly showHidden: () => void;
}

interface Kept {
  readonly pinned: readonly string[];
  readonly hidden: readonly string[];
}

/** Which runs are selected, pinned and hidden; pins and hidden runs are kept in this browser. */
export function useRunMarks(experimentId: string): RunMarks {
  const place = `esteira-run-marks-${experimentId}`;
  const [kept, setKept] = useState(() => readKept(place));
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const keep = useCallback(
    (change: (before: Kept) => Kept) =>
      setKept((before) => {
        const next = change(before);
        localStorage.setItem(place, JSON.stringify(next));
        return next;
      }),
    [place],
  );
  const toggle = useCallback<RunMarks["toggle"]>(
    (kind, id) => {
      if (kind === "selected")
        setSelected((before) => new Set(before.has(id) ? [...before].filter((each) => each !== id) : [...before, id]));
      else
        keep((before) => ({
          ...before,
          [kind]: before[kind].includes(id) ? before[kind].filter((each) => each !== id) : [...before[kind], id],
        }));
    },
    [keep],
  );
  const selectAll = useCallback(
    (ids: readonly string[]) =>
      setSelected((before) =>
        before.size >= ids.length && ids.every((id) => before.has(id)) ? new Set() : new Set(ids),
      ),
    [],
  );
  const showHidden = useCallback(() => keep((before) => ({ ...before, hidden: [] })), [keep]);
  const pinned = useMemo(() => new Set(kept.pinned), [kept.pinned]);
  const hidden = useMemo(() => new Set(kept.hidden), [kept.hidden]);
  return useMemo(
    () => ({ selected, pinned, hidden, toggle, selectAll, showHidden }),
    [selected, pinned, hidden, toggle, selectAll, showHidden],
  );
}

function readKept(place: string): Kept {
  try {
    const { pinned, hidden } = JSON.parse(localStorage.getItem(place) ?? "{}") as Partial<Kept>;
    return { pinned: Array.isArray(pinned) ? pinned : [], hidden: Array.isArray(hidden) ? hidden : [] };
  } catch {
    return { pinned: [], hidden: [] };
  }
}
