import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { runDurationMs, type TrackingRun, userTags } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { trackingCommands } from "../services/tracking-commands.ts";
import { trackingQueries } from "../services/tracking-queries.ts";
import { Page, Panel, Read } from "../ui/page.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Ago, Digest, Duration, Facts } from "../ui/text.tsx";
import { ActionButton } from "../ui/tracking/action-button.tsx";
import { Artifacts } from "../ui/tracking/artifacts.tsx";
import { EsteiraLinks } from "../ui/tracking/esteira-links.tsx";
import { MetricCharts } from "../ui/tracking/metric-charts.tsx";
import { RunStateBadge } from "../ui/tracking/run-state.tsx";
import { metricText } from "../ui/tracking/runs-grid.tsx";
import { DescriptionPanel, SearchBox, TagsPanel } from "../ui/tracking/tags.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import "../ui/tracking/tracking.css";

const NOTE = "mlflow.note.content";

export function TrackingRunPage() {
  const { t } = useTrackingText();
  const { id } = useParams({ strict: false }) as { id: string };
  const run = useQuery(trackingQueries.run(id));
  const experiment = useQuery({
    ...trackingQueries.experiment(run.data?.experimentId ?? ""),
    enabled: run.data !== undefined,
  });
  const crumbs = [
    { label: t("nav.experiments"), to: address.experiments() },
    ...(run.data === undefined
      ? []
      : [{ label: experiment.data?.name ?? run.data.experimentId, to: address.experiment(run.data.experimentId) }]),
  ];
  return (
    <Page
      title={run.data === undefined ? id : <Title run={run.data} />}
      plainTitle={run.data?.name ?? id}
      crumbs={crumbs}
      subtitle={run.data !== undefined && <Subtitle run={run.data} />}
      actions={run.data !== undefined && <Actions run={run.data} />}
    >
      <Read result={run} lines={8}>
        {(data) => (
          <Tabs
            label={data.name}
            tabs={[
              { key: "overview", label: t("run.overview"), content: () => <Overview run={data} /> },
              {
                key: "metrics",
                label: t("metrics.title"),
                count: String(data.metrics.size),
                content: () => <Charts run={data} />,
              },
              { key: "artifacts", label: t("artifacts.title"), content: () => <Artifacts runId={id} /> },
            ]}
          />
        )}
      </Read>
    </Page>
  );
}

function Title({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  return (
    <span className="title-row">
      {run.name}
      <RunStateBadge status={run.status} />
      {run.isDeleted && <span className="state tone-bad">{t("lifecycle.deleted")}</span>}
    </span>
  );
}

function Subtitle({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const durationMs = runDurationMs(run);
  return (
    <>
      <Ago atMs={run.startMs} />
      <Duration
        startMs={run.startMs}
        {...(durationMs === undefined
          ? run.status === "RUNNING"
            ? {}
            : { endMs: run.startMs }
          : { endMs: run.endMs })}
      />
      {run.user !== "" && <span>{t("run.by", { actor: run.user })}</span>}
      <Digest digest={run.id} length={32} />
    </>
  );
}

function Actions({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const navigate = useNavigate();
  if (run.isDeleted)
    return (
      <ActionButton
        label={t("action.restore")}
        icon="back"
        title={t("runs.restore.title", { count: 1 })}
        run={() => trackingCommands.restoreRun(run.id)}
      />
    );
  return (
    <>
      <ActionButton
        label={t("action.rename")}
        icon="code"
        title={t("action.rename")}
        fields={[{ name: "name", label: t("table.name"), value: run.name }]}
        run={(values) => trackingCommands.renameRun(run.id, values["name"] ?? "")}
      />
      <ActionButton
        label={t("action.delete")}
        icon="cross"
        isDanger
        title={t("runs.delete.title", { count: 1 })}
        text={t("runs.delete.text")}
        run={() => trackingCommands.deleteRun(run.id)}
        onDone={() => void navigate({ to: address.experiment(run.experimentId) })}
      />
    </>
  );
}

function Charts({ run }: { readonly run: TrackingRun }) {
  const runs = useMemo(() => [run], [run]);
  return <MetricCharts runs={runs} />;
}

function Overview({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  return (
    <div className="grid-main">
      <div>
        <div className="grid-2">
          <PairsPanel
            title={t("metrics.latest")}
            search={t("metrics.search")}
            icon="dashboard"
            isNumeric
            pairs={[...run.metrics].map(([key, value]) => ({ key, value, step: run.lastSteps.get(key) }))}
          />
          <PairsPanel
            title={t("params.title")}
            search={t("params.search")}
            icon="features"
            pairs={[...run.params].map(([key, value]) => ({ key, value }))}
          />
        </div>
        <Datasets run={run} />
        <DescriptionPanel
          text={run.tags.get(NOTE) ?? ""}
          save={(text) => trackingCommands.setRunTag(run.id, NOTE, text)}
        />
        <TagsPanel
          tags={userTags(run.tags)}
          set={(key, value) => trackingCommands.setRunTag(run.id, key, value)}
          remove={(key) => trackingCommands.deleteRunTag(run.id, key)}
        />
      </div>
      <div>
        <EsteiraLinks run={run} />
        <Source run={run} />
        <Models run={run} />
        <Family run={run} />
      </div>
    </div>
  );
}

interface Pair {
  readonly key: string;
  readonly value: number | string;
  readonly step?: number | undefined;
}

function PairsPanel({
  title,
  search,
  icon,
  pairs,
  isNumeric = false,
}: {
  readonly title: string;
  readonly search: string;
  readonly icon: "dashboard" | "features";
  readonly pairs: readonly Pair[];
  readonly isNumeric?: boolean;
}) {
  const { t, format } = useTrackingText();
  const [words, setWords] = useState("");
  const found = pairs
    .filter(({ key, value }) => `${key} ${value}`.toLowerCase().includes(words.toLowerCase()))
    .toSorted((left, right) => left.key.localeCompare(right.key));
  const columns: readonly Column<Pair>[] = [
    {
      key: "key",
      title: t("table.name"),
      width: "minmax(120px, 1.4fr)",
      cell: (pair) => <span className="wrap">{pair.key}</span>,
      sortBy: (pair) => pair.key,
    },
    {
      key: "value",
      title: t("tags.value"),
      width: "minmax(100px, 1fr)",
      ...(isNumeric ? { align: "right" as const } : {}),
      cell: (pair) => (
        <span className="wrap figure">
          {typeof pair.value === "number" ? metricText(pair.value, format.number) : pair.value}
        </span>
      ),
      sortBy: (pair) => pair.value,
    },
    ...(isNumeric
      ? [
          {
            key: "step",
            title: t("xAxis.step"),
            width: "82px",
            align: "right" as const,
            cell: (pair: Pair) => (pair.step === undefined ? "–" : format.number(pair.step)),
          },
        ]
      : []),
  ];
  return (
    <Panel
      title={`${title} (${format.number(pairs.length)})`}
      icon={icon}
      flush
      actions={pairs.length > 8 && <SearchBox label={search} value={words} onChange={setWords} />}
    >
      {pairs.length === 0 ? (
        <p className="panel-note">{t("pairs.none")}</p>
      ) : (
        <DataTable
          label={title}
          rows={found}
          columns={columns}
          rowKey={(pair) => pair.key}
          rowHeight={34}
          visibleRows={12}
        />
      )}
    </Panel>
  );
}

function Datasets({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  if (run.datasets.length === 0) return null;
  return (
    <Panel title={t("nav.datasets")} icon="dataset" flush>
      <ul className="attention-list">
        {run.datasets.map(({ dataset, tags = [] }) => {
          const version = tags.find(({ key }) => key === "esteira.version")?.value;
          const context = tags.find(({ key }) => key === "mlflow.data.context")?.value;
          return (
            <li key={`${dataset.name}${dataset.digest}${context ?? ""}`}>
              {context !== undefined && <span className="chip">{context}</span>}
              <div>
                {dataset.source_type === "esteira" && version !== undefined ? (
                  <Link to={address.dataset(dataset.name, Number(version))}>
                    {dataset.name} v{version}
                  </Link>
                ) : (
                  <b>{dataset.name}</b>
                )}
                <p className="muted">
                  {dataset.source_type} <Digest digest={dataset.digest} />
                </p>
              </div>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

function Source({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const tag = (key: string): string | undefined => run.tags.get(`mlflow.${key}`);
  const commit = tag("source.git.commit");
  return (
    <Panel title={t("run.source")} icon="commit">
      <Facts
        items={[
          [t("run.sourceName"), <code key="source">{tag("source.name") ?? "–"}</code>],
          [t("run.sourceType"), tag("source.type") ?? "–"],
          [
            "git",
            commit === undefined ? (
              "–"
            ) : (
              <span key="git" className="chips">
                <Digest digest={commit} />
                {tag("source.git.branch") !== undefined && <span className="chip">{tag("source.git.branch")}</span>}
                {tag("source.git.dirty") === "true" && <span className="chip">{t("commit.dirty")}</span>}
              </span>
            ),
          ],
          ...(tag("source.git.repoURL") === undefined
            ? []
            : [[t("run.repository"), tag("source.git.repoURL")] as const]),
          [t("experiment.location"), <code key="uri">{run.artifactUri}</code>],
        ]}
      />
    </Panel>
  );
}

function Models({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const versions = useQuery(trackingQueries.versionsOfRun(run.id));
  const logged = useQueries({ queries: run.modelIds.slice(0, 50).map((id) => trackingQueries.loggedModel(id)) });
  if ((versions.data?.length ?? 0) === 0 && run.modelIds.length === 0) return null;
  return (
    <Panel title={t("nav.models")} icon="model" flush>
      <ul className="attention-list">
        {versions.data?.map((version) => (
          <li key={`${version.name} ${version.version}`}>
            <span className="chip load-models">{t("run.registered")}</span>
            <div>
              <Link to={address.registeredVersion(version.name, version.version)}>
                {version.name} v{version.version}
              </Link>
            </div>
          </li>
        ))}
        {logged.map(({ data }, index) =>
          data === undefined ? null : (
            <li key={run.modelIds[index]}>
              <span className="chip">{t("run.logged")}</span>
              <div>
                <b>{data.info.name}</b>
                <p className="muted">
                  {data.info.model_type} <Digest digest={data.info.model_id} length={14} />
                </p>
              </div>
            </li>
          ),
        )}
      </ul>
    </Panel>
  );
}

function Family({ run }: { readonly run: TrackingRun }) {
  const { t } = useTrackingText();
  const parentId = run.tags.get("mlflow.parentRunId");
  const parent = useQuery({ ...trackingQueries.run(parentId ?? ""), enabled: parentId !== undefined });
  const children = useQuery(trackingQueries.children(run));
  if (parentId === undefined && (children.data?.length ?? 0) === 0) return null;
  return (
    <Panel title={t("run.family")} icon="pipeline">
      {parentId !== undefined && (
        <p>
          {t("run.parent")} <Link to={address.trackingRun(parentId)}>{parent.data?.name ?? parentId}</Link>
        </p>
      )}
      <ul>
        {children.data?.map((child) => (
          <li key={child.id}>
            <Link to={address.trackingRun(child.id)}>{child.name}</Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
