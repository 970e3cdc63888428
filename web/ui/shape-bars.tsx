import type { ColumnShape } from "#api";
import { useMonitoringText } from "./monitoring-text.ts";

const WIDTH = 360;
const HEIGHT = 60;
const EMPTY: ColumnShape = { bins: [], reference: [], current: [] };

/** Both sides of a column, bin by bin, beside each other. */
export function ShapeBars({
  column,
  shape = EMPTY,
}: {
  readonly column: string;
  readonly shape?: ColumnShape | undefined;
}) {
  const { t, format } = useMonitoringText();
  const largest = Math.max(0.001, ...shape.reference, ...shape.current);
  const step = WIDTH / Math.max(1, shape.bins.length);
  const sides = [
    { values: shape.reference, color: "var(--ink-soft)", offset: 0.1, label: t("shape.reference") },
    { values: shape.current, color: "var(--series-1)", offset: 0.5, label: t("shape.current") },
  ];
  return (
    <figure className="panel-note">
      <figcaption>
        {column}{" "}
        {sides.map(({ label, color }) => (
          <span key={label} className="muted">
            <span style={{ color }}>■</span> {label}{" "}
          </span>
        ))}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={t("shape.label", { column })}
      >
        {sides.flatMap(({ values, color, offset, label }) =>
          shape.bins.map((bin, index) => {
            const share = values[index] ?? 0;
            const height = (share / largest) * HEIGHT;
            return (
              <rect
                key={`${label} ${bin}`}
                x={(index + offset) * step}
                y={HEIGHT - height}
                width={step * 0.38}
                height={height}
                fill={color}
              >
                <title>{`${bin}: ${label} ${format.percent(share, 1)}`}</title>
              </rect>
            );
          }),
        )}
      </svg>
    </figure>
  );
}
