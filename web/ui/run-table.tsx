import type { PipelineRunSummary } from "#api";
import { runState, stepProgress } from "../models/run.ts";
import { address } from "../routes/address.ts";
import { useLanguage } from "./language.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago, Duration } from "./text.tsx";

interface RunTableProps {
  readonly runs: readonly PipelineRunSummary[];
  readonly hasPipeline: boolean;
  readonly more: { readonly hasMore: boolean; readonly isLoading: boolean; readonly load: () => void };
}

/** Pipeline runs, newest first. */
export function RunTable({ runs, hasPipeline, more }: RunTableProps) {
  const { t, name } = useLanguage();
  const columns: readonly Column<PipelineRunSummary>[] = [
    { key: "id", title: t("run.id"), width: "150px", cell: (run) => <span className="mono">{run.id.slice(-10)}</span> },
    ...(hasPipeline ? [{ key: "pipeline", title: t("run.pipeline"), width: "minmax(130px, 1fr)", cell: (run: PipelineRunSummary) => run.pipeline, sortBy: (run: PipelineRunSummary) => run.pipeline }] : []),
    { key: "status", title: t("run.status"), width: "140px", cell: (run) => <StateBadge state={runState(run)} />, sortBy: (run) => run.status },
    { key: "cause", title: t("run.cause"), width: "minmax(160px, 1.4fr)", cell: (run) => <span className="clip">{[name("cause", run.trigger.on), run.trigger.subject, run.actor].filter((part) => part !== undefined).join(" · ")}</span> },
    { key: "steps", title: t("run.steps"), width: "150px", cell: (run) => <StepsCell run={run} /> },
    { key: "duration", title: t("run.duration"), width: "110px", align: "right", cell: (run) => <Duration startMs={run.startedAtMs} endMs={run.endedAtMs} />, sortBy: (run) => (run.startedAtMs === undefined || run.endedAtMs === undefined ? undefined : run.endedAtMs - run.startedAtMs) },
    { key: "time", title: t("run.time"), width: "150px", cell: (run) => <Ago atMs={run.startedAtMs ?? run.queuedAtMs} />, sortBy: (run) => run.queuedAtMs },
  ];
  return <DataTable label={t("run.list")} rows={runs} columns={columns} rowKey={(run) => run.id} rowLink={(run) => address.run(run.id)} more={more} />;
}

function StepsCell({ run }: { readonly run: PipelineRunSummary }) {
  const { t } = useLanguage();
  const { done, total } = stepProgress(run.steps);
  const cached = run.steps.cached ?? 0;
  return (
    <span className="figure">
      {done}/{total}
      {cached > 0 && <span className="muted"> {t("run.cachedCount", { count: cached })}</span>}
    </span>
  );
}
