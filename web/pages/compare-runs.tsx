import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { TrackingRun } from "../models/tracking/tracking-run.ts";
import { address } from "../routes/address.ts";
import { trackingQueries } from "../services/tracking-queries.ts";
import { Empty, Page, Problem, Waiting } from "../ui/page.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { Tabs } from "../ui/tabs.tsx";
import { ComparisonTable } from "../ui/tracking/comparison-table.tsx";
import { MetricCharts } from "../ui/tracking/metric-charts.tsx";
import { ParallelView } from "../ui/tracking/parallel-view.tsx";
import { BoxView, ScatterView } from "../ui/tracking/scatter-view.tsx";
import { useTrackingText } from "../ui/tracking/text.ts";
import "../ui/tracking/tracking.css";

/** What the server answers histories for at once. */
const MOST_RUNS = 100;

export function CompareRunsPage() {
  const { t } = useTrackingText();
  const [text = ""] = useSearchValue("runs");
  const ids = useMemo(() => [...new Set(text.split(",").filter((id) => id !== ""))].slice(0, MOST_RUNS), [text]);
  const { runs, error, isPending } = useQueries({
    queries: ids.map((id) => trackingQueries.run(id)),
    combine: combineRuns,
  });
  const [first] = runs;
  const crumbs = [
    { label: t("nav.experiments"), to: address.experiments() },
    ...(first === undefined ? [] : [{ label: t("runs.title"), to: address.experiment(first.experimentId) }]),
  ];
  return (
    <Page title={t("compare.title", { count: ids.length })} crumbs={crumbs}>
      {error !== undefined && <Problem error={error} />}
      {ids.length < 2 ? (
        <Empty icon="dashboard" title={t("compare.none.title")} text={t("compare.none.text")} />
      ) : isPending ? (
        <Waiting lines={8} />
      ) : (
        <Tabs
          label={t("compare.title", { count: ids.length })}
          tabs={[
            { key: "differences", label: t("compare.differences"), content: () => <ComparisonTable runs={runs} /> },
            { key: "parallel", label: t("compare.parallel"), content: () => <ParallelView runs={runs} /> },
            { key: "scatter", label: t("compare.scatter"), content: () => <ScatterView runs={runs} /> },
            { key: "box", label: t("compare.box"), content: () => <BoxView runs={runs} /> },
            { key: "metrics", label: t("metrics.title"), content: () => <MetricCharts runs={runs} /> },
          ]}
        />
      )}
    </Page>
  );
}

interface Result {
  readonly data: TrackingRun | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
}

function combineRuns(results: readonly Result[]): {
  readonly runs: readonly TrackingRun[];
  readonly error: unknown;
  readonly isPending: boolean;
} {
  return {
    runs: results.flatMap(({ data }) => (data === undefined ? [] : [data])),
    error: results.find(({ error }) => error !== null)?.error ?? undefined,
    isPending: results.some(({ isPending }) => isPending),
  };
}
