import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import { useLanguage } from "./language.tsx";

export interface ChartSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** CSS custom property, without `var()`. */
  readonly color: string;
  readonly isBars?: boolean;
  readonly isDashed?: boolean;
  /** A bound that holds until the next one, drawn thin and without points. */
  readonly isStepped?: boolean;
}

export interface ChartBand {
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
  /** Bands alternate so that neighbours can be told apart. */
  readonly isOdd: boolean;
}

export interface ChartMark {
  readonly atMs: number;
  readonly label: string;
  readonly color: string;
}

interface ChartProps {
  readonly label: string;
  /** Epoch milliseconds, or plain numbers when `isTime` is false; ascending. */
  readonly x: readonly number[];
  readonly xTitle?: string;
  readonly isTime?: boolean;
  readonly series: readonly ChartSeries[];
  readonly thresholds?: readonly { readonly value: number; readonly label: string }[];
  readonly bands?: readonly ChartBand[];
  readonly marks?: readonly ChartMark[];
  readonly height?: number;
  /** The same for all charts that stand below one another; default: what `x` spans. */
  readonly xSpan?: readonly [number, number] | undefined;
  /** Charts with the same key move their cursors together. */
  readonly syncKey?: string;
}

/** Lines over time with thresholds, bands and marks; the same numbers as a table for those who cannot see it. */
export function Chart(props: ChartProps) {
  const { t, format, language } = useLanguage();
  const scheme = useComputedColorScheme("light");
  const place = useRef<HTMLDivElement>(null);
  const [isTable, setTable] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (element === null || isTable) return undefined;
    const height = props.height ?? 210;
    const plot = new uPlot(
      optionsOf(
        { ...props, xTitle: props.xTitle ?? t("chart.time") },
        { width: element.clientWidth, height },
        format.date,
        language,
      ),
      dataOf(props),
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [props, isTable, scheme, format, language, t]);
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-title">{props.label}</span>
        <button type="button" className="link-button" onClick={() => setTable(!isTable)} aria-pressed={isTable}>
          {isTable ? t("chart.asChart") : t("chart.asTable")}
        </button>
      </figcaption>
      {isTable ? (
        <NumbersTable {...props} />
      ) : (
        <div ref={place} role="img" aria-label={summary(props, format.number)} />
      )}
    </figure>
  );
}

function NumbersTable({ x, xTitle, isTime = true, series, label }: ChartProps) {
  const { t, format } = useLanguage();
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            <th scope="col">{xTitle ?? t("chart.time")}</th>
            {series.map((each) => (
              <th scope="col" key={each.label}>
                {each.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {x.map((value, index) => (
            <tr key={value}>
              <th scope="row">{isTime ? format.date(value) : format.number(value)}</th>
              {series.map((each) => {
                const figure = each.values[index];
                return (
                  <td key={each.label}>{figure === null || figure === undefined ? "–" : format.number(figure)}</td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function summary({ label, series }: ChartProps, number: (value: number) => string): string {
  const parts = series.map((each) => {
    const values = each.values.filter((value) => value !== null);
    const last = values.at(-1);
    return last === undefined
      ? each.label
      : `${each.label} ${number(last)} (${number(Math.min(...values))}–${number(Math.max(...values))})`;
  });
  return `${label}: ${parts.join("; ")}`;
}

function dataOf({ x, series, isTime = true }: ChartProps): uPlot.AlignedData {
  return [
    x.map((value) => (isTime ? value / 1000 : value)),
    ...series.map(({ values }) => [...values]),
  ] as uPlot.AlignedData;
}

function optionsOf(
  props: ChartProps,
  { width, height }: { readonly width: number; readonly height: number },
  date: (atMs: number) => string,
  language: string,
): uPlot.Options {
  const { series, isTime = true, syncKey } = props;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const short = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const clock = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
  // Ticks within a day would all have its name.
  const tickText = (tick: number): string =>
    (new Date(tick * 1000).getHours() === 0 ? short : clock).format(tick * 1000);
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 4 });
  const axis = {
    stroke: color("--ink-soft"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "11.5px system-ui, sans-serif",
  };
  return {
    width,
    height,
    ...(syncKey === undefined ? {} : { cursor: { sync: { key: syncKey } } }),
    scales: { x: { time: isTime, range: xRange(props) }, y: { range: yRange(props) } },
    legend: { show: true, live: true },
    axes: [
      {
        ...axis,
        size: 30,
        values: (_, ticks) => ticks.map((tick) => (isTime ? tickText(tick) : String(tick))),
        space: 64,
        ...(isTime ? {} : { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }),
      },
      { ...axis, size: 54, values: (_, ticks) => ticks.map((tick) => compact.format(tick)) },
    ],
    series: [
      {
        label: props.xTitle ?? "",
        value: (_, value) =>
          value === null || value === undefined ? "–" : isTime ? date(value * 1000) : String(value),
      },
      ...series.map((each): uPlot.Series => seriesOptions(each, color, props.x.length, language)),
    ],
    hooks: { drawClear: [(plot) => drawBands(plot, props, color)], draw: [(plot) => drawLines(plot, props, color)] },
  };
}

function seriesOptions(
  each: ChartSeries,
  color: (name: string) => string,
  count: number,
  language: string,
): uPlot.Series {
  const stroke = color(each.color);
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
  return {
    label: each.label,
    stroke,
    width: each.isBars === true ? 0 : each.isStepped === true ? 1.2 : 2,
    spanGaps: true,
    value: (_, value) => (value === null || value === undefined ? "–" : number.format(value)),
    points: { show: each.isBars !== true && each.isStepped !== true && count < 60, size: 6, fill: stroke },
    ...(each.isDashed === true ? { dash: [6, 5] } : {}),
    ...(each.isStepped === true && uPlot.paths.stepped !== undefined
      ? { paths: uPlot.paths.stepped({ align: 1 }) }
      : {}),
    ...(each.isBars === true && uPlot.paths.bars !== undefined
      ? { paths: uPlot.paths.bars({ size: [0.68, 46] }), fill: `${stroke}99` }
      : {}),
  };
}

function xRange({ x, series, xSpan }: ChartProps): uPlot.Scale.Range {
  if (xSpan !== undefined) return [xSpan[0] / 1000, xSpan[1] / 1000];
  const hasBars = series.some(({ isBars }) => isBars === true);
  return (_, min, max) => {
    const step = x.length > 1 ? (max - min) / (x.length - 1) : 1;
    const margin = hasBars || x.length < 3 ? step * 0.6 : step * 0.15;
    return [min - margin, max + margin];
  };
}

function yRange({ thresholds = [], series }: ChartProps): uPlot.Scale.Range {
  const isFromZero = series.some(({ isBars }) => isBars === true);
  return (_, dataMin, dataMax) => {
    const values = [dataMin ?? 0, dataMax ?? 1, ...thresholds.map(({ value }) => value)].filter(Number.isFinite);
    const min = isFromZero ? 0 : Math.min(...values);
    const max = Math.max(...values);
    const margin = (max - min || Math.abs(max) || 1) * 0.12;
    return [isFromZero || (min >= 0 && min - margin < 0) ? 0 : min - margin, max + margin];
  };
}

function drawBands(plot: uPlot, { bands = [] }: ChartProps, color: (name: string) => string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const band of bands) {
    const left = Math.max(bbox.left, plot.valToPos(band.fromMs / 1000, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(band.toMs / 1000, "x", true));
    if (right <= left) continue;
    ctx.fillStyle = color(band.isOdd ? "--sunken" : "--accent-soft");
    ctx.globalAlpha = band.isOdd ? 0.9 : 0.45;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillStyle = color("--ink-soft");
    if (right - left > ctx.measureText(band.label).width + 8)
      ctx.fillText(band.label, left + 5 * devicePixelRatio, bbox.top + 13 * devicePixelRatio);
  }
  ctx.restore();
}

function drawLines(plot: uPlot, { thresholds = [], marks = [] }: ChartProps, color: (name: string) => string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const { value, label } of thresholds) {
    const y = plot.valToPos(value, "y", true);
    ctx.strokeStyle = ctx.fillStyle = color("--bad");
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    line(ctx, [bbox.left, y], [bbox.left + bbox.width, y]);
    ctx.textAlign = "left";
    ctx.fillText(label, bbox.left + 4 * devicePixelRatio, y - 5 * devicePixelRatio);
  }
  ctx.setLineDash([]);
  ctx.textAlign = "left";
  const rows = [...new Set(marks.map((mark) => mark.color))];
  const taken: { from: number; to: number; row: number }[] = [];
  for (const mark of marks.toSorted((left, right) => left.atMs - right.atMs)) {
    // Marks of different kinds at one place stand side by side.
    const x = plot.valToPos(mark.atMs / 1000, "x", true) + 3 * rows.indexOf(mark.color) * devicePixelRatio;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = color(mark.color);
    line(ctx, [x, bbox.top], [x, bbox.top + bbox.height]);
    // Labels stack where they would run into one another, and lie within the chart.
    const width = ctx.measureText(mark.label).width + 8 * devicePixelRatio;
    const from = Math.min(x + 5 * devicePixelRatio, bbox.left + bbox.width - width);
    const row = LABEL_ROWS.find(
      (each) => !taken.some((place) => place.row === each && place.from < from + width && from < place.to),
    );
    if (row === undefined) continue;
    taken.push({ from, to: from + width, row });
    ctx.fillText(mark.label, from, bbox.top + (28 + LABEL_STEP * row) * devicePixelRatio);
  }
  ctx.restore();
}

const LABEL_ROWS = [0, 1, 2, 3];
const LABEL_STEP = 14;

function line(ctx: CanvasRenderingContext2D, from: readonly [number, number], to: readonly [number, number]): void {
  ctx.lineWidth = 1.3 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}
