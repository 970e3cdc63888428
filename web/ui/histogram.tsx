import type { Histogram } from "#api";
import { shownBins } from "../models/shown-bins.ts";
import { useLanguage } from "./language.tsx";

const WIDTH = 180;
const HEIGHT = 44;
/** Labels that find room below the bars. */
const MOST_LABELS = 8;
/** Of all labels together: moments in time would stand in lines of four letters. */
const MOST_LETTERS = 40;

/** Counts between edges, as small bars. */
export function HistogramBars({ histogram }: { readonly histogram: Histogram }) {
  const { t, format } = useLanguage();
  const { edges, counts } = shownBins(histogram);
  // In halves: the distance of two numbers may be beyond all numbers.
  const at = (index: number): number => {
    const [low = 0, value = 0, high = 0] = [edges[0], edges[index], edges.at(-1)];
    return high > low ? ((value / 2 - low / 2) / (high / 2 - low / 2)) * WIDTH : (index / (edges.length - 1)) * WIDTH;
  };
  // The outer bins may be narrower than the others: what is seen is the area.
  const densities = counts.map((count, index) => count / Math.max(Number.EPSILON, at(index + 1) - at(index)));
  const largest = Math.max(Number.EPSILON, ...densities);
  const edge = (index: number): string => {
    const value = edges[index];
    if (value === undefined) return "";
    return histogram.isTime === true ? format.date(value) : format.number(value, 3);
  };
  return (
    <div className="histogram">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t("profile.histogram", { from: edge(0), to: edge(edges.length - 1) })}
      >
        {counts.map((count, index) => {
          const height = count === 0 ? 0 : Math.max(1.5, ((densities[index] ?? 0) / largest) * HEIGHT);
          return (
            <rect
              key={index}
              x={at(index) + 0.5}
              y={HEIGHT - height}
              width={Math.max(0.5, at(index + 1) - at(index) - 1)}
              height={height}
            >
              <title>{`${edge(index)} – ${edge(index + 1)}: ${format.number(count)}`}</title>
            </rect>
          );
        })}
      </svg>
      <div className="histogram-edges">
        <span>{edge(0)}</span>
        <span>{edge(edges.length - 1)}</span>
      </div>
    </div>
  );
}

/** Every value of a column that has few, in order, with its share of all rows. */
export function ValueBars({
  values,
  total,
}: {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  readonly total: number;
}) {
  const { t, format } = useLanguage();
  const largest = Math.max(1, ...values.map(({ count }) => count));
  const step = WIDTH / values.length;
  const letters = values.reduce((sum, { value }) => sum + value.length, 0);
  const fits = values.length <= MOST_LABELS && letters <= MOST_LETTERS;
  const shown = values.map(
    ({ value, count }) => `${value}: ${format.number(count)} (${format.percent(count / Math.max(1, total), 1)})`,
  );
  return (
    <div className="histogram">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t("profile.values", { values: shown.join("; ") })}
      >
        {values.map(({ value, count }, index) => {
          const height = count === 0 ? 0 : Math.max(1.5, (count / largest) * HEIGHT);
          return (
            <rect key={value} x={index * step + step * 0.15} y={HEIGHT - height} width={step * 0.7} height={height}>
              <title>{shown[index]}</title>
            </rect>
          );
        })}
      </svg>
      <div className="histogram-edges" style={{ justifyContent: "space-around" }}>
        {fits
          ? values.map(({ value }) => <span key={value}>{value}</span>)
          : [values[0], values.at(-1)].map((end) => <span key={end?.value}>{end?.value}</span>)}
      </div>
    </div>
  );
}

/** Most frequent values with their share. */
export function TopValues({
  values,
  total,
}: {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  readonly total: number;
}) {
  const { format } = useLanguage();
  const shown = values.slice(0, 4);
  return (
    <ul className="top-values">
      {shown.map(({ value, count }) => (
        <li key={value}>
          <span className="top-value">{value === "" ? "∅" : value}</span>
          <span
            className="top-bar"
            style={{ width: `${Math.max(1, (count / Math.max(1, shown[0]?.count ?? 1)) * 60)}px` }}
          />
          <span className="muted">{format.percent(count / Math.max(1, total))}</span>
        </li>
      ))}
    </ul>
  );
}
