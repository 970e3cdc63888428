import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { parallelCoordinates } from "../../models/tracking/parallel-coordinates.ts";
import { type Dimension, dimensionsOf } from "../../models/tracking/run-comparison.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { address } from "../../routes/address.ts";
import { Panel } from "../page.tsx";
import { useSearchValue } from "../search-value.ts";
import { metricText } from "./runs-grid.tsx";
import { useTrackingText } from "./text.ts";

const FIRST_AXES = 8;
const HEIGHT = 380;
const WIDTH = 1000;
const [TOP, BOTTOM, SIDE] = [34, 14, 70];

/** What every run has first: a missing value breaks a line. */
function firstAxes(dimensions: readonly Dimension[]): readonly string[] {
  const complete = dimensions.filter(({ values }) => values.every((value) => value !== undefined));
  return (complete.length < 2 ? dimensions : complete).slice(-FIRST_AXES).map(({ id }) => id);
}

/** One line per run over the axes of what differs; pointing at a line or at a run in the list brings it out. */
export function ParallelView({ runs }: { readonly runs: readonly TrackingRun[] }) {
  const { t, format } = useTrackingText();
  const navigate = useNavigate();
  const dimensions = useMemo(() => dimensionsOf(runs), [runs]);
  const [axesText, setAxes] = useSearchValue("axes");
  const [strong, setStrong] = useState<number>();
  const chosen = useMemo(
    () => (axesText === undefined ? firstAxes(dimensions) : axesText.split(",").map(decodeURIComponent)),
    [axesText, dimensions],
  );
  const { axes, lines } = useMemo(
    () => parallelCoordinates(dimensions.filter(({ id }) => chosen.includes(id))),
    [dimensions, chosen],
  );
  const x = (share: number): number => SIDE + share * (WIDTH - 2 * SIDE);
  const y = (share: number): number => TOP + share * (HEIGHT - TOP - BOTTOM);
  const toggle = (id: string): void =>
    setAxes(
      dimensions
        .map((each) => each.id)
        .filter((each) => (each === id ? !chosen.includes(id) : chosen.includes(each)))
        .map((each) => encodeURIComponent(each).replaceAll(",", "%2C"))
        .join(","),
    );
  return (
    <Panel title={t("compare.parallel")} icon="dashboard">
      <div className="run-keys" role="group" aria-label={t("compare.axes")}>
        {dimensions.map(({ id, label }) => (
          <label key={id} className="check">
            <input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} />
            {label}
          </label>
        ))}
      </div>
      <svg
        className="drawing"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={t("compare.parallelLabel", { count: runs.length, axes: axes.map(({ label }) => label).join(", ") })}
      >
        {lines.map((line) =>
          line.pieces.map((piece, index) => (
            <polyline
              key={`${line.run} ${index}`}
              className={`coordinate${strong === undefined ? "" : strong === line.run ? " is-strong" : " is-faded"}`}
              style={{
                stroke: `color-mix(in oklab, var(--series-2) ${Math.round((line.shade ?? 0.5) * 100)}%, var(--series-1))`,
              }}
              points={piece.map((point) => `${x(point.x)},${y(point.y)}`).join(" ")}
              onMouseEnter={() => setStrong(line.run)}
              onMouseLeave={() => setStrong(undefined)}
              onClick={() => void navigate({ to: address.trackingRun(runs[line.run]?.id ?? "") })}
            >
              <title>{runs[line.run]?.name}</title>
            </polyline>
          )),
        )}
        {axes.map((axis) => (
          <g key={axis.id}>
            <line className="axis-line" x1={x(axis.x)} x2={x(axis.x)} y1={y(0)} y2={y(1)} />
            <text className="axis-title" x={x(axis.x)} y={16} textAnchor="middle">
              {axis.label}
            </text>
            {axis.ticks.slice(0, 30).map((tick) => (
              <text key={String(tick.text)} x={x(axis.x) + 6} y={y(tick.y) + 4}>
                {typeof tick.text === "number" ? metricText(tick.text, format.number) : tick.text.slice(0, 22)}
              </text>
            ))}
          </g>
        ))}
      </svg>
      <div className="run-keys">
        {runs.map((run, index) => (
          <button
            key={run.id}
            type="button"
            className="link-button"
            onMouseEnter={() => setStrong(index)}
            onMouseLeave={() => setStrong(undefined)}
            onFocus={() => setStrong(index)}
            onBlur={() => setStrong(undefined)}
            onClick={() => void navigate({ to: address.trackingRun(run.id) })}
          >
            {run.name}
          </button>
        ))}
      </div>
    </Panel>
  );
}
