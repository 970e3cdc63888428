import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import type { ModelDetail, ModelVersionSummary } from "#api";
import { metricNames } from "../models/metrics.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { Chart } from "../ui/chart.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Page, Panel, Read } from "../ui/page.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { ShownOf } from "../ui/shown-of.tsx";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Ago, Command, Digest, Figure } from "../ui/text.tsx";
import { MetricValue } from "./models.tsx";

export function ModelPage() {
  const { t, name } = useLanguage();
  const params = useParams({ strict: false }) as { name: string };
  const model = useQuery(queries.model(params.name));
  return (
    <Page
      title={params.name}
      crumbs={[{ label: t("nav.models"), to: address.models() }]}
      subtitle={
        model.data !== undefined && (
          <span>
            {[model.data.task === undefined ? undefined : name("task", model.data.task), model.data.description]
              .filter((part) => part !== undefined)
              .join(" · ")}
          </span>
        )
      }
    >
      <Read result={model} lines={6}>
        {(data) => (
          <>
            <Figures model={data} />
            <MetricsPanel model={data} />
            <VersionsTable name={data.name} />
            <Panel title={t("model.export")} icon="release">
              <p className="muted" style={{ marginBottom: 10 }}>
                {t("model.exportText")}
              </p>
              <Command text={`esteira model export ${data.name}@${data.champion?.version ?? data.latest.version}`} />
            </Panel>
          </>
        )}
      </Read>
    </Page>
  );
}

function Figures({ model }: { readonly model: ModelDetail }) {
  const { t, format } = useLanguage();
  const [metric] = metricNames([model.latest.metrics]);
  return (
    <div className="figures">
      <Figure label={t("model.inProduction")}>
        {model.champion === undefined ? "–" : `v${model.champion.version}`}
      </Figure>
      <Figure label={t("model.latest")}>v{model.latest.version}</Figure>
      {metric !== undefined && (
        <Figure
          label={t("model.metricOf", { metric, version: `v${model.latest.version}` })}
          name={`model.${metric}`}
          value={model.latest.metrics[metric]}
        >
          {format.number(model.latest.metrics[metric] ?? 0)}
        </Figure>
      )}
      {metric !== undefined &&
        model.champion?.metrics[metric] !== undefined &&
        model.champion.version !== model.latest.version && (
          <Figure label={t("model.metricOf", { metric, version: `v${model.champion.version}` })}>
            {format.number(model.champion.metrics[metric])}
          </Figure>
        )}
      <Figure label={t("dataset.versions")}>{format.number(model.versionCount)}</Figure>
    </div>
  );
}

function MetricsPanel({ model }: { readonly model: ModelDetail }) {
  const { t } = useLanguage();
  const names = metricNames(model.versions.map(({ metrics }) => metrics));
  const [chosen, choose] = useSearchValue("metric");
  const metric = chosen !== undefined && names.includes(chosen) ? chosen : names[0];
  const versions = useMemo(() => [...model.versions].reverse(), [model.versions]);
  const chart = useMemo(
    () => ({
      x: versions.map(({ version }) => version),
      series: [
        {
          label: metric ?? "",
          values: versions.map(({ metrics }) => (metric === undefined ? null : (metrics[metric] ?? null))),
          color: "--load-models",
        },
      ],
      thresholds:
        metric === undefined || model.champion?.metrics[metric] === undefined
          ? []
          : [
              {
                value: model.champion.metrics[metric],
                label: t("model.championLine", { version: model.champion.version }),
              },
            ],
    }),
    [versions, metric, model.champion, t],
  );
  if (metric === undefined || versions.length < 2) return null;
  return (
    <Panel
      title={t("model.metrics")}
      icon="dashboard"
      actions={
        <select
          className="field"
          aria-label={t("model.metric")}
          value={metric}
          onChange={(event) => choose(event.target.value)}
        >
          {names.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      }
    >
      <Chart
        label={t("model.metricByVersion", { metric })}
        {...chart}
        isTime={false}
        xTitle={t("table.version")}
        height={230}
      />
      <ShownOf shown={versions.length} total={model.versionCount} />
    </Panel>
  );
}

function VersionsTable({ name }: { readonly name: string }) {
  const { t } = useLanguage();
  const { result, more } = useList(queries.modelVersions(name));
  const versions = result.data ?? [];
  const metrics = metricNames(versions.map((version) => version.metrics)).slice(0, 4);
  const columns: readonly Column<ModelVersionSummary>[] = [
    {
      key: "version",
      title: t("table.version"),
      width: "190px",
      cell: (version) => (
        <>
          v{version.version}{" "}
          {version.aliases.map((alias) => (
            <span key={alias} className="alias">
              {alias}
            </span>
          ))}
        </>
      ),
      sortBy: (version) => version.version,
    },
    {
      key: "verdict",
      title: t("model.verdict"),
      width: "120px",
      cell: (version) => <StateBadge state={version.verdict} />,
      sortBy: (version) => version.verdict,
    },
    ...metrics.map((metric): Column<ModelVersionSummary> => ({
      key: metric,
      title: metric,
      width: "110px",
      align: "right",
      cell: (version) => <MetricValue value={version.metrics[metric]} />,
      sortBy: (version) => version.metrics[metric],
    })),
    {
      key: "served",
      title: t("model.servedAt"),
      width: "minmax(140px, 1fr)",
      cell: (version) =>
        version.servedAt.length === 0 ? (
          <span className="muted">–</span>
        ) : (
          version.servedAt.map(({ environment }) => environment).join(", ")
        ),
    },
    { key: "digest", title: t("table.digest"), width: "140px", cell: (version) => <Digest digest={version.digest} /> },
    { key: "actor", title: t("model.by"), width: "120px", cell: (version) => version.actor ?? "–" },
    {
      key: "time",
      title: t("table.made"),
      width: "140px",
      cell: (version) => <Ago atMs={version.madeAtMs} />,
      sortBy: (version) => version.madeAtMs,
    },
  ];
  return (
    <Read result={result}>
      {(rows) => (
        <DataTable
          label={t("dataset.versions")}
          rows={rows}
          columns={columns}
          rowKey={(version) => version.assetVersionId}
          rowLink={(version) => address.modelVersion(version.name, version.version)}
          more={more}
        />
      )}
    </Read>
  );
}
