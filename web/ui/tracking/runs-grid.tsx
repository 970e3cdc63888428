import { Link } from "@tanstack/react-router";
import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { memo, useEffect, useRef } from "react";
import { cellValue, orderEntry, type RunColumn } from "../../models/tracking/run-columns.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { address } from "../../routes/address.ts";
import { Icon } from "../icon.tsx";
import { Ago, Duration } from "../text.tsx";
import { RunStateBadge, RunStateMark } from "./run-state.tsx";
import { useTrackingText } from "./text.ts";

const ROW_HEIGHT = 36;
const LEAD_WIDTH = 300;
const WIDTHS: Readonly<Record<string, number>> = {
  "attribute.start_time": 130,
  "attribute.duration": 105,
  "attribute.status": 130,
  "attribute.run_id": 290,
  "attribute.source": 210,
};
const GROUP_WIDTHS = { attribute: 140, metric: 130, param: 130, tag: 150 } as const;
/** Rows before the end at which the next page is asked for. */
const AHEAD = 60;

export interface RunSorting {
  readonly id: string;
  readonly isDescending: boolean;
}

interface RunsGridProps {
  readonly runs: readonly TrackingRun[];
  readonly columns: readonly RunColumn[];
  readonly sorting: RunSorting | undefined;
  readonly onSort: (columnId: string) => void;
  readonly selected: ReadonlySet<string>;
  readonly pinned: ReadonlySet<string>;
  readonly onMark: (kind: "selected" | "pinned" | "hidden", id: string) => void;
  readonly onSelectAll: () => void;
  readonly hasMore: boolean;
  readonly onEnd: () => void;
}

/** Runs by columns; of very many of either only what is seen is in the page. */
export function RunsGrid(props: RunsGridProps) {
  const { runs, columns, hasMore, onEnd, selected, pinned, onMark } = props;
  const { t } = useTrackingText();
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    paddingStart: 0,
    scrollPaddingStart: ROW_HEIGHT,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => widthOf(columns[index]),
    overscan: 4,
    paddingStart: LEAD_WIDTH,
    getItemKey: (index) => columns[index]?.id ?? index,
  });
  useEffect(() => across.measure(), [across, columns]);
  const items = rows.getVirtualItems();
  const cells = across.getVirtualItems();
  const width = across.getTotalSize();
  const lastSeen = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && lastSeen >= runs.length - AHEAD) onEnd();
  }, [hasMore, lastSeen, runs.length, onEnd]);
  return (
    <div ref={box} className="runs-scroll" tabIndex={0} role="region" aria-label={t("runs.title")}>
      <div
        role="table"
        aria-label={t("runs.title")}
        aria-rowcount={hasMore ? -1 : runs.length + 1}
        aria-colcount={columns.length + 1}
        style={{ width, minWidth: "100%" }}
      >
        <div role="rowgroup" className="runs-head">
          <div role="row" className="runs-row" style={{ height: ROW_HEIGHT }}>
            <div role="columnheader" className="runs-lead" style={{ width: LEAD_WIDTH }}>
              <input
                type="checkbox"
                aria-label={t("runs.selectAll")}
                checked={runs.length > 0 && selected.size >= runs.length}
                onChange={props.onSelectAll}
              />
              <SortButton id="attribute.run_name" label={t("runs.run")} {...props} />
            </div>
            {cells.map((cell) => {
              const column = columns[cell.index];
              return column === undefined ? null : <HeadCell key={column.id} column={column} cell={cell} {...props} />;
            })}
          </div>
        </div>
        <div role="rowgroup" style={{ height: rows.getTotalSize(), position: "relative" }}>
          {items.map((item) => {
            const run = runs[item.index];
            return run === undefined ? null : (
              <RunRow
                key={run.id}
                run={run}
                index={item.index}
                top={item.start}
                columns={columns}
                cells={cells}
                isSelected={selected.has(run.id)}
                isPinned={pinned.has(run.id)}
                onMark={onMark}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function widthOf(column: RunColumn | undefined): number {
  if (column === undefined) return 0;
  return WIDTHS[column.id] ?? Math.min(260, Math.max(GROUP_WIDTHS[column.group], column.key.length * 7.5 + 34));
}

function HeadCell({
  column,
  cell,
  sorting,
  onSort,
}: Pick<RunsGridProps, "sorting" | "onSort"> & { readonly column: RunColumn; readonly cell: VirtualItem }) {
  const { name } = useTrackingText();
  const order = sorting?.id !== column.id ? "none" : sorting.isDescending ? "descending" : "ascending";
  const label = column.group === "attribute" ? name("runColumn", column.key) : column.key;
  return (
    <div
      role="columnheader"
      aria-sort={order}
      aria-colindex={cell.index + 2}
      className={`runs-cell group-${column.group}${column.group === "metric" ? " right" : ""}`}
      style={{ left: cell.start, width: cell.size }}
      title={`${name("columnGroup", column.group)}: ${label}`}
    >
      {orderEntry(column.id, true) === undefined ? (
        <span className="clip">{label}</span>
      ) : (
        <SortButton id={column.id} label={label} sorting={sorting} onSort={onSort} />
      )}
    </div>
  );
}

function SortButton({
  id,
  label,
  sorting,
  onSort,
}: Pick<RunsGridProps, "sorting" | "onSort"> & { readonly id: string; readonly label: string }) {
  const order = sorting?.id !== id ? "none" : sorting.isDescending ? "descending" : "ascending";
  return (
    <button type="button" className="table-sort" onClick={() => onSort(id)}>
      <span className="clip">{label}</span>
      <span className={`table-sort-mark ${order}`} aria-hidden="true">
        <Icon name="down" size={10} />
      </span>
    </button>
  );
}

interface RunRowProps extends Pick<RunsGridProps, "columns" | "onMark"> {
  readonly run: TrackingRun;
  readonly index: number;
  readonly top: number;
  readonly cells: readonly VirtualItem[];
  readonly isSelected: boolean;
  readonly isPinned: boolean;
}

const RunRow = memo(function RunRow({ run, index, top, columns, cells, isSelected, isPinned, onMark }: RunRowProps) {
  const { t } = useTrackingText();
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      className={`runs-row${isSelected ? " is-selected" : ""}${isPinned ? " is-pinned" : ""}`}
      style={{ height: ROW_HEIGHT, transform: `translateY(${top}px)`, position: "absolute", insetInline: 0 }}
    >
      <div role="rowheader" className="runs-lead" style={{ width: LEAD_WIDTH }}>
        <input
          type="checkbox"
          aria-label={t("runs.select", { name: run.name })}
          checked={isSelected}
          onChange={() => onMark("selected", run.id)}
        />
        <RunStateMark status={run.status} />
        <Link to={address.trackingRun(run.id)} className="clip runs-name" title={run.name} preload={false}>
          {run.name}
        </Link>
        {run.tags.has("mlflow.parentRunId") && <span className="chip">{t("runs.nested")}</span>}
        <span className="runs-marks">
          <button
            type="button"
            className="copy"
            aria-pressed={isPinned}
            aria-label={t(isPinned ? "runs.unpin" : "runs.pin", { name: run.name })}
            title={t(isPinned ? "runs.unpin" : "runs.pin", { name: run.name })}
            onClick={() => onMark("pinned", run.id)}
          >
            <Icon name={isPinned ? "check" : "deploy"} size={13} />
          </button>
          <button
            type="button"
            className="copy"
            aria-label={t("runs.hide", { name: run.name })}
            title={t("runs.hide", { name: run.name })}
            onClick={() => onMark("hidden", run.id)}
          >
            <Icon name="cross" size={13} />
          </button>
        </span>
      </div>
      {cells.map((cell) => {
        const column = columns[cell.index];
        return column === undefined ? null : (
          <div
            role="cell"
            key={column.id}
            aria-colindex={cell.index + 2}
            className={`runs-cell${column.group === "metric" ? " right" : ""}`}
            style={{ left: cell.start, width: cell.size }}
          >
            <RunCell run={run} column={column} />
          </div>
        );
      })}
    </div>
  );
});

function RunCell({ run, column }: { readonly run: TrackingRun; readonly column: RunColumn }) {
  const { format } = useTrackingText();
  if (column.id === "attribute.start_time") return <Ago atMs={run.startMs} />;
  if (column.id === "attribute.duration")
    return (
      <Duration
        startMs={run.startMs}
        {...(run.endMs === undefined ? (run.status === "RUNNING" ? {} : { endMs: run.startMs }) : { endMs: run.endMs })}
      />
    );
  if (column.id === "attribute.status") return <RunStateBadge status={run.status} />;
  const value = cellValue(run, column);
  if (value === undefined || value === "") return <span className="muted">–</span>;
  const text = typeof value === "number" ? metricText(value, format.number) : value;
  return (
    <span className="clip" title={String(value)}>
      {text}
    </span>
  );
}

/** A metric in few characters: small and large numbers in powers of ten, and NaN as what it is. */
export function metricText(value: number, number: (value: number, digits?: number) => string): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return value !== 0 && (size < 1e-3 || size >= 1e7) ? value.toExponential(3) : number(value, 4);
}
