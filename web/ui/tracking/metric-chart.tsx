import { useComputedColorScheme } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import {
  alignSeries,
  coverageOf,
  type MetricSeries,
  placeSeries,
  smooth,
  stepsWithin,
  toSeries,
  type XAxis,
} from "../../models/tracking/metric-series.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { saveBlob } from "../../services/artifact-file.ts";
import { trackingQueries } from "../../services/tracking-queries.ts";
import { Problem, Waiting } from "../page.tsx";
import { useTrackingText } from "./text.ts";

/** Points asked for per chart: more than a chart is wide, for few runs; the server allows 2,500 over all of them. */
const POINTS = 1000;
const HEIGHT = 210;
const MOST_TABLE_ROWS = 300;
export const SERIES_COLORS = 6;

export interface ChartSettings {
  readonly axis: XAxis;
  readonly isLogarithmic: boolean;
  /** Weight of the past, 0 to below 1. */
  readonly smoothing: number;
}

interface MetricChartProps {
  readonly runs: readonly TrackingRun[];
  readonly metric: string;
  readonly settings: ChartSettings;
}

/** Drawn when it comes into view: a run may have thousands of metrics. */
export function MetricChart(props: MetricChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const isSeen = useSeen(place);
  return (
    <div ref={place} className="chart-card">
      {isSeen ? <LoadedChart {...props} /> : <b>{props.metric}</b>}
    </div>
  );
}

function useSeen(place: RefObject<HTMLElement | null>): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && setSeen(true),
      { rootMargin: "300px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [place]);
  return isSeen;
}

function LoadedChart({ runs, metric, settings }: MetricChartProps) {
  const { t } = useTrackingText();
  const [range, setRange] = useState<readonly [number, number]>();
  const [isTable, setTable] = useState(false);
  const runIds = useMemo(() => runs.map(({ id }) => id), [runs]);
  const points = useQuery({
    ...trackingQueries.history({ runIds, key: metric, range, points: POINTS }),
    placeholderData: keepPreviousData,
  });
  const series = useMemo(() => toSeries(metric, runIds, points.data ?? []), [metric, runIds, points.data]);
  const drawn = useMemo(() => draw(series, runs, settings), [series, runs, settings]);
  const canvas = useRef<HTMLDivElement>(null);
  const savePng = (): void =>
    canvas.current?.querySelector("canvas")?.toBlob((blob) => blob !== null && saveBlob(blob, `${metric}.png`));
  return (
    <figure>
      <figcaption>
        <b className="clip" title={metric}>
          {metric}
        </b>
        <span className="chart-tools">
          {range !== undefined && (
            <button type="button" className="link-button" onClick={() => setRange(undefined)}>
              {t("chart.wholeRange")}
            </button>
          )}
          <button type="button" className="link-button" onClick={savePng} disabled={isTable}>
            PNG
          </button>
          <button
            type="button"
            className="link-button"
            onClick={() => saveBlob(new Blob([seriesCsv(series)], { type: "text/csv" }), `${metric}.csv`)}
          >
            CSV
          </button>
          <button type="button" className="link-button" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            {t(isTable ? "chart.asChart" : "chart.asTable")}
          </button>
        </span>
      </figcaption>
      {points.error !== null && <Problem error={points.error} retry={() => void points.refetch()} />}
      {points.isPending ? (
        <Waiting lines={3} />
      ) : isTable ? (
        <PointTable drawn={drawn} runs={runs} axis={settings.axis} label={metric} />
      ) : (
        <Plot
          place={canvas}
          drawn={drawn}
          runs={runs}
          settings={settings}
          label={metric}
          onZoom={([from, to]) => setRange(stepsWithin(series, settings.axis, [from, to]) ?? range)}
        />
      )}
      <Note series={series} range={range} />
    </figure>
  );
}

/** Says when points were left out: a sampled line must not pass for the whole. */
function Note({
  series,
  range,
}: {
  readonly series: readonly MetricSeries[];
  readonly range: readonly [number, number] | undefined;
}) {
  const { t } = useTrackingText();
  const { kind, count, first, last } = coverageOf(series, POINTS);
  const notFinite = series.reduce(
    (sum, { values }) => sum + values.filter((value) => !Number.isFinite(value)).length,
    0,
  );
  const parts = [
    kind === "all"
      ? t("chart.points", { count })
      : t(kind === "sample" ? "chart.sampled" : "chart.perhapsSampled", { count, first, last }),
    ...(range === undefined ? [] : [t("chart.zoomed", { first: range[0], last: range[1] })]),
    ...(notFinite === 0 ? [] : [t("chart.notFinite", { count: notFinite })]),
  ];
  return <p className="chart-note">{count === 0 ? t("chart.noPoints") : parts.join(" · ")}</p>;
}

type Drawn = ReturnType<typeof alignSeries>;

function draw(
  series: readonly MetricSeries[],
  runs: readonly TrackingRun[],
  { axis, isLogarithmic, smoothing }: ChartSettings,
): Drawn {
  const placed = series.map((each, index) => {
    const { x, y } = placeSeries(each, axis, runs[index]?.startMs);
    return { x, y: smooth(y, smoothing) };
  });
  return alignSeries(placed, isLogarithmic);
}

function seriesCsv(series: readonly MetricSeries[]): string {
  const lines = series.flatMap(({ runId, key, steps, times, values }) =>
    steps.map(
      (step, index) => `${runId},"${key.replaceAll('"', '""')}",${step},${times[index] ?? ""},${values[index] ?? ""}`,
    ),
  );
  return ["run_id,key,step,timestamp,value", ...lines, ""].join("\r\n");
}

interface PlotProps {
  readonly place: RefObject<HTMLDivElement | null>;
  readonly drawn: Drawn;
  readonly runs: readonly TrackingRun[];
  readonly settings: ChartSettings;
  readonly label: string;
  readonly onZoom: (range: readonly [number, number]) => void;
}

function Plot({ place, drawn, runs, settings, label, onZoom }: PlotProps) {
  const { format } = useTrackingText();
  const scheme = useComputedColorScheme("light");
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const options = plotOptions({
      runs,
      settings,
      width: element.clientWidth,
      time: (atMs) => format.dateTime(atMs),
      onZoom: (range) => zoom.current(range),
    });
    const plot = new uPlot(
      options,
      [[...drawn.x], ...drawn.columns.map((column) => [...column])] as uPlot.AlignedData,
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [place, drawn, runs, settings, scheme, format]);
  const last = runs.map(
    ({ name }, index) =>
      `${name} ${format.number(drawn.columns[index]?.findLast((value) => value !== null) ?? Number.NaN)}`,
  );
  return <div ref={place} role="img" aria-label={`${label}: ${last.slice(0, 8).join("; ")}`} />;
}

interface PlotFacts extends Pick<PlotProps, "runs" | "settings" | "onZoom"> {
  readonly width: number;
  readonly time: (atMs: number) => string;
}

function plotOptions({ runs, settings, width, time, onZoom }: PlotFacts): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--ink-soft"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "11.5px system-ui, sans-serif",
  };
  const isTime = settings.axis === "time";
  const short = (value: number): string =>
    value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(1)
      : String(Number(value.toPrecision(5)));
  return {
    width,
    height: HEIGHT,
    scales: { x: { time: isTime }, y: settings.isLogarithmic ? { distr: 3 } : {} },
    cursor: { drag: { x: true, y: false, setScale: false } },
    legend: { show: runs.length <= 10 },
    axes: [
      {
        ...axis,
        size: 30,
        ...(isTime
          ? {}
          : {
              values: (_: uPlot, ticks: number[]) =>
                ticks.map((tick) => (settings.axis === "relative" ? `${short(tick)} s` : short(tick))),
            }),
      },
      { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : short(tick))) },
    ],
    series: [
      {
        label: settings.axis,
        value: (_, value) => (value === null || value === undefined ? "–" : isTime ? time(value * 1000) : short(value)),
      },
      ...runs.map((run, index): uPlot.Series => ({
        label: run.name,
        stroke: color(`--series-${(index % SERIES_COLORS) + 1}`),
        width: 1.6,
        spanGaps: true,
        value: (_, value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(6)))),
        ...(index >= SERIES_COLORS ? { dash: [6, 4] } : {}),
      })),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          onZoom([plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")]);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function PointTable({
  drawn,
  runs,
  axis,
  label,
}: {
  readonly drawn: Drawn;
  readonly runs: readonly TrackingRun[];
  readonly axis: XAxis;
  readonly label: string;
}) {
  const { t, name, format } = useTrackingText();
  const every = Math.max(1, Math.ceil(drawn.x.length / MOST_TABLE_ROWS));
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            <th scope="col">{name("xAxis", axis)}</th>
            {runs.map((run) => (
              <th scope="col" key={run.id}>
                {run.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {drawn.x.map((x, index) =>
            index % every !== 0 ? null : (
              <tr key={x}>
                <th scope="row">{axis === "time" ? format.dateTime(x * 1000) : format.number(x)}</th>
                {drawn.columns.map((column, position) => (
                  <td key={runs[position]?.id ?? position}>
                    {column[index] === null || column[index] === undefined ? "–" : format.number(column[index], 6)}
                  </td>
                ))}
              </tr>
            ),
          )}
        </tbody>
      </table>
      {every > 1 && <p className="muted">{t("chart.tableEvery", { count: every })}</p>}
    </div>
  );
}
