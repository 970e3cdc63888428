import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ColumnShape, WindowReport, WindowScore } from "#api";
import { message, type MessageParams } from "../messages/messages.ts";
import { monitoringEn } from "../messages/monitoring-en.ts";
import { monitoringPtBr } from "../messages/monitoring-pt-br.ts";
import type { Format } from "../models/format.ts";
import { groupScores } from "../models/window-report.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Empty, Panel } from "./page.tsx";
import { useSearchValue } from "./search-value.ts";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";

type MonitoringKey = keyof typeof monitoringEn;

/** Messages of windows: they come with this page, not with the start. */
function useMonitoringText(): {
  readonly t: (key: MonitoringKey, params?: MessageParams) => string;
  readonly format: Format;
} {
  const { language, format } = useLanguage();
  return useMemo(() => {
    const messages: Readonly<Record<MonitoringKey, string>> = language === "en" ? monitoringEn : monitoringPtBr;
    return { t: (key, params) => message({ language, messages }, key, params), format };
  }, [language, format]);
}

/** Everything that was computed of one window, with the ways to its neighbours. */
export function WindowView({ environment, name }: { readonly environment: string; readonly name: string }) {
  const { t } = useMonitoringText();
  const [chosen, choose] = useSearchValue("at");
  const at = chosen === undefined ? undefined : Number(chosen);
  const window = useQuery(queries.endpointWindow(environment, name, Number.isNaN(at) ? undefined : at));
  if (window.isPending) return null;
  if (window.data === undefined)
    return <Empty icon="endpoint" title={t("window.none.title")} text={t("window.none.text")} />;
  return <Report window={window.data} choose={(startMs) => choose(String(startMs))} />;
}

interface ReportProps {
  readonly window: WindowReport;
  readonly choose: (startMs: number) => void;
}

function Report({ window, choose }: ReportProps) {
  const { t, format } = useMonitoringText();
  const { beforeMs, afterMs } = window;
  // Windows are of the time of events, in UTC.
  const type = window.size === "hour" ? "TIMESTAMP" : "DATE";
  const boundOf = (atMs: number): string => format.dataTime(new Date(atMs).toISOString(), type);
  return (
    <>
      <div className="toolbar">
        <button
          type="button"
          className="field"
          disabled={beforeMs === undefined}
          onClick={() => beforeMs !== undefined && choose(beforeMs)}
        >
          {t("window.before")}
        </button>
        <strong>
          {boundOf(window.startMs)} – {boundOf(window.endMs)}
        </strong>
        <button
          type="button"
          className="field"
          disabled={afterMs === undefined}
          onClick={() => afterMs !== undefined && choose(afterMs)}
        >
          {t("window.after")}
        </button>
        <span className="muted">
          {t("window.summary", { predictions: window.predictionCount, labelled: window.labelledCount })},{" "}
          {t(window.isClosed ? "window.closed" : "window.open")}
        </span>
      </div>
      {groupScores(window).map(([group, scores]) => (
        <Panel key={group} title={t(`group.${group}`)} icon="dashboard" flush>
          <Scores name={group} label={t(`group.${group}`)} scores={scores} />
          {movedShapes(scores).map((score) => (
            <ShapeBars key={`${score.metric} ${score.column ?? ""} ${score.segment ?? ""}`} score={score} />
          ))}
        </Panel>
      ))}
    </>
  );
}

/** One of each column and segment, however many methods say that it moved. */
function movedShapes(scores: readonly WindowScore[]): readonly WindowScore[] {
  const moved = scores.filter(({ shape, breached }) => shape !== undefined && breached === true);
  const nameOf = ({ metric, column, segment }: WindowScore): string => JSON.stringify([column ?? metric, segment]);
  return moved.filter((score, index) => moved.findIndex((other) => nameOf(other) === nameOf(score)) === index);
}

interface ScoresProps {
  readonly name: string;
  readonly label: string;
  readonly scores: readonly WindowScore[];
}

function Scores({ name, label, scores }: ScoresProps) {
  const { t, format } = useMonitoringText();
  const number = (value: number | undefined): string => (value === undefined ? "–" : format.number(value, 4));
  const columns: readonly Column<WindowScore>[] = [
    {
      key: "metric",
      title: t("column.metric"),
      width: "minmax(150px, 1.2fr)",
      cell: (score) => <span title={definitionOf(score)}>{score.metric}</span>,
    },
    {
      key: "of",
      title: t("column.of"),
      width: "minmax(110px, 1fr)",
      cell: (score) => (
        <span className="wrap">{[score.column, score.segment].filter((part) => part !== undefined).join(" · ")}</span>
      ),
    },
    {
      key: "value",
      title: t("column.value"),
      width: "92px",
      align: "right",
      cell: (score) => number(score.value),
      value: (score) => score.value,
    },
    {
      key: "chance",
      title: t("column.chance"),
      width: "160px",
      align: "right",
      cell: ({ low, high }) => (low === undefined || high === undefined ? "–" : `${number(low)} – ${number(high)}`),
    },
    {
      key: "reference",
      title: t("column.reference"),
      width: "106px",
      align: "right",
      cell: (score) => number(score.baseline),
    },
    {
      key: "threshold",
      title: t("column.threshold"),
      width: "106px",
      align: "right",
      cell: (score) => number(score.threshold),
    },
    {
      key: "rows",
      title: t("column.rows"),
      width: "74px",
      align: "right",
      cell: (score) => format.number(score.rows),
    },
    {
      key: "state",
      title: t("column.state"),
      width: "minmax(110px, 1fr)",
      cell: (score) =>
        score.breached === undefined ? (
          <span className="muted wrap">{score.reason ?? ""}</span>
        ) : (
          <span title={definitionOf(score)}>
            <StateBadge state={score.breached ? "alert" : "ok"} />
          </span>
        ),
    },
  ];
  return (
    <DataTable
      name={`window-${name}`}
      label={label}
      rows={scores}
      columns={columns}
      rowKey={(score) => `${score.metric} ${score.column ?? ""} ${score.segment ?? ""}`}
    />
  );
}

function definitionOf({ definition }: WindowScore): string {
  return Object.entries(definition)
    .map(([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`)
    .join(", ");
}

const WIDTH = 360;
const HEIGHT = 60;

/** Both sides of a column, bin by bin, beside each other. */
function ShapeBars({ score }: { readonly score: WindowScore }) {
  const { t, format } = useMonitoringText();
  const shape: ColumnShape = score.shape ?? { bins: [], reference: [], current: [] };
  const largest = Math.max(0.001, ...shape.reference, ...shape.current);
  const step = WIDTH / Math.max(1, shape.bins.length);
  const sides = [
    { values: shape.reference, color: "var(--ink-soft)", offset: 0.1, label: t("shape.reference") },
    { values: shape.current, color: "var(--series-1)", offset: 0.5, label: t("shape.current") },
  ];
  const column = [score.column ?? score.metric, score.segment].filter((part) => part !== undefined).join(" · ");
  return (
    <figure className="panel-note">
      <figcaption>
        {column}{" "}
        {sides.map(({ label, color }) => (
          <span key={label} className="muted">
            <span style={{ color }}>■</span> {label}{" "}
          </span>
        ))}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={t("shape.label", { column })}
      >
        {sides.flatMap(({ values, color, offset, label }) =>
          shape.bins.map((bin, index) => {
            const share = values[index] ?? 0;
            const height = (share / largest) * HEIGHT;
            return (
              <rect
                key={`${label} ${bin}`}
                x={(index + offset) * step}
                y={HEIGHT - height}
                width={step * 0.38}
                height={height}
                fill={color}
              >
                <title>{`${bin}: ${label} ${format.percent(share, 1)}`}</title>
              </rect>
            );
          }),
        )}
      </svg>
    </figure>
  );
}
