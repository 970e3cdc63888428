import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AssetVersionSummary, ColumnProfile, DatasetDetail, StepReference } from "#api";
import { treatmentMessages } from "../messages/treatments.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { VersionLinks } from "../ui/asset-links.tsx";
import { FeatureViewsPanel } from "../ui/feature-views.tsx";
import { HistogramBars, TopValues, ValueBars } from "../ui/histogram.tsx";
import { useLanguage } from "../ui/language.tsx";
import { LineageView } from "../ui/lineage-view.tsx";
import { useList } from "../ui/list-page.ts";
import { Page, Panel, Read } from "../ui/page.tsx";
import { QuarantineView } from "../ui/quarantine.tsx";
import { RowsView } from "../ui/rows-view.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { type Column, DataTable } from "../ui/table.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { ChecksPanel, MergedFigures } from "../ui/version-checks.tsx";
import { Ago, Command, Copy, Digest, Facts, Figure } from "../ui/text.tsx";

export function DatasetPage() {
  const { t, format } = useLanguage();
  const { name } = useParams({ strict: false }) as { name: string };
  const [version, setVersion] = useSearchValue("version");
  const dataset = useQuery(queries.dataset(name, version === undefined ? undefined : Number(version)));
  return (
    <Page
      title={name}
      crumbs={[{ label: t("nav.datasets"), to: address.datasets() }]}
      subtitle={dataset.data !== undefined && <Subtitle dataset={dataset.data} />}
      actions={dataset.data !== undefined && <VersionPicker dataset={dataset.data} onPick={setVersion} />}
    >
      <Read result={dataset} lines={6}>
        {(data) => (
          <Tabs
            label={name}
            tabs={[
              {
                key: "columns",
                label: t("dataset.columns"),
                count: String(data.columns.length),
                content: () => <ColumnsTab dataset={data} />,
              },
              {
                key: "rows",
                label: t("dataset.rows"),
                content: () => <RowsView name={name} version={data.shownVersion} />,
              },
              {
                key: "versions",
                label: t("dataset.versions"),
                count: format.compact(data.latestVersion),
                content: () => <VersionsTab name={name} onPick={setVersion} />,
              },
              ...(data.quarantine === undefined && data.contract === undefined
                ? []
                : [
                    {
                      key: "quarantine",
                      label: t("dataset.quarantine"),
                      count: format.compact(data.quarantinedCount),
                      content: () => <QuarantineView dataset={data} />,
                    },
                  ]),
              { key: "lineage", label: t("lineage.title"), content: () => <LineageTab dataset={data} /> },
            ]}
          />
        )}
      </Read>
    </Page>
  );
}

function Subtitle({ dataset }: { readonly dataset: DatasetDetail }) {
  const { name } = useLanguage();
  return (
    <>
      <span>{name("assetKind", dataset.kind)}</span>
      {dataset.description !== undefined && <span>{dataset.description}</span>}
      <Ago atMs={dataset.madeAtMs} />
    </>
  );
}

function VersionPicker({
  dataset,
  onPick,
}: {
  readonly dataset: DatasetDetail;
  readonly onPick: (version: string | undefined) => void;
}) {
  const { t, format } = useLanguage();
  return (
    <label className="label">
      <span className="hidden-text">{t("table.version")}</span>
      <select
        className="field"
        value={dataset.shownVersion}
        onChange={(event) =>
          onPick(Number(event.target.value) === dataset.latestVersion ? undefined : event.target.value)
        }
      >
        {dataset.versions.map((version) => (
          <option key={version.id} value={version.version}>
            v{version.version} · {format.dateTime(version.madeAtMs)}
            {version.version === dataset.latestVersion ? ` · ${t("dataset.latest")}` : ""}
          </option>
        ))}
        {dataset.versions.every(({ version }) => version !== dataset.shownVersion) && (
          <option value={dataset.shownVersion}>v{dataset.shownVersion}</option>
        )}
        {dataset.versions.length < dataset.latestVersion && (
          <option disabled>
            {t("dataset.olderVersions", { shown: dataset.versions.length, total: dataset.latestVersion })}
          </option>
        )}
      </select>
    </label>
  );
}

function ColumnsTab({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t, format } = useLanguage();
  const shown = dataset.versions.find(({ version }) => version === dataset.shownVersion);
  return (
    <>
      <div className="figures">
        <Figure label={t("dataset.rows")}>{shown?.rowCount === undefined ? "–" : format.number(shown.rowCount)}</Figure>
        <Figure label={t("dataset.columns")}>{dataset.columns.length}</Figure>
        <Figure label={t("dataset.size")}>
          {shown?.sizeBytes === undefined ? "–" : format.bytes(shown.sizeBytes)}
        </Figure>
        <Figure label={t("dataset.versions")}>{format.number(dataset.latestVersion)}</Figure>
        <Figure label={t("dataset.quarantined")} {...(dataset.quarantinedCount > 0 ? { tone: "waiting" } : {})}>
          {format.number(dataset.quarantinedCount)}
        </Figure>
      </div>
      <ColumnsTable dataset={dataset} />
      <ChecksPanel checks={dataset.checks} />
      <MergedFigures merged={dataset.merged} />
      <TreatmentsPanel dataset={dataset} />
      <FeatureViewsPanel dataset={dataset.name} />
      <ReadPanel dataset={dataset} />
    </>
  );
}

/** The size of its rows, or that they are no longer there. */
function VersionSize({ version }: { readonly version: AssetVersionSummary }) {
  const { language, format } = useLanguage();
  const texts = treatmentMessages[language];
  if (version.expiredAtMs !== undefined) {
    const since = texts.expiredSince.replace("{time}", format.dateTime(version.expiredAtMs));
    return <span title={since}>{texts.expired}</span>;
  }
  return version.sizeBytes === undefined ? "–" : format.bytes(version.sizeBytes);
}

/** What the contract's treatments changed of the rows that were read for this version. */
function TreatmentsPanel({ dataset }: { readonly dataset: DatasetDetail }) {
  const { language, format } = useLanguage();
  const texts = treatmentMessages[language];
  if (dataset.treated === undefined) return null;
  return (
    <Panel title={texts.title}>
      <table className="table">
        <thead>
          <tr>
            <th>{texts.column}</th>
            <th>{texts.treatment}</th>
            <th>{texts.values}</th>
            <th>{texts.bounds}</th>
          </tr>
        </thead>
        <tbody>
          {dataset.treated.map(({ column, treatment, values, low, high, why }) => (
            <tr key={`${column} ${treatment}`}>
              <td>{column}</td>
              <td>{treatment}</td>
              <td>
                {format.number(values)} {treatment === "deduplicate" ? texts.rows : ""}
              </td>
              <td>
                {why ??
                  ([
                    low === undefined ? [] : `≥ ${format.number(low)}`,
                    high === undefined ? [] : `≤ ${format.number(high)}`,
                  ]
                    .flat()
                    .join(", ") ||
                    "–")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly description: string | undefined;
  readonly from: string | undefined;
  readonly profile: ColumnProfile | undefined;
}

function ColumnsTable({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t, format } = useLanguage();
  const profiles = new Map(dataset.profile?.map((profile) => [profile.name, profile]));
  const rows = dataset.columns.map((column): ColumnRow => ({
    name: column.name,
    type: column.type,
    description: column.description,
    profile: profiles.get(column.name),
    from: column.from?.map((source) => `${source.asset}.${source.column}`).join(", "),
  }));
  const share = (profile: ColumnProfile): number => profile.nullCount / Math.max(1, profile.count);
  const columns: readonly Column<ColumnRow>[] = [
    {
      key: "name",
      title: t("dataset.column"),
      width: "minmax(160px, 1.2fr)",
      cell: (row) => <ColumnName row={row} />,
      sortBy: (row) => row.name,
    },
    {
      key: "nulls",
      title: t("profile.nulls"),
      width: "90px",
      align: "right",
      cell: (row) =>
        row.profile === undefined
          ? "–"
          : share(row.profile) > 0 && share(row.profile) < 0.001
            ? `< ${format.percent(0.001)}`
            : format.percent(share(row.profile)),
      sortBy: (row) => row.profile && share(row.profile),
    },
    {
      key: "distinct",
      title: t("profile.distinct"),
      width: "130px",
      align: "right",
      cell: (row) => <DistinctCell profile={row.profile} />,
      sortBy: (row) => row.profile?.distinctCount,
    },
    {
      key: "range",
      title: t("profile.range"),
      width: "minmax(190px, 1fr)",
      cell: (row) => <RangeCell profile={row.profile} />,
    },
    {
      key: "mean",
      title: t("profile.mean"),
      width: "110px",
      align: "right",
      cell: (row) => <MeanCell profile={row.profile} />,
      sortBy: (row) => row.profile?.mean,
    },
    { key: "shape", title: t("profile.shape"), width: "240px", cell: (row) => <ShapeCell profile={row.profile} /> },
  ];
  return (
    <DataTable
      label={t("dataset.columns")}
      rows={rows}
      columns={columns}
      rowKey={(row) => row.name}
      rowHeight={82}
      visibleRows={400}
    />
  );
}

function ColumnName({ row }: { readonly row: ColumnRow }) {
  return (
    <span title={row.description}>
      <b>{row.name}</b>
      <br />
      <code className="muted">{row.type}</code>
      {row.from !== undefined && row.from !== "" && (
        <>
          <br />
          <span className="muted" style={{ fontSize: 12 }}>
            ← {row.from}
          </span>
        </>
      )}
    </span>
  );
}

/** `213,832` where it was counted, `≈ 213,832 ± 0.8 %` where it was estimated. */
function DistinctCell({ profile }: { readonly profile: ColumnProfile | undefined }) {
  const { t, format } = useLanguage();
  if (profile?.distinctCount === undefined) return <>–</>;
  const { distinctCount, distinctError, sample } = profile;
  if (distinctError === 0) return <span title={t("profile.exact")}>{format.number(distinctCount)}</span>;
  return (
    <span title={distinctError === undefined ? undefined : t("profile.certainty")}>
      ≈ {format.number(distinctCount)}
      <ProfileNote>
        {distinctError !== undefined
          ? `± ${format.percent(distinctError, 1)}`
          : sample?.kind === "blocks"
            ? t("profile.blocks", { count: sample.rowCount })
            : t("profile.estimate")}
      </ProfileNote>
    </span>
  );
}

function MeanCell({ profile }: { readonly profile: ColumnProfile | undefined }) {
  const { t, format } = useLanguage();
  if (profile?.mean === undefined) return <>–</>;
  return (
    <span>
      {profile.sample?.kind === "blocks" ? "≈ " : ""}
      {format.number(profile.mean, 3)}
      {profile.standardDeviation !== undefined && (
        <ProfileNote>{t("profile.deviation", { value: format.number(profile.standardDeviation, 3) })}</ProfileNote>
      )}
    </span>
  );
}

function RangeCell({ profile }: { readonly profile: ColumnProfile | undefined }) {
  const { t, format } = useLanguage();
  if (profile === undefined) return <>–</>;
  const { min, max, lengths, quantiles, sample } = profile;
  const isTime = /^(DATE|TIMESTAMP)/.test(profile.type);
  const text = (value: number | string | undefined): string =>
    typeof value === "number" ? format.number(value, 3) : (value ?? "");
  const median = quantiles?.[2];
  const shown =
    median === undefined
      ? undefined
      : isTime
        ? format.dataTime(new Date(median).toISOString(), profile.type)
        : format.number(median, 3);
  const odd = [
    ["profile.nan", profile.nanCount],
    ["profile.infinite", (profile.positiveInfinityCount ?? 0) + (profile.negativeInfinityCount ?? 0)],
  ] as const;
  return (
    <span className="figure" style={{ fontSize: 12.5 }}>
      {min !== undefined
        ? `${text(min)} … ${text(max)}`
        : lengths === undefined
          ? "–"
          : t("profile.lengths", { from: format.number(lengths.min), to: format.number(lengths.max) })}
      {shown !== undefined && (
        <ProfileNote>{t("profile.median", { value: sample === undefined ? shown : `≈ ${shown}` })}</ProfileNote>
      )}
      {odd.map(([key, count]) =>
        count !== undefined && count > 0 ? (
          <ProfileNote key={key}>{t(key, { count: format.number(count) })}</ProfileNote>
        ) : null,
      )}
      <SampleNote profile={profile} />
    </span>
  );
}

/** Beside what comes from a sample: how large it is and how far off it may be. */
function SampleNote({ profile }: { readonly profile: ColumnProfile }) {
  const { t, format } = useLanguage();
  const { sample } = profile;
  if (sample === undefined) return null;
  const count = format.number(sample.rowCount);
  return (
    <ProfileNote>
      {sample.kind === "blocks"
        ? t("profile.blocks", { count })
        : t("profile.sampled", { count, error: format.percent(sample.shareError ?? 0, 1) })}
    </ProfileNote>
  );
}

function ProfileNote({ children }: { readonly children: ReactNode }) {
  return (
    <>
      <br />
      <span className="muted" style={{ fontSize: 12 }}>
        {children}
      </span>
    </>
  );
}

function ShapeCell({ profile }: { readonly profile: ColumnProfile | undefined }) {
  const { t } = useLanguage();
  if (profile?.values !== undefined && profile.values.length > 0)
    return <ValueBars values={profile.values} total={profile.count} />;
  if (profile?.histogram !== undefined && profile.histogram.counts.length > 0)
    return <HistogramBars histogram={profile.histogram} />;
  if (profile?.topValues === undefined || profile.topValues.length === 0) return <>–</>;
  if (hasNoneTwice(profile)) return <span className="muted">{t("profile.allOnce")}</span>;
  return (
    <>
      <TopValues values={profile.topValues} total={profile.sample?.rowCount ?? profile.count} />
      {profile.min === undefined && profile.lengths === undefined && <SampleNote profile={profile} />}
    </>
  );
}

/** Then a few of its values say nothing of the others. */
function hasNoneTwice({ distinctError, distinctCount, count, topValues = [] }: ColumnProfile): boolean {
  return distinctError === 0 && distinctCount === count && topValues.length < count;
}

function ReadPanel({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t } = useLanguage();
  if (dataset.location === undefined) return null;
  const python = `from deltalake import DeltaTable\nDeltaTable("${dataset.location.path}", version=${dataset.location.deltaVersion}).to_pandas()`;
  return (
    <Panel title={t("dataset.readIt")} icon="code" actions={<Copy text={python} />}>
      <pre className="code-block" tabIndex={0}>
        {python}
      </pre>
      <p className="muted" style={{ margin: "10px 0 8px" }}>
        {t("dataset.readItText")}
      </p>
      <Command text={`esteira dataset show ${dataset.name}`} />
    </Panel>
  );
}

function VersionsTab({
  name,
  onPick,
}: {
  readonly name: string;
  readonly onPick: (version: string | undefined) => void;
}) {
  const { t, format } = useLanguage();
  const { result, more } = useList(queries.assetVersions(name));
  const columns: readonly Column<AssetVersionSummary>[] = [
    {
      key: "version",
      title: t("table.version"),
      width: "100px",
      cell: (version) => (
        <button
          type="button"
          className="link-button"
          onClick={() => onPick(String(version.version))}
        >{`v${version.version}`}</button>
      ),
      sortBy: (version) => version.version,
    },
    {
      key: "rows",
      title: t("dataset.rows"),
      width: "130px",
      align: "right",
      cell: (version) => (version.rowCount === undefined ? "–" : format.number(version.rowCount)),
      sortBy: (version) => version.rowCount,
    },
    {
      key: "size",
      title: t("dataset.size"),
      width: "110px",
      align: "right",
      cell: (version) => <VersionSize version={version} />,
      sortBy: (version) => version.sizeBytes,
    },
    {
      key: "quarantined",
      title: t("dataset.quarantined"),
      width: "120px",
      align: "right",
      cell: (version) => (version.quarantinedCount === undefined ? "–" : format.number(version.quarantinedCount)),
    },
    {
      key: "inputs",
      title: t("dataset.madeFrom"),
      width: "minmax(220px, 2fr)",
      cell: (version) => <VersionLinks versions={version.inputs} />,
    },
    {
      key: "run",
      title: t("run.title"),
      width: "170px",
      cell: (version) =>
        version.pipelineRunId === undefined ? (
          "–"
        ) : (
          <Link
            to={
              version.stepRunId === undefined
                ? address.run(version.pipelineRunId)
                : address.stepRun(version.pipelineRunId, version.stepRunId)
            }
          >
            {version.pipeline ?? version.pipelineRunId.slice(-8)}
          </Link>
        ),
    },
    { key: "digest", title: t("table.digest"), width: "140px", cell: (version) => <Digest digest={version.digest} /> },
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
      {(versions) => (
        <DataTable
          label={t("dataset.versions")}
          rows={versions}
          columns={columns}
          rowKey={(version) => version.id}
          more={more}
        />
      )}
    </Read>
  );
}

function LineageTab({ dataset }: { readonly dataset: DatasetDetail }) {
  const { t } = useLanguage();
  const id = dataset.versions.find(({ version }) => version === dataset.shownVersion)?.id ?? dataset.versionId;
  const upstream = useQuery(queries.lineage(id, "upstream"));
  const downstream = useQuery(queries.lineage(id, "downstream"));
  return (
    <>
      <Panel title={t("lineage.from")} icon="pipeline" flush>
        <Read result={upstream}>{(graph) => <LineageView graph={graph} />}</Read>
      </Panel>
      <Panel title={t("lineage.to")} icon="pipeline" flush>
        <Read result={downstream}>
          {(graph) =>
            graph.edges.length === 0 ? (
              <p className="panel-note">{t("lineage.noneTo")}</p>
            ) : (
              <LineageView graph={graph} />
            )
          }
        </Read>
      </Panel>
      <Panel title={t("dataset.steps")} icon="pipeline">
        <Facts
          columns={2}
          items={[
            [
              t("dataset.madeBy"),
              <StepList key="made" steps={dataset.producedBy === undefined ? [] : [dataset.producedBy]} />,
            ],
            [t("dataset.usedBy"), <StepList key="used" steps={dataset.consumedBy} />],
          ]}
        />
      </Panel>
    </>
  );
}

function StepList({ steps }: { readonly steps: readonly StepReference[] }) {
  if (steps.length === 0) return <span className="muted">–</span>;
  return (
    <span className="chips">
      {steps.map((step) => (
        <Link key={`${step.pipeline}/${step.step}`} className="chip" to={address.pipeline(step.pipeline)}>
          {step.pipeline} / {step.step}
        </Link>
      ))}
    </span>
  );
}
