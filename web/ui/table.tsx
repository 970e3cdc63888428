import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  /** CSS width of the grid track: `120px`, `minmax(160px, 2fr)`. */
  readonly width?: string;
  readonly align?: "right";
  readonly cell: (row: Row) => ReactNode;
  /** The value behind the cell: makes the column sortable, and is what the page's figure is recomputed from. */
  readonly sortBy?: (row: Row) => number | string | undefined;
  /** The value behind the cell of a column that is not sortable: of lists that go on, newest first. */
  readonly value?: (row: Row) => number | string | undefined;
}

interface TableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  /** Where the first cell of a row leads. */
  readonly rowLink?: (row: Row) => string;
  /** Rows beyond this are virtualised in a scrolling box. */
  readonly visibleRows?: number;
  /** Reading the rows that are not here yet. A table that is not whole reads them all before it sorts. */
  readonly more?: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
  readonly rowHeight?: number;
  /** Names the figures of the table: `NAME.COLUMN`. */
  readonly name?: string;
  /**
   * Sorts where the rows come from, for tables that hold a stretch of many; without it the table sorts its own rows.
   */
  readonly sorting?: { readonly value: Sorting | undefined; readonly set: (sorting: Sorting | undefined) => void };
}

const ROW_HEIGHT = 42;
const LEAST_COLUMN = 100;

export interface Sorting {
  readonly key: string;
  readonly isDescending: boolean;
}

/** A table for few and for very many rows: beyond `visibleRows` only what is seen is in the page. */
export function DataTable<Row>(props: TableProps<Row>) {
  const { label, rows, columns, rowKey, more, visibleRows = 14, rowHeight = ROW_HEIGHT } = props;
  const box = useRef<HTMLDivElement>(null);
  const { sorted, sorting, setSorting, isReading } = useSorted(props);
  const isVirtual = sorted.length > visibleRows * 2;
  const virtual = useVirtualizer({
    count: isVirtual ? sorted.length : 0,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const template = columns.map((column) => column.width ?? "minmax(100px, 1fr)").join(" ");
  const shown = isVirtual
    ? virtual.getVirtualItems().map((item) => ({ index: item.index, top: item.start }))
    : sorted.map((_, index) => ({ index, top: undefined }));
  return (
    <div className="table-frame">
      <div
        ref={box}
        className="table-scroll"
        style={isVirtual ? { maxHeight: (visibleRows + 1) * rowHeight } : undefined}
        tabIndex={0}
        role="region"
        aria-label={label}
      >
        <div
          role="table"
          aria-label={label}
          aria-rowcount={sorted.length + 1}
          className="table"
          style={{ minWidth: leastWidth(columns) }}
        >
          <div role="rowgroup" className="table-head">
            <div role="row" className="table-row" style={{ gridTemplateColumns: template }}>
              {columns.map((column) => (
                <HeadCell key={column.key} column={column} sorting={sorting} onSort={setSorting} />
              ))}
            </div>
          </div>
          <div role="rowgroup" style={isVirtual ? { height: virtual.getTotalSize(), position: "relative" } : undefined}>
            {shown.map(({ index, top }) => {
              const row = sorted[index];
              return row === undefined ? null : (
                <BodyRow
                  key={rowKey(row)}
                  row={row}
                  index={index}
                  top={top}
                  template={template}
                  height={rowHeight}
                  measure={virtual.measureElement}
                  {...props}
                />
              );
            })}
          </div>
        </div>
      </div>
      {more?.hasMore === true && <MoreRows more={more} count={rows.length} isReading={isReading} />}
    </div>
  );
}

/**
 * The rows in the order that was asked for, once they are all here: an order of some of them would pass for the order
 * of all.
 */
function useSorted<Row>({ rows, columns, more, sorting: given }: TableProps<Row>) {
  const own = useState<Sorting>();
  const [sorting, setSorting] = given === undefined ? own : [given.value, given.set];
  const isPartial = more?.hasMore === true;
  const isReading = given === undefined && sorting !== undefined && isPartial;
  useEffect(() => {
    if (isReading && !more.isLoading) more.load();
  }, [isReading, more]);
  const sorted = useMemo(
    () => (given !== undefined || isPartial ? rows : sortRows(rows, columns, sorting)),
    [given, isPartial, rows, columns, sorting],
  );
  return { sorted, sorting, setSorting, isReading };
}

function MoreRows({
  more,
  count,
  isReading,
}: {
  readonly more: NonNullable<TableProps<unknown>["more"]>;
  readonly count: number;
  readonly isReading: boolean;
}) {
  const { t } = useLanguage();
  return (
    <div className="table-more" role={isReading ? "status" : undefined}>
      <span className="muted">{t(isReading ? "table.readingAll" : "table.partial", { count })}</span>
      {!isReading && (
        <button type="button" className="plain-button" disabled={more.isLoading} onClick={more.load}>
          {more.isLoading ? t("page.loading") : t("table.more")}
        </button>
      )}
    </div>
  );
}

interface HeadCellProps<Row> {
  readonly column: Column<Row>;
  readonly sorting: Sorting | undefined;
  readonly onSort: (sorting: Sorting | undefined) => void;
}

function HeadCell<Row>({ column, sorting, onSort }: HeadCellProps<Row>) {
  const isSorted = sorting?.key === column.key;
  const order = !isSorted ? "none" : sorting.isDescending ? "descending" : "ascending";
  const next = !isSorted
    ? { key: column.key, isDescending: true }
    : sorting.isDescending
      ? { key: column.key, isDescending: false }
      : undefined;
  return (
    <div role="columnheader" aria-sort={order} className={`table-cell${column.align === "right" ? " right" : ""}`}>
      {column.sortBy === undefined ? (
        column.title
      ) : (
        <button type="button" className="table-sort" onClick={() => onSort(next)}>
          {column.title}
          <span className={`table-sort-mark ${order}`} aria-hidden="true">
            <Icon name="down" size={10} />
          </span>
        </button>
      )}
    </div>
  );
}

interface BodyRowProps<Row> extends TableProps<Row> {
  readonly row: Row;
  readonly index: number;
  readonly top: number | undefined;
  readonly template: string;
  readonly height: number;
  readonly measure: (element: HTMLElement | null) => void;
}

function BodyRow<Row>({
  row,
  index,
  top,
  template,
  height,
  measure,
  columns,
  rowLink,
  rowKey,
  name,
}: BodyRowProps<Row>) {
  const place =
    top === undefined
      ? { minHeight: height }
      : { minHeight: height, position: "absolute" as const, insetInline: 0, transform: `translateY(${top}px)` };
  const link = rowLink?.(row);
  return (
    <div
      role="row"
      ref={top === undefined ? undefined : measure}
      data-index={index}
      data-row={name === undefined ? undefined : rowKey(row)}
      aria-rowindex={index + 2}
      className={`table-row${link === undefined ? "" : " table-row-link"}`}
      style={{ gridTemplateColumns: template, ...place }}
    >
      {columns.map((column, position) => (
        <div
          role="cell"
          key={column.key}
          className={`table-cell${column.align === "right" ? " right" : ""}`}
          {...cellHooks(name, column, row)}
        >
          {position === 0 && link !== undefined ? (
            <Link to={link} className="row-link">
              {column.cell(row)}
            </Link>
          ) : (
            column.cell(row)
          )}
        </div>
      ))}
    </div>
  );
}

/** How a figure is found on a page by those who recompute it. */
function cellHooks<Row>(name: string | undefined, column: Column<Row>, row: Row): object {
  const value = column.value ?? column.sortBy;
  return name === undefined || value === undefined
    ? {}
    : { "data-figure": `${name}.${column.key}`, "data-value": value(row) };
}

/** Sum of the narrowest widths: below it the table scrolls sideways. */
function leastWidth<Row>(columns: readonly Column<Row>[]): number {
  return columns.reduce((sum, { width }) => sum + Number(/(\d+)px/.exec(width ?? "")?.[1] ?? LEAST_COLUMN), 0);
}

function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sorting: Sorting | undefined,
): readonly Row[] {
  const sortBy = columns.find((column) => column.key === sorting?.key)?.sortBy;
  if (sorting === undefined || sortBy === undefined) return rows;
  const direction = sorting.isDescending ? -1 : 1;
  return [...rows].sort((left, right) => direction * compare(sortBy(left), sortBy(right)));
}

function compare(left: number | string | undefined, right: number | string | undefined): number {
  if (left === right) return 0;
  if (left === undefined) return -1;
  if (right === undefined) return 1;
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right));
}
