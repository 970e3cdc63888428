import { useMemo } from "react";
import { toBoxes } from "../../models/tracking/box-plot.ts";
import { parallelCoordinates } from "../../models/tracking/parallel-coordinates.ts";
import { type Dimension, dimensionsOf } from "../../models/tracking/run-comparison.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { Empty, Panel } from "../page.tsx";
import { useSearchValue } from "../search-value.ts";
import { metricText } from "./runs-grid.tsx";
import { useTrackingText } from "./text.ts";

const WIDTH = 900;
const HEIGHT = 380;
const [LEFT, TOP, BOTTOM, RIGHT] = [90, 16, 44, 24];

/** Runs by two of their params and metrics. */
export function ScatterView({ runs }: { readonly runs: readonly TrackingRun[] }) {
  const { t, format } = useTrackingText();
  const dimensions = useMemo(() => dimensionsOf(runs), [runs]);
  const across = useDimension("across", dimensions, dimensions[0]);
  const up = useDimension("up", dimensions, dimensions.at(-1));
  if (across.dimension === undefined || up.dimension === undefined)
    return <Empty icon="dashboard" title={t("compare.nothing")} text={t("compare.nothing.text")} />;
  // The same layout as of parallel axes: places from 0 to 1, texts in order of name.
  const { axes, lines } = parallelCoordinates([across.dimension, up.dimension]);
  const placed = lines.flatMap(({ run, pieces }) => {
    const [first, second] = pieces[0] ?? [];
    return pieces.length === 1 && first !== undefined && second !== undefined
      ? [{ run, x: 1 - first.y, y: second.y }]
      : [];
  });
  const x = (share: number): number => LEFT + share * (WIDTH - LEFT - RIGHT);
  const y = (share: number): number => TOP + share * (HEIGHT - TOP - BOTTOM);
  const text = (value: number | string): string =>
    typeof value === "number" ? metricText(value, format.number) : value.slice(0, 18);
  return (
    <Panel
      title={t("compare.scatter")}
      icon="dashboard"
      actions={
        <span className="button-row">
          {across.select(t("compare.across"))}
          {up.select(t("compare.up"))}
        </span>
      }
    >
      <svg
        className="drawing"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={t("compare.scatterLabel", {
          count: placed.length,
          across: across.dimension.label,
          up: up.dimension.label,
        })}
      >
        <line className="axis-line" x1={x(0)} x2={x(1)} y1={y(1)} y2={y(1)} />
        <line className="axis-line" x1={x(0)} x2={x(0)} y1={y(0)} y2={y(1)} />
        {axes[0]?.ticks.map((tick) => (
          <text key={`x${tick.text}`} x={x(1 - tick.y)} y={y(1) + 18} textAnchor="middle">
            {text(tick.text)}
          </text>
        ))}
        {axes[1]?.ticks.map((tick) => (
          <text key={`y${tick.text}`} x={x(0) - 8} y={y(tick.y) + 4} textAnchor="end">
            {text(tick.text)}
          </text>
        ))}
        <text className="axis-title" x={x(0.5)} y={HEIGHT - 4} textAnchor="middle">
          {across.dimension.label}
        </text>
        {placed.map((point) => (
          <circle key={point.run} className="dot" cx={x(point.x)} cy={y(point.y)} r={5}>
            <title>{`${runs[point.run]?.name ?? ""}: ${across.dimension?.label ?? ""} ${across.dimension?.values[point.run] ?? ""}, ${up.dimension?.label ?? ""} ${up.dimension?.values[point.run] ?? ""}`}</title>
          </circle>
        ))}
      </svg>
      {placed.length < runs.length && (
        <p className="muted">{t("compare.leftOut", { count: runs.length - placed.length })}</p>
      )}
    </Panel>
  );
}

/** How a metric is spread within the groups of a param. */
export function BoxView({ runs }: { readonly runs: readonly TrackingRun[] }) {
  const { t, format } = useTrackingText();
  const dimensions = useMemo(() => dimensionsOf(runs), [runs]);
  const numeric = useMemo(() => dimensions.filter(({ isNumeric }) => isNumeric), [dimensions]);
  const group = useDimension("group", dimensions, dimensions[0]);
  const up = useDimension("up", numeric, numeric.at(-1));
  if (group.dimension === undefined || up.dimension === undefined)
    return <Empty icon="dashboard" title={t("compare.nothing")} text={t("compare.nothing.text")} />;
  const { values } = up.dimension;
  const groups = group.dimension.values;
  const boxes = toBoxes(
    values.flatMap((value, run) => (typeof value === "number" ? [{ group: String(groups[run] ?? "–"), value }] : [])),
  );
  const all = boxes.flatMap((box) => [box.low, box.high, ...box.outliers]);
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const y = (value: number): number =>
    TOP + (max === min ? 0.5 : 1 - (value - min) / (max - min)) * (HEIGHT - TOP - BOTTOM);
  const slot = (WIDTH - LEFT - RIGHT) / Math.max(1, boxes.length);
  const half = Math.min(34, slot * 0.32);
  return (
    <Panel
      title={t("compare.box")}
      icon="dashboard"
      actions={
        <span className="button-row">
          {group.select(t("compare.groupBy"))}
          {up.select(t("compare.up"))}
        </span>
      }
    >
      <svg
        className="drawing"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={boxes
          .map((box) => `${box.label}: ${metricText(box.median, format.number)} (${box.count})`)
          .join("; ")}
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <text key={share} x={LEFT - 8} y={y(min + share * (max - min)) + 4} textAnchor="end">
            {metricText(min + share * (max - min), format.number)}
          </text>
        ))}
        {boxes.map((box, index) => {
          const middle = LEFT + slot * (index + 0.5);
          return (
            <g key={box.label}>
              <title>{`${box.label}: n = ${box.count}, ${box.low} – ${box.firstQuartile} – ${box.median} – ${box.thirdQuartile} – ${box.high}`}</title>
              <line className="whisker" x1={middle} x2={middle} y1={y(box.low)} y2={y(box.high)} />
              <rect
                className="box"
                x={middle - half}
                width={2 * half}
                y={y(box.thirdQuartile)}
                height={Math.max(1, y(box.firstQuartile) - y(box.thirdQuartile))}
              />
              <line className="median" x1={middle - half} x2={middle + half} y1={y(box.median)} y2={y(box.median)} />
              {box.outliers.map((value, position) => (
                <circle key={position} className="dot" cx={middle} cy={y(value)} r={3.5} />
              ))}
              {boxes.length <= 24 && (
                <text x={middle} y={HEIGHT - 22} textAnchor="middle">
                  {box.label.slice(0, 14)}
                </text>
              )}
            </g>
          );
        })}
        <text className="axis-title" x={WIDTH / 2} y={HEIGHT - 4} textAnchor="middle">
          {group.dimension.label}
        </text>
      </svg>
    </Panel>
  );
}

function useDimension(name: string, dimensions: readonly Dimension[], first: Dimension | undefined) {
  const [id, setId] = useSearchValue(name);
  const dimension = dimensions.find((each) => each.id === id) ?? first;
  const select = (label: string) => (
    <label className="check">
      {label}
      <select className="field" value={dimension?.id} onChange={(event) => setId(event.target.value)}>
        {dimensions.map((each) => (
          <option key={each.id} value={each.id}>
            {each.label}
          </option>
        ))}
      </select>
    </label>
  );
  return { dimension, select };
}
