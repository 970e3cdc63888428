import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { highlightPython } from "../../models/highlight.ts";
import {
  imageType,
  jsonTable,
  parseDelimited,
  previewKind,
  type PreviewTable,
} from "../../models/tracking/artifact-preview.ts";
import { readArtifact } from "../../services/artifact-file.ts";
import { Markdown } from "../markdown.tsx";
import { Read } from "../page.tsx";
import { Value } from "../rows-view.tsx";
import { type Column, DataTable } from "../table.tsx";
import { useTrackingText } from "./text.ts";

/** Most that is read of a file to show it; the rest is for downloading. */
const MOST_TEXT_BYTES = 1_000_000;
const MOST_IMAGE_BYTES = 20_000_000;
const MOST_COLUMNS = 200;

/** A look into a file: of a large one only its start, which is said. Nothing in it runs. */
export function ArtifactPreview({ runId, path }: { readonly runId: string; readonly path: string }) {
  const { t, format } = useTrackingText();
  const kind = previewKind(path);
  const most = kind === "image" ? MOST_IMAGE_BYTES : MOST_TEXT_BYTES;
  const file = useQuery({
    queryKey: ["artifact", runId, path, most],
    queryFn: ({ signal }) => readArtifact(runId, path, most, signal),
    enabled: kind !== "none",
    staleTime: 60_000,
    gcTime: 30_000,
  });
  if (kind === "none") return <p className="muted">{t("artifacts.noPreview")}</p>;
  return (
    <Read result={file}>
      {({ bytes, isWhole }) => (
        <>
          {!isWhole && (
            <p className="muted" style={{ marginBottom: 8 }}>
              {t("artifacts.start", { size: format.bytes(bytes.length) })}
            </p>
          )}
          {kind === "image" ? (
            isWhole && <Image bytes={bytes} path={path} />
          ) : (
            <TextPreview bytes={bytes} path={path} isCut={!isWhole} />
          )}
        </>
      )}
    </Read>
  );
}

function Image({ bytes, path }: { readonly bytes: Uint8Array<ArrayBuffer>; readonly path: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type: imageType(path) }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes, path]);
  return url === undefined ? null : <img className="artifact-image" src={url} alt={path} />;
}

function TextPreview({
  bytes,
  path,
  isCut,
}: {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly path: string;
  readonly isCut: boolean;
}) {
  const { t } = useTrackingText();
  const text = useMemo(() => new TextDecoder().decode(bytes), [bytes]);
  switch (previewKind(path)) {
    case "table":
      return (
        <TablePreview
          table={parseDelimited(text, path.toLowerCase().endsWith(".tsv") ? "\t" : ",", { isCut })}
          label={path}
        />
      );
    case "json":
      return <JsonPreview text={text} label={path} />;
    case "markdown":
      return <Markdown source={text} />;
    case "html":
      return (
        <>
          <p className="muted" style={{ marginBottom: 8 }}>
            {t("artifacts.htmlSafe")}
          </p>
          <iframe
            className="artifact-frame"
            sandbox=""
            title={path}
            srcDoc={`<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">${text}`}
          />
        </>
      );
    case "text":
    case "image":
    case "none":
      return <Code text={text} isPython={path.endsWith(".py")} label={path} />;
  }
}

function Code({
  text,
  isPython,
  label,
}: {
  readonly text: string;
  readonly isPython: boolean;
  readonly label: string;
}) {
  const spans = useMemo(() => (isPython ? highlightPython(text) : undefined), [text, isPython]);
  return (
    <pre className="preview-text" tabIndex={0} aria-label={label}>
      {spans === undefined
        ? text
        : spans.map((span, index) =>
            span.kind === "plain" ? (
              span.text
            ) : (
              <span key={index} className={`code-${span.kind}`}>
                {span.text}
              </span>
            ),
          )}
    </pre>
  );
}

function JsonPreview({ text, label }: { readonly text: string; readonly label: string }) {
  const value = useMemo((): { readonly parsed: unknown } | undefined => {
    try {
      // JSON as Python writes it may hold NaN.
      return { parsed: JSON.parse(text.replace(/(?<=[[:,]\s*)-?(?:NaN|Infinity)(?=\s*[,\]}])/g, "null")) };
    } catch {
      return undefined;
    }
  }, [text]);
  const table = value === undefined ? undefined : jsonTable(value.parsed);
  if (table !== undefined) return <TablePreview table={table} label={label} />;
  return (
    <Code
      text={value === undefined ? text : JSON.stringify(value.parsed, undefined, 2)}
      isPython={false}
      label={label}
    />
  );
}

interface NumberedRow {
  readonly number: number;
  readonly values: readonly unknown[];
}

function TablePreview({ table, label }: { readonly table: PreviewTable; readonly label: string }) {
  const { t } = useTrackingText();
  const rows = useMemo(() => table.rows.map((values, index): NumberedRow => ({ number: index + 1, values })), [table]);
  const columns = table.columns.slice(0, MOST_COLUMNS).map((name, index): Column<NumberedRow> => ({
    key: String(index),
    title: name,
    width: `minmax(${Math.min(220, Math.max(90, name.length * 9 + 26))}px, 1fr)`,
    cell: (row) => <Value value={row.values[index]} />,
    sortBy: (row) => sortValue(row.values[index]),
  }));
  return (
    <>
      <DataTable
        label={label}
        rows={rows}
        columns={columns}
        rowKey={(row) => String(row.number)}
        rowHeight={31}
        visibleRows={16}
      />
      <p className="muted">{t("artifacts.rows", { count: rows.length })}</p>
    </>
  );
}

function sortValue(value: unknown): number | string | undefined {
  if (typeof value === "number" || value === undefined || value === null) return value ?? undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
