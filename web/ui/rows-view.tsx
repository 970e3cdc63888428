import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { DatasetRows } from "#api";
import { type Format, isTimeType, valueText } from "../models/format.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Read } from "./page.tsx";
import { type Column, DataTable, type Sorting } from "./table.tsx";

const PAGE_ROWS = 500;
/** Widths of a column, in pixels: of one character, around the text, and the bounds. */
const CHARACTER = 7.6;
const PADDING = 30;
const NARROWEST = 70;
const WIDEST = 420;

interface NumberedRow {
  readonly number: number;
  readonly values: readonly unknown[];
}

/** Rows of one version of a dataset, a stretch at a time. */
export function RowsView({ name, version }: { readonly name: string; readonly version: number }) {
  const { t, format } = useLanguage();
  const [offset, setOffset] = useState(0);
  const [sorting, setSorting] = useState<Sorting>();
  const order = sorting?.isDescending === true ? "descending" : "ascending";
  const sorted = sorting === undefined ? {} : ({ sort: sorting.key, order } as const);
  const rows = useQuery({
    ...queries.datasetRows(name, { version, offset, limit: PAGE_ROWS, ...sorted }),
    placeholderData: keepPreviousData,
  });
  const sort = (next: Sorting | undefined): void => {
    setSorting(next);
    setOffset(0);
  };
  return (
    <Read result={rows}>
      {(data) => (
        <>
          <div className="toolbar">
            <span className="muted" aria-live="polite">
              {t("rows.shown", {
                from: data.rows.length === 0 ? 0 : data.offset + 1,
                to: data.offset + data.rows.length,
                total: data.rowCount === undefined ? "?" : format.number(data.rowCount),
              })}
            </span>
            <button
              type="button"
              className="plain-button"
              disabled={offset === 0}
              onClick={() => setOffset(Math.max(0, offset - PAGE_ROWS))}
            >
              {t("rows.before")}
            </button>
            <button
              type="button"
              className="plain-button"
              disabled={
                data.rows.length === 0 ||
                (data.rowCount === undefined
                  ? data.rows.length < PAGE_ROWS
                  : data.offset + data.rows.length >= data.rowCount)
              }
              onClick={() => setOffset(data.offset + data.rows.length)}
            >
              {t("rows.after")}
            </button>
            {sorting !== undefined && (
              <span className="muted">
                {t(sorting.isDescending ? "rows.sortedDown" : "rows.sortedUp", {
                  column: sorting.key,
                  total: data.rowCount === undefined ? "?" : format.number(data.rowCount),
                })}
              </span>
            )}
          </div>
          <RowsTable data={data} sorting={{ value: sorting, set: sort }} />
        </>
      )}
    </Read>
  );
}

function RowsTable({
  data,
  sorting,
}: {
  readonly data: DatasetRows;
  readonly sorting: { readonly value: Sorting | undefined; readonly set: (sorting: Sorting | undefined) => void };
}) {
  const { t, format } = useLanguage();
  const rows = data.rows.map((values, index): NumberedRow => ({ number: data.offset + index + 1, values }));
  const columns: readonly Column<NumberedRow>[] = [
    {
      key: "#",
      title: "#",
      width: "70px",
      align: "right",
      cell: (row) => <span className="muted">{format.number(row.number)}</span>,
    },
    ...data.columns.map((column, index): Column<NumberedRow> => {
      const isNumber = typeof data.rows.find((values) => values[index] !== null)?.[index] === "number";
      const longest = data.rows.reduce(
        (most, values) => Math.max(most, cellText(values[index], column.type, format).length),
        column.name.length + 2,
      );
      return {
        key: column.name,
        title: column.name,
        width: `minmax(${Math.min(WIDEST, Math.max(NARROWEST, Math.ceil(longest * CHARACTER) + PADDING))}px, 1fr)`,
        ...(isNumber ? { align: "right" as const } : {}),
        cell: (row) => <Value value={row.values[index]} type={column.type} />,
        sortBy: (row) => sortValue(row.values[index]),
      };
    }),
  ];
  return (
    <DataTable
      name="row"
      sorting={sorting}
      label={t("dataset.rows")}
      rows={rows}
      columns={columns}
      rowKey={(row) => String(row.number)}
      rowHeight={33}
      visibleRows={18}
    />
  );
}

/** One JSON value in a cell; no value looks like none. */
export function Value({ value, type = "" }: { readonly value: unknown; readonly type?: string }) {
  const { format } = useLanguage();
  if (value === null || value === undefined) return <span className="cell-null">null</span>;
  const text = cellText(value, type, format);
  if (typeof value === "number") return <>{text}</>;
  return (
    <span className="clip" title={text}>
      {text}
    </span>
  );
}

/** @param type DuckDB type of the column */
function cellText(value: unknown, type: string, format: Format): string {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : format.number(value, 6);
  return typeof value === "string" && isTimeType(type) ? format.dataTime(value, type) : valueText(value);
}

function sortValue(value: unknown): number | string | undefined {
  return typeof value === "number" || typeof value === "string"
    ? value
    : value === null || value === undefined
      ? undefined
      : valueText(value);
}
