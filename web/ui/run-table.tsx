import type { PipelineRunSummary } from "#api";
import { runState } from "../models/run.ts";
import { address } from "../routes/address.ts";
import { useLanguage } from "./language.tsx";
import { StepOutcomes } from "./run-progress.tsx";
import { StateBadge } from "./state.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago, RunDuration } from "./text.tsx";

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
    ...(hasPipeline
      ? [
          {
            key: "pipeline",
            title: t("run.pipeline"),
            width: "minmax(130px, 1fr)",
            cell: (run: PipelineRunSummary) => run.pipeline,
          },
        ]
      : []),
    { key: "status", title: t("run.status"), width: "140px", cell: (run) => <StateBadge state={runState(run)} /> },
    {
      key: "cause",
      title: t("run.cause"),
      width: "minmax(160px, 1.4fr)",
      cell: (run) => (
        <span className="wrap">
          {[name("cause", run.trigger.on), run.trigger.subject, run.actor]
            .filter((part) => part !== undefined)
            .join(" · ")}
        </span>
      ),
    },
    { key: "steps", title: t("run.steps"), width: "minmax(190px, 1.2fr)", cell: (run) => <StepOutcomes run={run} /> },
    {
      key: "duration",
      title: t("run.duration"),
      width: "110px",
      align: "right",
      cell: (run) => <RunDuration run={run} />,
      value: (run) =>
        run.startedAtMs === undefined || run.endedAtMs === undefined ? undefined : run.endedAtMs - run.startedAtMs,
    },
    {
      key: "time",
      title: t("run.time"),
      width: "150px",
      cell: (run) => <Ago atMs={run.startedAtMs ?? run.queuedAtMs} />,
      value: (run) => run.startedAtMs ?? run.queuedAtMs,
    },
  ];
  return (
    <DataTable
      name="runs"
      label={t("run.list")}
      rows={runs}
      columns={columns}
      rowKey={(run) => run.id}
      rowLink={(run) => address.run(run.id)}
      more={more}
    />
  );
}
