import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { Alert, Monitor } from "#api";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { CommandButton } from "./command-button.tsx";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Empty } from "./page.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { useSearchValue } from "./search-value.ts";
import { Ago, DataTime } from "./text.tsx";

const AlertView = lazy(() => import("./alert-view.tsx"));

interface AlertTableProps {
  readonly alerts: readonly Alert[];
  readonly more?: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
}

/** Alerts with the value, the threshold, and the pipeline run that each started. */
export function AlertTable({ alerts, more }: AlertTableProps) {
  const { t, format } = useLanguage();
  const [chosen, choose] = useSearchValue("alert");
  if (alerts.length === 0) return <Empty icon="alert" title={t("alerts.empty.title")} text={t("alerts.empty.text")} />;
  const columns: readonly Column<Alert>[] = [
    {
      key: "monitor",
      title: t("alert.monitor"),
      width: "minmax(140px, 1.2fr)",
      cell: (alert) =>
        alert.environment === undefined ? (
          alert.monitor
        ) : (
          <Link to={address.endpoint(alert.environment, alert.subject)}>{alert.monitor}</Link>
        ),
      value: (alert) => alert.monitor,
    },
    {
      key: "state",
      title: t("run.status"),
      width: "122px",
      cell: (alert) => (
        <button
          type="button"
          className="link-button"
          aria-expanded={alert.id === chosen}
          title={alert.message}
          onClick={() => choose(alert.id === chosen ? undefined : alert.id)}
        >
          <StateBadge state={alert.state} /> <Icon name="chevron" size={11} />
        </button>
      ),
      value: (alert) => alert.state,
    },
    {
      key: "metric",
      title: t("model.metric"),
      width: "minmax(150px, 1.2fr)",
      cell: (alert) => <Watched watched={alert} />,
    },
    {
      key: "value",
      title: t("verdict.value"),
      width: "135px",
      align: "right",
      cell: (alert) =>
        `${format.number(alert.value)} ${alert.alertWhen === "above" ? ">" : "<"} ${format.number(alert.threshold)}`,
      value: (alert) => alert.value,
    },
    {
      key: "window",
      title: t("alert.window"),
      width: "158px",
      cell: (alert) => (alert.windowStartMs === undefined ? "–" : <DataTime atMs={alert.windowStartMs} />),
      value: (alert) => alert.windowStartMs,
    },
    {
      key: "run",
      title: t("alert.triggered"),
      width: "minmax(120px, 1fr)",
      cell: (alert) => <Triggered alert={alert} />,
    },
    {
      key: "time",
      title: t("run.time"),
      width: "136px",
      cell: (alert) => <Ago atMs={alert.atMs} />,
      value: (alert) => alert.atMs,
    },
    {
      key: "act",
      title: t("alert.action"),
      width: "140px",
      cell: (alert) =>
        alert.state === "open" && (
          <CommandButton
            size="xs"
            label={t("alert.acknowledge")}
            icon="check"
            action="acknowledge"
            run={() => commands.acknowledgeAlert(alert.id)}
            done={t("alert.acknowledged")}
          />
        ),
    },
  ];
  return (
    <>
      {chosen !== undefined && (
        <Suspense fallback={null}>
          <AlertView id={chosen} />
        </Suspense>
      )}
      <DataTable
        name="alerts"
        label={t("nav.alerts")}
        rows={alerts}
        columns={columns}
        rowKey={(alert) => alert.id}
        {...(more === undefined ? {} : { more })}
        rowHeight={46}
      />
    </>
  );
}

function Watched({ watched }: { readonly watched: Pick<Alert, "metric" | "column" | "segment"> }) {
  const text = [watched.metric, watched.column, watched.segment].filter((part) => part !== undefined).join(" · ");
  return <span className="wrap">{text}</span>;
}

function Triggered({ alert }: { readonly alert: Alert }) {
  if (alert.triggered.length === 0) return <span className="muted">–</span>;
  return (
    <span className="chips">
      {alert.triggered.map((run) => (
        <Link key={run.pipelineRunId} to={address.run(run.pipelineRunId)} className="chips">
          {run.pipeline} <StateBadge state={run.status} quiet />
        </Link>
      ))}
    </span>
  );
}

/** What is watched, with the last value. */
export function MonitorTable({
  monitors,
  more,
}: Pick<AlertTableProps, "more"> & { readonly monitors: readonly Monitor[] }) {
  const { t, name, format } = useLanguage();
  if (monitors.length === 0) {
    return (
      <Empty icon="alert" title={t("monitors.empty.title")} text={t("monitors.empty.text")}>
        <code>monitors/*.yaml</code>
      </Empty>
    );
  }
  const columns: readonly Column<Monitor>[] = [
    {
      key: "name",
      title: t("alert.monitor"),
      width: "minmax(180px, 1.4fr)",
      cell: (monitor) => (
        <span className="wrap" title={monitor.description}>
          {monitor.name}
        </span>
      ),
      sortBy: (monitor) => monitor.name,
    },
    {
      key: "subject",
      title: t("alert.subject"),
      width: "minmax(150px, 1fr)",
      cell: (monitor) => [monitor.subject, monitor.environment].filter((part) => part !== undefined).join(" · "),
    },
    {
      key: "metric",
      title: t("model.metric"),
      width: "minmax(150px, 1fr)",
      cell: (monitor) => <Watched watched={monitor} />,
    },
    {
      key: "threshold",
      title: t("verdict.threshold"),
      width: "120px",
      align: "right",
      cell: (monitor) =>
        monitor.threshold === undefined
          ? "–"
          : `${monitor.alertWhen === "above" ? ">" : "<"} ${format.number(monitor.threshold)}`,
    },
    {
      key: "last",
      title: t("alert.last"),
      width: "120px",
      align: "right",
      cell: (monitor) => (monitor.lastValue === undefined ? "–" : format.number(monitor.lastValue)),
      sortBy: (monitor) => monitor.lastValue,
    },
    { key: "window", title: t("alert.window"), width: "90px", cell: (monitor) => name("window", monitor.window) },
    {
      key: "state",
      title: t("run.status"),
      width: "120px",
      cell: (monitor) => <StateBadge state={monitor.state} />,
      sortBy: (monitor) => monitor.state,
    },
  ];
  return (
    <DataTable
      name="monitors"
      label={t("endpoint.monitors")}
      rows={monitors}
      columns={columns}
      rowKey={(monitor) =>
        `${monitor.subject}${monitor.environment ?? ""}${monitor.name}${monitor.metric}${monitor.column ?? ""}${monitor.segment ?? ""}`
      }
      {...(more === undefined ? {} : { more })}
    />
  );
}
