import type { Verdict, VerdictRule } from "#api";
import { compareMetric, metricNames } from "../models/metrics.ts";
import { VersionLinks } from "./asset-links.tsx";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago } from "./text.tsx";

/** What a test said of a model version: its rules with numbers, and the metrics beside the champion's. */
export function VerdictView({ verdict, version }: { readonly verdict: Verdict; readonly version: number }) {
  const { t } = useLanguage();
  return (
    <>
      <Panel
        title={
          <>
            {t("model.verdict")} <StateBadge state={verdict.state} />
          </>
        }
        icon="test"
        flush
        actions={<Ago atMs={verdict.atMs} />}
      >
        {verdict.reason !== undefined && <p className="panel-note">{verdict.reason}</p>}
        <RulesTable rules={verdict.rules} />
      </Panel>
      <MetricsTable verdict={verdict} version={version} />
      {verdict.segments.length > 0 && <SegmentsTable verdict={verdict} />}
    </>
  );
}

function RulesTable({ rules }: { readonly rules: readonly VerdictRule[] }) {
  const { t, format } = useLanguage();
  const number = (value: number | undefined): string => (value === undefined ? "–" : format.number(value, 5));
  const columns: readonly Column<VerdictRule>[] = [
    {
      key: "rule",
      title: t("verdict.rule"),
      width: "minmax(260px, 2fr)",
      cell: (rule) => <code className="wrap">{rule.rule}</code>,
    },
    {
      key: "segment",
      title: t("verdict.segment"),
      width: "140px",
      cell: (rule) => rule.segment ?? <span className="muted">{t("verdict.overall")}</span>,
    },
    {
      key: "value",
      title: t("verdict.value"),
      width: "110px",
      align: "right",
      cell: (rule) => number(rule.value),
      sortBy: (rule) => rule.value,
    },
    {
      key: "threshold",
      title: t("verdict.threshold"),
      width: "110px",
      align: "right",
      cell: (rule) => number(rule.threshold),
      sortBy: (rule) => rule.threshold,
    },
    {
      key: "passed",
      title: t("model.verdict"),
      width: "130px",
      cell: (rule) => <StateBadge state={rule.passed ? "passed" : "refused"} />,
      sortBy: (rule) => (rule.passed ? 1 : 0),
    },
    {
      key: "note",
      title: t("verdict.note"),
      width: "minmax(160px, 1fr)",
      cell: (rule) => (
        <span className="muted clip" title={rule.note}>
          {rule.note ?? ""}
        </span>
      ),
    },
  ];
  return (
    <DataTable
      label={t("verdict.rules")}
      rows={rules}
      columns={columns}
      rowKey={(rule) => `${rule.rule}${rule.segment ?? ""}`}
    />
  );
}

function MetricsTable({ verdict, version }: { readonly verdict: Verdict; readonly version: number }) {
  const { t, format } = useLanguage();
  const { championMetrics, championVersion } = verdict;
  const names = metricNames([verdict.metrics]);
  const columns: readonly Column<string>[] = [
    { key: "metric", title: t("model.metric"), width: "minmax(150px, 1fr)", cell: (name) => name },
    {
      key: "value",
      title: `v${version}`,
      width: "130px",
      align: "right",
      cell: (name) => format.number(verdict.metrics[name] ?? 0, 5),
    },
    ...(championMetrics === undefined
      ? []
      : [
          {
            key: "champion",
            title: t("model.championLine", { version: championVersion ?? "?" }),
            width: "170px",
            align: "right" as const,
            cell: (name: string) =>
              championMetrics[name] === undefined ? "–" : format.number(championMetrics[name], 5),
          },
          {
            key: "difference",
            title: t("verdict.difference"),
            width: "170px",
            align: "right" as const,
            cell: (name: string) => (
              <Difference name={name} value={verdict.metrics[name]} champion={championMetrics[name]} />
            ),
          },
        ]),
  ];
  return (
    <Panel
      title={t("verdict.metrics")}
      icon="dashboard"
      flush
      actions={
        <span className="chips">
          {verdict.rowCount !== undefined && (
            <span className="muted">{t("dataset.rowCount", { count: verdict.rowCount })}</span>
          )}
          {verdict.data !== undefined && <VersionLinks versions={[verdict.data]} />}
        </span>
      }
    >
      <DataTable label={t("verdict.metrics")} rows={names} columns={columns} rowKey={(name) => name} />
    </Panel>
  );
}

function Difference({
  name,
  value,
  champion,
}: {
  readonly name: string;
  readonly value: number | undefined;
  readonly champion: number | undefined;
}) {
  const { t, format } = useLanguage();
  if (value === undefined || champion === undefined) return <>–</>;
  const outcome = compareMetric(name, value, champion);
  const tone = outcome === "better" ? "tone-good" : outcome === "worse" ? "tone-bad" : "tone-idle";
  const sign = value > champion ? "+" : "";
  return (
    <span className={`difference ${tone}`}>
      {sign}
      {format.number(value - champion, 5)} {outcome !== undefined && t(`verdict.${outcome}`)}
    </span>
  );
}

function SegmentsTable({ verdict }: { readonly verdict: Verdict }) {
  const { t, format } = useLanguage();
  type Segment = Verdict["segments"][number];
  const metrics = metricNames(verdict.segments.map((segment) => segment.metrics)).slice(0, 5);
  const columns: readonly Column<Segment>[] = [
    {
      key: "segment",
      title: t("verdict.segment"),
      width: "minmax(170px, 1fr)",
      cell: (segment) => (
        <>
          {segment.column} = <b>{segment.value}</b>
        </>
      ),
      sortBy: (segment) => `${segment.column}=${segment.value}`,
    },
    {
      key: "rows",
      title: t("dataset.rows"),
      width: "110px",
      align: "right",
      cell: (segment) => format.number(segment.rowCount),
      sortBy: (segment) => segment.rowCount,
    },
    ...metrics.map((metric): Column<Segment> => ({
      key: metric,
      title: metric,
      width: "120px",
      align: "right",
      cell: (segment) => (segment.metrics[metric] === undefined ? "–" : format.number(segment.metrics[metric], 4)),
      sortBy: (segment) => segment.metrics[metric],
    })),
  ];
  return (
    <Panel title={t("verdict.segments")} icon="features" flush>
      <DataTable
        label={t("verdict.segments")}
        rows={verdict.segments}
        columns={columns}
        rowKey={(segment) => `${segment.column}=${segment.value}`}
      />
    </Panel>
  );
}
