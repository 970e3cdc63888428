import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { AlertCause, AlertDetail, AlertExplanation, AlertNotice, AlertSegment } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useMonitoringText } from "./monitoring-text.ts";
import { Panel } from "./page.tsx";
import { ShapeBars } from "./shape-bars.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";

/** Why an alert opened: since when, which columns and rows, what changed, what to do, and who was told. */
export default function AlertView({ id }: { readonly id: string }) {
  const { t } = useMonitoringText();
  const alert = useQuery(queries.alert(id));
  if (alert.isPending) return null;
  if (alert.data === undefined) return <p className="panel-note">{t("alert.gone")}</p>;
  return <Explained alert={alert.data} />;
}

function Explained({ alert }: { readonly alert: AlertDetail }) {
  const { t } = useMonitoringText();
  const { explanation } = alert;
  return (
    <Panel title={alert.monitor} icon="alert" flush>
      <p className="panel-note">
        {alert.message}
        {alert.closeReason !== undefined && (
          <>
            <br />
            {t("alert.closed", { reason: alert.closeReason })}
          </>
        )}
      </p>
      {explanation === undefined ? (
        <p className="panel-note muted">{t("alert.unexplained")}</p>
      ) : (
        <Explanation explanation={explanation} />
      )}
      {alert.notices.length > 0 && <Notices notices={alert.notices} />}
    </Panel>
  );
}

function Explanation({ explanation }: { readonly explanation: AlertExplanation }) {
  const { t, format } = useMonitoringText();
  const { since, columns, segments, causes, advice } = explanation;
  const moment = (atMs: number): string => format.dataTime(new Date(atMs).toISOString(), "TIMESTAMP");
  return (
    <>
      <p className="panel-note">
        <strong>{t("alert.since", { at: moment(since.atMs ?? since.windowStartMs), count: since.windows })}.</strong>{" "}
        {since.lastGoodStartMs !== undefined &&
          since.lastGoodEndMs !== undefined &&
          t("alert.lastGood", {
            from: moment(since.lastGoodStartMs),
            to: moment(since.lastGoodEndMs),
            value: since.lastGoodValue === undefined ? "–" : format.number(since.lastGoodValue, 4),
          })}
      </p>
      {advice.length > 0 && (
        <div className="panel-note">
          <strong>{t("alert.advice")}</strong>
          <ul>
            {advice.map(({ kind, name = "", version = 0, pipelineRunId }) => (
              <li key={kind}>
                {pipelineRunId === undefined ? (
                  t(`advice.${kind}`, { name, version })
                ) : (
                  <Link to={address.run(pipelineRunId)}>{t(`advice.${kind}`, { name, version })}</Link>
                )}
              </li>
            ))}
          </ul>
        </div>
      )}
      {columns.map((column) => (
        <div key={column.column}>
          <ShapeBars
            column={[
              column.column,
              column.value === undefined ? undefined : `${column.metric ?? ""} ${format.number(column.value, 4)}`,
              column.nullShare === column.referenceNullShare
                ? undefined
                : t("alert.missing", {
                    now: format.percent(column.nullShare, 1),
                    before: format.percent(column.referenceNullShare, 1),
                  }),
            ]
              .filter((part) => part !== undefined)
              .join(" · ")}
            shape={column.shape}
          />
        </div>
      ))}
      {segments.length > 0 && <Segments segments={segments} />}
      <p className="panel-note">
        <strong>{t("alert.causes")}</strong>
        <br />
        <span className="muted">{causes.length === 0 ? t("alert.noCause") : t("alert.proof")}</span>
      </p>
      {causes.length > 0 && <Causes causes={causes} />}
    </>
  );
}

function Segments({ segments }: { readonly segments: readonly AlertSegment[] }) {
  const { t, format } = useMonitoringText();
  const columns: readonly Column<AlertSegment>[] = [
    {
      key: "segment",
      title: t("alert.where"),
      width: "minmax(150px, 1.4fr)",
      cell: ({ segment }) => <span className="wrap">{segment}</span>,
    },
    { key: "metric", title: t("column.metric"), width: "minmax(120px, 1fr)", cell: ({ metric }) => metric },
    {
      key: "value",
      title: t("column.value"),
      width: "92px",
      align: "right",
      cell: ({ value }) => format.number(value, 4),
      value: ({ value }) => value,
    },
    {
      key: "reference",
      title: t("column.reference"),
      width: "106px",
      align: "right",
      cell: ({ baseline }) => (baseline === undefined ? "–" : format.number(baseline, 4)),
    },
    { key: "rows", title: t("column.rows"), width: "74px", align: "right", cell: ({ rows }) => format.number(rows) },
  ];
  return (
    <DataTable
      name="alert-segments"
      label={t("alert.where")}
      rows={segments}
      columns={columns}
      rowKey={({ segment, metric }) => `${segment} ${metric}`}
    />
  );
}

function Causes({ causes }: { readonly causes: readonly AlertCause[] }) {
  const { t, format } = useMonitoringText();
  const columns: readonly Column<AlertCause>[] = [
    {
      key: "what",
      title: t("column.what"),
      width: "minmax(140px, 1.2fr)",
      cell: (cause) => (
        <span className="wrap">
          {t(`cause.${cause.kind}`)}{" "}
          {cause.kind === "model" ? (
            <Link to={address.modelVersion(cause.name, cause.toVersion)}>{cause.name}</Link>
          ) : (
            <Link to={address.dataset(cause.name)}>{cause.name}</Link>
          )}
        </span>
      ),
    },
    {
      key: "change",
      title: t("column.change"),
      width: "110px",
      cell: ({ fromVersion, toVersion }) => `${fromVersion ?? "–"} → ${toVersion}`,
    },
    { key: "at", title: t("column.at"), width: "150px", cell: ({ atMs }) => format.dateTime(atMs) },
    {
      key: "run",
      title: t("column.run"),
      width: "minmax(100px, 1fr)",
      cell: ({ pipelineRunId }) =>
        pipelineRunId === undefined ? "–" : <Link to={address.run(pipelineRunId)}>{pipelineRunId.slice(-8)}</Link>,
    },
    {
      key: "rows",
      title: t("column.rowsBoth"),
      width: "minmax(110px, 1fr)",
      cell: ({ fromRows, toRows }) =>
        toRows === undefined
          ? "–"
          : `${fromRows === undefined ? "–" : format.number(fromRows)} → ${format.number(toRows)}`,
    },
    {
      key: "columns",
      title: t("column.columns"),
      width: "minmax(140px, 1.4fr)",
      cell: ({ columns: held, schema }) => <span className="wrap">{[...held, ...schema].join(", ")}</span>,
    },
  ];
  return (
    <DataTable
      name="alert-causes"
      label={t("alert.causes")}
      rows={causes}
      columns={columns}
      rowKey={({ versionId }) => versionId}
    />
  );
}

function Notices({ notices }: { readonly notices: readonly AlertNotice[] }) {
  const { t } = useMonitoringText();
  const columns: readonly Column<AlertNotice>[] = [
    { key: "event", title: t("alert.told"), width: "120px", cell: ({ event }) => t(`alert.event.${event}`) },
    { key: "to", title: t("column.to"), width: "minmax(140px, 1fr)", cell: ({ target }) => target },
    {
      key: "state",
      title: t("column.state"),
      width: "130px",
      cell: ({ state }) => <StateBadge state={state === "delivered" ? "succeeded" : state} />,
    },
    { key: "tries", title: t("column.tries"), width: "90px", align: "right", cell: ({ attempts }) => attempts },
    {
      key: "error",
      title: "",
      width: "minmax(140px, 1.4fr)",
      cell: ({ lastError }) => <span className="wrap muted">{lastError ?? ""}</span>,
    },
  ];
  return (
    <DataTable
      name="alert-notices"
      label={t("alert.told")}
      rows={notices}
      columns={columns}
      rowKey={({ event, target }) => `${event} ${target}`}
    />
  );
}
