import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { DatasetRows } from "#api";
import { valueText } from "../models/format.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Read } from "./page.tsx";
import { type Column, DataTable } from "./table.tsx";

const PAGE_ROWS = 500;

interface NumberedRow {
  readonly number: number;
  readonly values: readonly unknown[];
}

/** Rows of one version of a dataset, a stretch at a time. */
export function RowsView({ name, version }: { readonly name: string; readonly version: number }) {
  const { t, format } = useLanguage();
  const [offset, setOffset] = useState(0);
  const rows = useQuery({ ...queries.datasetRows(name, { version, offset, limit: PAGE_ROWS }), placeholderData: keepPreviousData });
  return (
    <Read result={rows}>
      {(data) => (
        <>
          <div className="toolbar">
            <span className="muted">{t("rows.shown", { from: data.rows.length === 0 ? 0 : data.offset + 1, to: data.offset + data.rows.length, total: data.rowCount === undefined ? "?" : format.number(data.rowCount) })}</span>
            <button type="button" className="plain-button" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE_ROWS))}>
              {t("rows.before")}
            </button>
            <button type="button" className="plain-button" disabled={data.rows.length === 0 || (data.rowCount === undefined ? data.rows.length < PAGE_ROWS : data.offset + data.rows.length >= data.rowCount)} onClick={() => setOffset(data.offset + data.rows.length)}>
              {t("rows.after")}
            </button>
          </div>
          <RowsTable data={data} />
        </>
      )}
    </Read>
  );
}

function RowsTable({ data }: { readonly data: DatasetRows }) {
  const { t, format } = useLanguage();
  const rows = data.rows.map((values, index): NumberedRow => ({ number: data.offset + index + 1, values }));
  const columns: readonly Column<NumberedRow>[] = [
    { key: "#", title: "#", width: "70px", align: "right", cell: (row) => <span className="muted">{format.number(row.number)}</span> },
    ...data.columns.map((column, index): Column<NumberedRow> => {
      const isNumber = typeof data.rows.find((values) => values[index] !== null)?.[index] === "number";
      return {
        key: column.name, title: column.name, width: `minmax(${Math.min(220, Math.max(100, column.name.length * 9 + 30))}px, 1fr)`,
        ...(isNumber ? { align: "right" as const } : {}),
        cell: (row) => <Value value={row.values[index]} />,
        sortBy: (row) => sortValue(row.values[index]),
      };
    }),
  ];
  return <DataTable label={t("dataset.rows")} rows={rows} columns={columns} rowKey={(row) => String(row.number)} rowHeight={33} visibleRows={18} />;
}

/** One JSON value in a cell; no value looks like none. */
export function Value({ value }: { readonly value: unknown }) {
  const { format } = useLanguage();
  if (value === null || value === undefined) return <span className="cell-null">null</span>;
  if (typeof value === "number") return <>{Number.isInteger(value) ? String(value) : format.number(value, 6)}</>;
  const text = valueText(value);
  return (
    <span className="clip" title={text}>
      {text}
    </span>
  );
}

function sortValue(value: unknown): number | string | undefined {
  return typeof value === "number" || typeof value === "string" ? value : value === null || value === undefined ? undefined : valueText(value);
}
