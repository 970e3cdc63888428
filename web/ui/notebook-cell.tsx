import { memo, useMemo, useState } from "react";
import type { NotebookCell, NotebookOutput } from "#api";
import { ansiSpans } from "../models/ansi.ts";
import { lineDiff } from "../models/line-diff.ts";
import { highlightPython } from "../models/highlight.ts";
import { HtmlFrame } from "./html-frame.tsx";
import { useLanguage } from "./language.tsx";
import { Markdown } from "./markdown.tsx";
import "./notebook.css";
import "./log.css";

/** A cell with what it showed; when it changed, the difference is one click away. */
export const Cell = memo(function Cell({ cell }: { readonly cell: NotebookCell }) {
  const { t, name } = useLanguage();
  const [isDiff, setDiff] = useState(false);
  const canDiff = cell.change === "changed" && cell.sourceBefore !== undefined;
  return (
    <article
      className={`cell cell-${cell.type}${cell.change === undefined || cell.change === "unchanged" ? "" : " cell-changed"}`}
    >
      {(cell.tags.length > 0 || canDiff || cell.change === "added") && (
        <div className="cell-head">
          {cell.tags.map((tag) => (
            <span key={tag} className="chip">
              {tag}
            </span>
          ))}
          {cell.change !== undefined && cell.change !== "unchanged" && (
            <span className="state tone-waiting">{name("cellChange", cell.change)}</span>
          )}
          {canDiff && (
            <button type="button" className="link-button" aria-pressed={isDiff} onClick={() => setDiff(!isDiff)}>
              {isDiff ? t("notebook.hideDiff") : t("notebook.showDiff")}
            </button>
          )}
        </div>
      )}
      {isDiff ? (
        <Diff before={cell.sourceBefore ?? ""} after={cell.source} />
      ) : cell.type === "markdown" ? (
        <Markdown source={cell.source} />
      ) : (
        <Source cell={cell} />
      )}
      {cell.outputs.map((output, index) => (
        <Output key={index} output={output} />
      ))}
    </article>
  );
});

function Source({ cell }: { readonly cell: NotebookCell }) {
  const spans = useMemo(() => highlightPython(cell.source), [cell.source]);
  return (
    <div className="cell-source">
      <span className="cell-count" aria-hidden="true">
        {cell.type === "code" ? `[${cell.executionCount ?? " "}]` : ""}
      </span>
      <pre tabIndex={0}>
        <code>
          {cell.type === "code"
            ? spans.map((span, index) =>
                span.kind === "plain" ? (
                  span.text
                ) : (
                  <span key={index} className={`code-${span.kind}`}>
                    {span.text}
                  </span>
                ),
              )
            : cell.source}
        </code>
      </pre>
    </div>
  );
}

function Diff({ before, after }: { readonly before: string; readonly after: string }) {
  const { t } = useLanguage();
  const lines = useMemo(() => lineDiff(before, after), [before, after]);
  return (
    <pre className="diff" tabIndex={0} aria-label={t("notebook.showDiff")}>
      {lines.map((line, index) => (
        <span key={index} className={`diff-${line.kind}`}>
          {line.kind === "added" ? "+ " : line.kind === "removed" ? "- " : "  "}
          {line.text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function Output({ output }: { readonly output: NotebookOutput }) {
  const { t } = useLanguage();
  switch (output.kind) {
    case "image":
      return <img className="cell-image" alt={t("notebook.image")} src={imageAddress(output)} />;
    case "html":
      return <HtmlFrame html={output.data} />;
    case "json":
    case "text":
    case "error":
      return (
        <pre className={`cell-output cell-output-${output.kind}`} tabIndex={0}>
          {output.data.split("\n").map((line, index) => (
            <span key={index}>
              {ansiSpans(line).map((span, position) => (
                <span key={position} className={span.classes.join(" ")}>
                  {span.text}
                </span>
              ))}
              {"\n"}
            </span>
          ))}
        </pre>
      );
  }
}

function imageAddress(output: NotebookOutput): string {
  return output.mimeType === "image/svg+xml"
    ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(output.data)}`
    : `data:${output.mimeType};base64,${output.data}`;
}
