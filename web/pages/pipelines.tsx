import { Link } from "@tanstack/react-router";
import type { PipelineSummary } from "#api";
import { toneOf } from "../ui/state.tsx";
import { runState } from "../models/run.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "../ui/language.tsx";
import { useList, useWholeList } from "../ui/list-page.ts";
import { Empty, Page, Read } from "../ui/page.tsx";
import { Queue } from "../ui/queue.tsx";
import { RunTable } from "../ui/run-table.tsx";
import { useSearchChoice, useSearchValue } from "../ui/search-value.ts";
import { StateBadge } from "../ui/state.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { type Tab, Tabs } from "../ui/tabs.tsx";
import { Ago } from "../ui/text.tsx";
import { useQueueWords } from "../ui/wait-text.tsx";
import { TriggerList } from "../ui/trigger-list.tsx";

/** The newest runs that have room; a target of a pointer is not narrower than 24 pixels. */
const BARS = 10;
const STATUSES = ["running", "waiting", "queued", "succeeded", "failed", "cancelled", "interrupted"] as const;

export function PipelinesPage() {
  const { t } = useLanguage();
  const say = useQueueWords();
  const tabs: readonly Tab[] = [
    { key: "pipelines", label: t("nav.pipelines"), content: () => <Pipelines /> },
    { key: "runs", label: t("pipeline.runs"), content: () => <Runs /> },
    { key: "queue", label: say("title"), content: () => <Queue /> },
  ];
  return (
    <Page title={t("nav.pipelines")} subtitle={t("pipelines.subtitle")}>
      <Tabs tabs={tabs} label={t("nav.pipelines")} />
    </Page>
  );
}

function Pipelines() {
  const { t } = useLanguage();
  const { result, more } = useList(queries.pipelines());
  const columns: readonly Column<PipelineSummary>[] = [
    {
      key: "name",
      title: t("table.name"),
      width: "minmax(220px, 1.4fr)",
      cell: (pipeline) => <NameCell pipeline={pipeline} />,
      sortBy: (pipeline) => pipeline.name,
    },
    {
      key: "triggers",
      title: t("pipeline.triggers"),
      width: "minmax(260px, 2fr)",
      cell: (pipeline) => <TriggerList triggers={pipeline.triggers} />,
    },
    {
      key: "recent",
      title: t("pipeline.recentCount", { count: BARS }),
      width: "270px",
      cell: (pipeline) => <RecentBars pipeline={pipeline} />,
    },
    {
      key: "last",
      title: t("pipeline.lastRun"),
      width: "130px",
      cell: (pipeline) =>
        pipeline.lastRun === undefined ? (
          <span className="muted">{t("pipeline.never")}</span>
        ) : (
          <StateBadge state={runState(pipeline.lastRun)} />
        ),
    },
    {
      key: "time",
      title: t("run.time"),
      width: "150px",
      cell: (pipeline) => <Ago atMs={pipeline.lastRun?.startedAtMs ?? pipeline.lastRun?.queuedAtMs} />,
      sortBy: (pipeline) => pipeline.lastRun?.queuedAtMs,
    },
  ];
  return (
    <Read result={result}>
      {(pipelines) =>
        pipelines.length === 0 ? (
          <Empty
            icon="pipeline"
            title={t("pipelines.empty.title")}
            text={t("pipelines.empty.text")}
            command="esteira init"
          />
        ) : (
          <DataTable
            label={t("nav.pipelines")}
            rows={pipelines}
            columns={columns}
            rowKey={(pipeline) => pipeline.name}
            rowLink={(pipeline) => address.pipeline(pipeline.name)}
            more={more}
            rowHeight={54}
          />
        )
      }
    </Read>
  );
}

function NameCell({ pipeline }: { readonly pipeline: PipelineSummary }) {
  const { t, name } = useLanguage();
  return (
    <span>
      {pipeline.name}
      <br />
      <span className="muted" style={{ fontWeight: 400, fontSize: 12.5 }}>
        {[
          ...pipeline.loads.map((load) => name("load", load)),
          t("pipeline.stepCount", { count: pipeline.stepCount }),
        ].join(" · ")}
      </span>
    </span>
  );
}

function RecentBars({ pipeline }: { readonly pipeline: PipelineSummary }) {
  const { name, format } = useLanguage();
  const longest = Math.max(1, ...pipeline.recentRuns.map(({ durationMs }) => durationMs ?? 0));
  return (
    <span className="bars">
      {pipeline.recentRuns.slice(-BARS).map((run) => {
        const text = `${name("state", runState(run))}${run.durationMs === undefined ? "" : ` · ${format.duration(run.durationMs)}`}`;
        return (
          <Link
            key={run.id}
            to={address.run(run.id)}
            title={text}
            aria-label={text}
            className={`tone-${toneOf(runState(run))}`}
          >
            <span style={{ height: `${Math.max(20, ((run.durationMs ?? 0) / longest) * 100)}%` }} />
          </Link>
        );
      })}
    </span>
  );
}

function Runs() {
  const { t, name } = useLanguage();
  const [status, setStatus] = useSearchChoice("status", STATUSES);
  const [pipeline, setPipeline] = useSearchValue("pipeline");
  const pipelines = useWholeList(queries.pipelines());
  const { result, more } = useList(queries.pipelineRuns({ status, pipeline }));
  return (
    <>
      <div className="toolbar">
        <select
          className="field"
          aria-label={t("run.pipeline")}
          value={pipeline ?? ""}
          onChange={(event) => setPipeline(event.target.value === "" ? undefined : event.target.value)}
        >
          <option value="">{t("run.allPipelines")}</option>
          {pipelines.map((each) => (
            <option key={each.name}>{each.name}</option>
          ))}
        </select>
        <select
          className="field"
          aria-label={t("run.status")}
          value={status ?? ""}
          onChange={(event) => setStatus(event.target.value === "" ? undefined : event.target.value)}
        >
          <option value="">{t("run.allStatuses")}</option>
          {STATUSES.map((each) => (
            <option key={each} value={each}>
              {name("state", each)}
            </option>
          ))}
        </select>
      </div>
      <Read result={result}>
        {(runs) =>
          runs.length === 0 ? (
            <Empty
              icon="play"
              title={t("runs.empty.title")}
              text={t("runs.empty.text")}
              command="esteira run PIPELINE"
            />
          ) : (
            <RunTable runs={runs} hasPipeline more={more} />
          )
        }
      </Read>
    </>
  );
}
