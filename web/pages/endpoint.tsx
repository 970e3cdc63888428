import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { EndpointDetail, PredictionSummary } from "#api";
import { endpointState } from "../models/endpoint.ts";
import { distinctRetrainings, driftedColumns, lastPerformance } from "../models/weeks.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { AlertTable, MonitorTable } from "../ui/alert-table.tsx";
import { Icon } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { ObjectiveTable } from "../ui/objective-table.tsx";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { useSearchChoice, useSearchValue } from "../ui/search-value.ts";
import { ShownOf } from "../ui/shown-of.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Ago, Copy, DataTime, Facts, Figure } from "../ui/text.tsx";
import { TrialsView } from "../ui/trials.tsx";
import { TryCall } from "../ui/try-call.tsx";
import { WeeksView } from "../ui/weeks.tsx";
import { WindowView } from "../ui/window-view.tsx";

export function EndpointPage() {
  const { t } = useLanguage();
  const { environment, name } = useParams({ strict: false }) as { environment: string; name: string };
  const endpoint = useQuery(queries.endpoint(environment, name));
  return (
    <Page
      title={
        <span className="title-row">
          {name} <span className="muted">{environment}</span>{" "}
          {endpoint.data !== undefined && <StateBadge state={endpointState(endpoint.data)} />}
        </span>
      }
      plainTitle={`${name} ${environment}`}
      crumbs={[{ label: t("nav.endpoints"), to: address.endpoints() }]}
      subtitle={endpoint.data !== undefined && <Subtitle endpoint={endpoint.data} />}
    >
      <Read result={endpoint} lines={8}>
        {(data) => (
          <>
            <Figures endpoint={data} />
            <Tabs
              label={name}
              tabs={[
                {
                  key: "weeks",
                  label: t("endpoint.weeks"),
                  content: () => (
                    <>
                      <ShownOf shown={data.windows.length} total={data.windowCount} />
                      <WeeksView endpoint={data} />
                    </>
                  ),
                },
                {
                  key: "window",
                  label: t("alert.window"),
                  content: () => <WindowView environment={environment} name={name} />,
                },
                {
                  key: "predictions",
                  label: t("endpoint.predictions"),
                  content: () => <Predictions environment={environment} name={name} />,
                },
                {
                  key: "monitors",
                  label: t("endpoint.monitors"),
                  count: String(data.monitors.length),
                  content: () => (
                    <>
                      {data.objectives.length > 0 && <ObjectiveTable objectives={data.objectives} />}
                      <MonitorTable monitors={data.monitors} />
                    </>
                  ),
                },
                {
                  key: "alerts",
                  label: t("nav.alerts"),
                  count: String(data.alertCount),
                  content: () => (
                    <>
                      <ShownOf shown={data.alerts.length} total={data.alertCount} to={address.alerts()} />
                      <AlertTable alerts={data.alerts} />
                    </>
                  ),
                },
                {
                  key: "trials",
                  label: t("endpoint.trials"),
                  count: String(data.trialCount),
                  content: () => (
                    <>
                      <ShownOf shown={data.trials.length} total={data.trialCount} />
                      <TrialsView environment={environment} name={name} trials={data.trials} />
                    </>
                  ),
                },
                {
                  key: "history",
                  label: t("endpoint.history"),
                  count: String(data.periods.length),
                  content: () => <History endpoint={data} />,
                },
                { key: "call", label: t("endpoint.call"), content: () => <Call endpoint={data} /> },
              ]}
            />
          </>
        )}
      </Read>
    </Page>
  );
}

function Subtitle({ endpoint }: { readonly endpoint: EndpointDetail }) {
  const { t } = useLanguage();
  return (
    <>
      {endpoint.model !== undefined && endpoint.modelVersion !== undefined && (
        <span>
          {t("endpoint.answers")}{" "}
          <Link
            to={address.modelVersion(endpoint.model, endpoint.modelVersion)}
          >{`${endpoint.model} v${endpoint.modelVersion}`}</Link>
        </span>
      )}
      <span>
        {t("endpoint.deployed")} <Ago atMs={endpoint.deployedAtMs} />
      </span>
      {endpoint.runtime !== undefined && (
        <span>
          {t("model.runtime")} <code>{endpoint.runtime}</code>
        </span>
      )}
      <span>
        <code>{endpoint.path}</code> <Copy text={`${location.origin}${endpoint.path}`} />
      </span>
    </>
  );
}

function Figures({ endpoint }: { readonly endpoint: EndpointDetail }) {
  const { t, format } = useLanguage();
  const columns = driftedColumns(endpoint.windows.at(-1));
  const last = lastPerformance(endpoint.windows);
  return (
    <div className="figures">
      <Figure label={t("endpoint.predictions")} name="endpoint.predictions" value={endpoint.predictionCount}>
        {format.number(endpoint.predictionCount)}
      </Figure>
      <Figure label={t("endpoint.labels")} name="endpoint.labelled" value={endpoint.labelledCount}>
        {endpoint.predictionCount === 0 ? "–" : format.percent(endpoint.labelledCount / endpoint.predictionCount, 0)}
      </Figure>
      {last !== undefined && (
        <Figure
          label={t("endpoint.lastWeek", { metric: last.metric })}
          name={`endpoint.last.${last.metric}`}
          value={last.value}
        >
          {format.number(last.value)}
        </Figure>
      )}
      {columns !== undefined && (
        <Figure
          label={t("endpoint.drifted")}
          name="endpoint.drifted"
          value={columns.drifted}
          {...(columns.drifted > 0 ? { tone: "waiting" } : {})}
        >
          {t("endpoint.driftedOf", { drifted: columns.drifted, watched: columns.watched })}
        </Figure>
      )}
      <Figure
        label={t("endpoint.openAlerts")}
        name="endpoint.openAlerts"
        value={endpoint.openAlertCount}
        {...(endpoint.openAlertCount > 0 ? { tone: "bad" } : {})}
      >
        {endpoint.openAlertCount}
      </Figure>
      <Figure label={t("endpoint.lastPrediction")}>
        <span className="figure-small">
          <DataTime atMs={endpoint.lastPredictionAtMs} />
        </span>
      </Figure>
    </div>
  );
}

function Predictions({ environment, name }: { readonly environment: string; readonly name: string }) {
  const { t, format } = useLanguage();
  const [labelled, setLabelled] = useSearchChoice("labelled", ["yes", "no"]);
  const [modelVersion, setModelVersion] = useSearchValue("modelVersion");
  const version = modelVersion === undefined ? undefined : Number(modelVersion);
  const endpoint = useQuery(queries.endpoint(environment, name));
  const { result, more } = useList(queries.predictions(environment, name, { labelled, modelVersion: version }));
  const versions = [...new Set(endpoint.data?.periods.map((period) => period.modelVersion))];
  const value = (each: number | string | undefined): string =>
    each === undefined ? "–" : typeof each === "number" ? format.number(each, 4) : each;
  const columns: readonly Column<PredictionSummary>[] = [
    {
      key: "id",
      title: t("prediction.id"),
      width: "210px",
      cell: (prediction) => <span className="mono nowrap">{prediction.id.slice(-16)}</span>,
    },
    {
      key: "prediction",
      title: t("prediction.value"),
      width: "120px",
      align: "right",
      cell: (prediction) => value(prediction.prediction),
      value: (prediction) => prediction.prediction,
    },
    {
      key: "label",
      title: t("prediction.label"),
      width: "100px",
      align: "right",
      cell: (prediction) => value(prediction.label),
      value: (prediction) => prediction.label,
    },
    {
      key: "version",
      title: t("table.version"),
      width: "110px",
      cell: (prediction) => `v${prediction.modelVersion}`,
      value: (prediction) => prediction.modelVersion,
    },
    {
      key: "entity",
      title: t("prediction.entity"),
      width: "minmax(160px, 1fr)",
      cell: (prediction) => <span className="wrap mono">{prediction.entityKey ?? "–"}</span>,
    },
    {
      key: "time",
      title: t("prediction.time"),
      width: "190px",
      cell: (prediction) => format.dateTime(prediction.atMs),
      value: (prediction) => prediction.atMs,
    },
  ];
  return (
    <>
      <div className="toolbar">
        <select
          className="field"
          aria-label={t("prediction.label")}
          value={labelled ?? ""}
          onChange={(event) => setLabelled(event.target.value === "" ? undefined : event.target.value)}
        >
          <option value="">{t("prediction.all")}</option>
          <option value="yes">{t("prediction.labelled")}</option>
          <option value="no">{t("prediction.unlabelled")}</option>
        </select>
        <select
          className="field"
          aria-label={t("table.version")}
          value={modelVersion ?? ""}
          onChange={(event) => setModelVersion(event.target.value === "" ? undefined : event.target.value)}
        >
          <option value="">{t("prediction.allVersions")}</option>
          {versions.map((version) => (
            <option key={version} value={version}>
              v{version}
            </option>
          ))}
        </select>
      </div>
      <Read result={result}>
        {(predictions) =>
          predictions.length === 0 ? (
            <Empty icon="prediction" title={t("predictions.empty.title")} text={t("predictions.empty.text")} />
          ) : (
            <DataTable
              name="predictions"
              label={t("endpoint.predictions")}
              rows={predictions}
              columns={columns}
              rowKey={(prediction) => prediction.id}
              rowLink={(prediction) => address.prediction(prediction.id)}
              more={more}
              rowHeight={38}
            />
          )
        }
      </Read>
    </>
  );
}

function History({ endpoint }: { readonly endpoint: EndpointDetail }) {
  const { t, format } = useLanguage();
  const retrainings = distinctRetrainings(endpoint.retrainings);
  return (
    <div className="grid-2">
      <Panel title={t("endpoint.history")} icon="release" flush>
        <ul className="attention-list">
          {endpoint.periods.toReversed().map((period) => (
            <li key={`${period.versionId}${period.startMs}`}>
              <StateBadge state={period.endMs === undefined ? "live" : "superseded"} />
              <div>
                <Link
                  to={address.modelVersion(period.model, period.modelVersion)}
                >{`${period.model} v${period.modelVersion}`}</Link>
                <p className="muted">
                  {format.dateTime(period.startMs)} {period.endMs !== undefined && `– ${format.dateTime(period.endMs)}`}
                </p>
              </div>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title={t("endpoint.retrainings")} icon="retrain" flush>
        {retrainings.length === 0 ? (
          <p className="panel-note">{t("endpoint.noRetrainings")}</p>
        ) : (
          <ul className="attention-list">
            {retrainings.map((retraining) => (
              <li key={retraining.pipelineRunId}>
                <StateBadge state={retraining.blocked === undefined ? retraining.status : "blocked"} />
                <div>
                  <Link to={address.run(retraining.pipelineRunId)}>{retraining.pipeline}</Link>
                  <p className="muted">
                    <Ago atMs={retraining.atMs} />
                    {retraining.madeModelVersion !== undefined &&
                      ` · ${t("endpoint.made", { version: retraining.madeModelVersion })}`}
                    {retraining.blocked !== undefined && ` · ${retraining.blocked}`}
                  </p>
                </div>
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}

function Call({ endpoint }: { readonly endpoint: EndpointDetail }) {
  return (
    <>
      <TryCall path={endpoint.path} />
      <CallPanel endpoint={endpoint} />
    </>
  );
}

function CallPanel({ endpoint }: { readonly endpoint: EndpointDetail }) {
  const { t } = useLanguage();
  const at = endpoint.exampleAtMs === undefined ? {} : { at: new Date(endpoint.exampleAtMs).toISOString() };
  const body = JSON.stringify({ dataframe_records: [endpoint.exampleRequest ?? {}], ...at });
  const command = `curl ${location.origin}${endpoint.path} \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`;
  return (
    <Panel title={t("endpoint.call")} icon="code" actions={<Copy text={command} />}>
      <pre className="code-block" tabIndex={0}>
        {command}
      </pre>
      <p className="muted" style={{ margin: "10px 0 14px" }}>
        <Icon name="endpoint" size={13} /> {t("endpoint.protocols")}
      </p>
      <Facts
        items={[
          ["MLflow", <code key="mlflow">{endpoint.path}</code>],
          [
            "Open Inference Protocol",
            <code key="v2">{endpoint.path.replace(/\/invocations$/, `/v2/models/${endpoint.name}/infer`)}</code>,
          ],
        ]}
      />
    </Panel>
  );
}
