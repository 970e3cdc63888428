import { useQuery } from "@tanstack/react-query";
import type { WindowReport, WindowScore } from "#api";
import { groupScores } from "../models/window-report.ts";
import { queries } from "../services/queries.ts";
import { useMonitoringText } from "./monitoring-text.ts";
import { Empty, Panel } from "./page.tsx";
import { useSearchValue } from "./search-value.ts";
import { ShapeBars } from "./shape-bars.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";

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
            <ShapeBars
              key={`${score.metric} ${score.column ?? ""} ${score.segment ?? ""}`}
              column={[score.column ?? score.metric, score.segment].filter((part) => part !== undefined).join(" · ")}
              shape={score.shape}
            />
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
