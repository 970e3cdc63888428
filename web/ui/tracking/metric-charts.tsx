import { useMemo, useState } from "react";
import { X_AXES, type XAxis } from "../../models/tracking/metric-series.ts";
import type { TrackingRun } from "../../models/tracking/tracking-run.ts";
import { useSearchValue } from "../search-value.ts";
import { Empty } from "../page.tsx";
import { type ChartSettings, MetricChart, SERIES_COLORS } from "./metric-chart.tsx";
import { SearchBox } from "./tags.tsx";
import { useTrackingText } from "./text.ts";

const FIRST_SHOWN = 60;
const MORE_SHOWN = 120;

/** Every metric of some runs as a chart, with one set of controls for all. */
export function MetricCharts({ runs }: { readonly runs: readonly TrackingRun[] }) {
  const { t, name } = useTrackingText();
  const [words = "", setWords] = useSearchValue("metric");
  const [axisText, setAxis] = useSearchValue("x");
  const [scale, setScale] = useSearchValue("y");
  const [smoothing = "0", setSmoothing] = useSearchValue("smooth");
  const [mostShown, setMostShown] = useState(FIRST_SHOWN);
  const axis: XAxis = X_AXES.find((each) => each === axisText) ?? "step";
  const weight = Math.min(0.99, Math.max(0, Number(smoothing) || 0));
  const settings = useMemo(
    (): ChartSettings => ({ axis, isLogarithmic: scale === "log", smoothing: weight }),
    [axis, scale, weight],
  );
  const metrics = useMemo(
    () => [...new Set(runs.flatMap((run) => [...run.metrics.keys()]))].sort((left, right) => left.localeCompare(right)),
    [runs],
  );
  if (metrics.length === 0)
    return <Empty icon="dashboard" title={t("metrics.none.title")} text={t("metrics.none.text")} />;
  const found = metrics.filter((metric) => metric.toLowerCase().includes(words.toLowerCase()));
  return (
    <>
      <div className="toolbar">
        <SearchBox
          label={t("metrics.search")}
          value={words}
          onChange={(value) => setWords(value === "" ? undefined : value)}
        />
        <label className="check">
          {t("chart.x")}
          <select className="field" value={axis} onChange={(event) => setAxis(event.target.value)}>
            {X_AXES.map((each) => (
              <option key={each} value={each}>
                {name("xAxis", each)}
              </option>
            ))}
          </select>
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={scale === "log"}
            onChange={(event) => setScale(event.target.checked ? "log" : undefined)}
          />
          {t("chart.log")}
        </label>
        <label className="check">
          {t("chart.smoothing")}
          <input
            type="range"
            min={0}
            max={0.99}
            step={0.01}
            value={weight}
            onChange={(event) => setSmoothing(event.target.value === "0" ? undefined : event.target.value)}
          />
          <span className="figure">{weight.toFixed(2)}</span>
        </label>
        <span className="muted">{t("chart.zoomHint")}</span>
      </div>
      {runs.length > 1 && (
        <div className="run-keys">
          {runs.map((run, index) => (
            <span key={run.id} className="run-key">
              <i style={{ background: `var(--series-${(index % SERIES_COLORS) + 1})` }} />
              {run.name}
            </span>
          ))}
        </div>
      )}
      <div className="chart-grid">
        {found.slice(0, mostShown).map((metric) => (
          <MetricChart key={metric} runs={runs} metric={metric} settings={settings} />
        ))}
      </div>
      {found.length > mostShown && (
        <div className="table-more">
          <button type="button" className="plain-button" onClick={() => setMostShown(mostShown + MORE_SHOWN)}>
            {t("metrics.more", { count: found.length - mostShown })}
          </button>
        </div>
      )}
    </>
  );
}
