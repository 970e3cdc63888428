/** Labels of one series; a name is `[a-z_]+`. */
export type MetricLabels = Readonly<Record<string, string>>;

export const METRIC_KINDS = ["counter", "gauge", "histogram", "summary"] as const;
export type MetricKind = (typeof METRIC_KINDS)[number];

export interface Counter {
  /** @param by ≥ 0 */
  add(labels: MetricLabels, by?: number): void;
}

export interface Histogram {
  observe(labels: MetricLabels, value: number): void;
}

/** One series with what it stands at; of a histogram its parts. */
interface Series {
  readonly labels: MetricLabels;
  value: number;
  readonly buckets: number[];
  count: number;
}

interface Metric {
  readonly kind: MetricKind;
  readonly help: string;
  readonly bounds: readonly number[];
  readonly series: Map<string, Series>;
}

/** A gauge's value, when somebody asks. */
export interface Reading {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** What a process counts of itself since it started. Names follow OpenTelemetry, written as Prometheus writes them. */
export interface Metrics {
  /** @param name ends in `_total` */
  counter(name: string, help: string): Counter;
  /** @param bounds upper bounds of the buckets, ascending, in the unit of the name; default: seconds of a request */
  histogram(name: string, help: string, bounds?: readonly number[]): Histogram;
  /** Asks for values whenever the metrics are written. A gauge whose reading fails is left out then. */
  gauge(
    name: string,
    help: string,
    read: () => readonly Reading[] | Promise<readonly Reading[]>,
    kind?: "gauge" | "counter" | "summary",
  ): void;
  /** The text format 0.0.4 of Prometheus. */
  write(): Promise<string>;
}

/** The bounds that OpenTelemetry gives `http.server.request.duration`, in seconds. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
/** Series of one metric. Label values that come from callers must not let it grow for ever. */
const LARGEST_SERIES = 2000;

export function createMetrics(): Metrics {
  const metrics = new Map<string, Metric>();
  const gauges = new Map<
    string,
    {
      readonly help: string;
      readonly kind: "gauge" | "counter" | "summary";
      readonly read: () => readonly Reading[] | Promise<readonly Reading[]>;
    }
  >();

  const define = (name: string, metric: Omit<Metric, "series">): Metric => {
    const known = metrics.get(name) ?? { ...metric, series: new Map<string, Series>() };
    metrics.set(name, known);
    return known;
  };

  return {
    counter(name, help) {
      const metric = define(name, { kind: "counter", help, bounds: [] });
      return {
        add(labels, by = 1) {
          const series = seriesOf(metric, labels);
          if (series !== undefined) series.value += by;
        },
      };
    },
    histogram(name, help, bounds = DURATION_BOUNDS) {
      const metric = define(name, { kind: "histogram", help, bounds });
      return {
        observe(labels, value) {
          const series = seriesOf(metric, labels);
          if (series === undefined) return;
          series.value += value;
          series.count++;
          const bucket = metric.bounds.findIndex((bound) => value <= bound);
          if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
        },
      };
    },
    gauge(name, help, read, kind = "gauge") {
      gauges.set(name, { help, kind, read });
    },
    async write() {
      const lines: string[] = [];
      for (const [name, metric] of metrics)
        lines.push(
          ...head(name, metric.kind, metric.help),
          ...[...metric.series.values()].flatMap((series) =>
            metric.kind === "histogram"
              ? writeHistogram(name, metric, series)
              : [sample(name, series.labels, series.value)],
          ),
        );
      for (const [name, { help, kind, read }] of gauges) {
        const readings = await readSafely(read);
        if (readings.length > 0)
          lines.push(...head(name, kind, help), ...readings.map(({ labels, value }) => sample(name, labels, value)));
      }
      return `${lines.join("\n")}\n`;
    },
  };
}

async function readSafely(read: () => readonly Reading[] | Promise<readonly Reading[]>): Promise<readonly Reading[]> {
  try {
    return await read();
  } catch {
    // Whoever is asked says elsewhere what is wrong with it; the other metrics are wanted all the more.
    return [];
  }
}

/** undefined when there are too many already. */
function seriesOf(metric: Metric, labels: MetricLabels): Series | undefined {
  const key = Object.values(labels).join("\u0000");
  const known = metric.series.get(key);
  if (known !== undefined || metric.series.size >= LARGEST_SERIES) return known;
  const series: Series = { labels, value: 0, buckets: metric.bounds.map(() => 0), count: 0 };
  metric.series.set(key, series);
  return series;
}

function head(name: string, kind: MetricKind, help: string): readonly string[] {
  return [`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${kind}`];
}

function writeHistogram(
  name: string,
  { bounds }: Metric,
  { labels, value, buckets, count }: Series,
): readonly string[] {
  let below = 0;
  const lines = bounds.map((bound, index) => {
    below += buckets[index] ?? 0;
    return sample(`${name}_bucket`, { ...labels, le: String(bound) }, below);
  });
  return [
    ...lines,
    sample(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
    sample(`${name}_sum`, labels, value),
    sample(`${name}_count`, labels, count),
  ];
}

function sample(name: string, labels: MetricLabels, value: number): string {
  const text = Object.entries(labels).map(
    ([label, found]) => `${label}="${found.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return `${name}${text.length === 0 ? "" : `{${text.join(",")}}`} ${Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"}`;
}
