import { useMemo } from "react";
import type { EndpointDetail } from "#api";
import {
  boundSeries,
  distinctRetrainings,
  countDriftSeries,
  driftSeries,
  performanceMetrics,
  performanceSeries,
  segmentsOf,
  versionBands,
  windowMiddle,
  windowSpan,
} from "../models/weeks.ts";
import { Chart, type ChartMark } from "./chart.tsx";
import { useLanguage } from "./language.tsx";
import { Empty, Panel } from "./page.tsx";
import { useSearchValue } from "./search-value.ts";

const COLORS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const SHOWN_FEATURES = 5;

/** Performance, drift and volume of an endpoint, window by window, with what happened. */
export function WeeksView({ endpoint }: { readonly endpoint: EndpointDetail }) {
  const { t } = useLanguage();
  const marks = useMarks(endpoint);
  const shared = useMemo(
    () => ({
      x: endpoint.windows.map(windowMiddle),
      xSpan: windowSpan(endpoint.windows),
      bands: versionBands(endpoint),
      marks,
      syncKey: `${endpoint.environment}/${endpoint.name}`,
    }),
    [endpoint, marks],
  );
  if (endpoint.windows.length === 0)
    return <Empty icon="endpoint" title={t("weeks.empty.title")} text={t("weeks.empty.text")} />;
  return (
    <>
      <p className="legend-line">
        <span className="legend-band" /> {t("weeks.bands")} <span className="legend-line-mark tone-bad" />{" "}
        {t("weeks.alerts")} <span className="legend-line-mark tone-good" /> {t("weeks.retrainings")}{" "}
        <span className="legend-dash" /> {t("weeks.thresholds")}
      </p>
      <Performance endpoint={endpoint} shared={shared} />
      <Drift endpoint={endpoint} shared={shared} />
      <Volume endpoint={endpoint} shared={shared} />
    </>
  );
}

interface Shared {
  readonly x: readonly number[];
  readonly xSpan: readonly [number, number] | undefined;
  readonly bands: ReturnType<typeof versionBands>;
  readonly marks: readonly ChartMark[];
  readonly syncKey: string;
}

interface PartProps {
  readonly endpoint: EndpointDetail;
  readonly shared: Shared;
}

function Performance({ endpoint, shared }: PartProps) {
  const { t } = useLanguage();
  const metrics = performanceMetrics(endpoint.windows);
  const [chosen, choose] = useSearchValue("metric");
  const metric = metrics.find((each) => each === chosen) ?? metrics[0];
  const chart = useMemo(() => {
    if (metric === undefined) return undefined;
    const segments = segmentsOf(endpoint.windows, metric).slice(0, COLORS.length);
    const bounds = [
      { label: t("weeks.atTest"), values: boundSeries(endpoint.windows, metric, "baseline"), color: "--ink-soft" },
      { label: t("weeks.threshold"), values: boundSeries(endpoint.windows, metric, "threshold"), color: "--bad" },
    ].filter(({ values }) => values.some((value) => value !== null));
    return {
      series: [
        ...segments.map((segment, index) => ({
          label: segment ?? t("verdict.overall"),
          values: performanceSeries(endpoint.windows, metric, segment),
          color: COLORS[index] ?? "--idle",
          isDashed: segment !== undefined,
        })),
        ...bounds.map((bound) => ({ ...bound, isDashed: true, isStepped: true })),
      ],
    };
  }, [endpoint, metric, t]);
  if (metric === undefined || chart === undefined)
    return (
      <Panel title={t("weeks.performance")} icon="dashboard">
        <p className="muted">{t("weeks.noLabels")}</p>
      </Panel>
    );
  return (
    <Panel
      title={t("weeks.performance")}
      icon="dashboard"
      actions={
        <select
          className="field"
          aria-label={t("model.metric")}
          value={metric}
          onChange={(event) => choose(event.target.value)}
        >
          {metrics.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      }
    >
      <Chart label={metric} {...shared} {...chart} height={250} />
    </Panel>
  );
}

function Drift({ endpoint, shared }: PartProps) {
  const { t } = useLanguage();
  const all = useMemo(() => driftSeries(endpoint.windows), [endpoint.windows]);
  const methods = [...new Set(all.map(({ method }) => method))];
  const [chosen, choose] = useSearchValue("drift");
  const method = methods.find((each) => each === chosen) ?? methods[0];
  const chart = useMemo(() => {
    const shown = all.filter((each) => each.method === method).slice(0, SHOWN_FEATURES);
    const thresholds = [...new Set(shown.map(({ threshold }) => threshold).filter((each) => each !== undefined))];
    return {
      series: shown.map((each, index) => ({
        label: each.of === "share" ? t("weeks.driftShare") : each.feature,
        values: each.values,
        color: COLORS[index] ?? "--idle",
      })),
      thresholds: thresholds.slice(0, 2).map((value) => ({ value, label: t("weeks.threshold") })),
    };
  }, [all, method, t]);
  if (method === undefined) return null;
  const counted = countDriftSeries(all, method);
  return (
    <Panel
      title={t("weeks.drift")}
      icon="features"
      actions={
        <select
          className="field"
          aria-label={t("weeks.method")}
          value={method}
          onChange={(event) => choose(event.target.value)}
        >
          {methods.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      }
    >
      <Chart label={t("weeks.driftBy", { method })} {...shared} {...chart} height={230} />
      <p className="muted">
        {t(counted.withAnswers ? "weeks.driftShownAnswers" : "weeks.driftShown", {
          shown: chart.series.length,
          columns: counted.columns,
        })}
      </p>
    </Panel>
  );
}

function Volume({ endpoint, shared }: PartProps) {
  const { t } = useLanguage();
  const series = useMemo(
    () => [
      {
        label: t("endpoint.predictions"),
        values: endpoint.windows.map(({ predictionCount }) => predictionCount),
        color: "--load-data",
        isBars: true,
      },
      {
        label: t("weeks.labelled"),
        values: endpoint.windows.map(({ labelledCount }) => labelledCount),
        color: "--load-production",
      },
    ],
    [endpoint.windows, t],
  );
  return (
    <Panel title={t("weeks.volume")} icon="endpoint">
      <Chart label={t("weeks.volumeBy")} {...shared} series={series} height={170} />
    </Panel>
  );
}

function useMarks(endpoint: EndpointDetail): readonly ChartMark[] {
  const { t } = useLanguage();
  return useMemo(
    () =>
      oncePerPlace([
        ...endpoint.alerts.map((alert) => ({
          atMs: alert.windowEndMs ?? alert.atMs,
          label: t("weeks.alert"),
          color: "--bad",
        })),
        ...distinctRetrainings(endpoint.retrainings).map((retraining) => ({
          atMs: retraining.eventAtMs ?? retraining.atMs,
          label:
            retraining.madeModelVersion === undefined
              ? t("weeks.retraining")
              : `${t("weeks.retraining")} → v${retraining.madeModelVersion}`,
          color: "--good",
        })),
      ]),
    [endpoint, t],
  );
}

/** Several alerts of one window are one mark. */
function oncePerPlace(marks: readonly ChartMark[]): readonly ChartMark[] {
  return [...new Map(marks.map((mark) => [`${mark.atMs} ${mark.label}`, mark])).values()];
}
