import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { Pool, QueuedWork } from "#api";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { Empty, Panel, Read } from "./page.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago } from "./text.tsx";
import { Holders, useQueueWords, WaitText } from "./wait-text.tsx";

/** Pools with who holds them, and everything that waits for its turn, with the reason. */
export function Queue() {
  const say = useQueueWords();
  const pools = useQuery(queries.pools());
  const queue = useQuery(queries.queue());
  return (
    <>
      <Panel title={say("pools")} icon="bolt" flush>
        <Read result={pools}>
          {({ pools }) =>
            pools.length === 0 ? (
              <Empty icon="bolt" title={say("noPools")} text={say("noPoolsText")} />
            ) : (
              <PoolTable pools={pools} />
            )
          }
        </Read>
      </Panel>
      <Read result={queue}>
        {({ runs, runCount, stepRuns, stepRunCount }) =>
          runCount + stepRunCount === 0 ? (
            <Empty icon="clock" title={say("empty")} text={say("emptyText")} />
          ) : (
            <>
              <Work title={say("runs")} work={runs} count={runCount} />
              <Work title={say("steps")} work={stepRuns} count={stepRunCount} />
            </>
          )
        }
      </Read>
    </>
  );
}

function PoolTable({ pools }: { readonly pools: readonly Pool[] }) {
  const say = useQueueWords();
  const columns: readonly Column<Pool>[] = [
    {
      key: "name",
      title: say("pool"),
      width: "minmax(140px, 1fr)",
      cell: ({ name }) => name,
      sortBy: ({ name }) => name,
    },
    {
      key: "used",
      title: say("inUse", { used: "", limit: "" }).replaceAll(/\s+/g, " ").trim(),
      width: "220px",
      cell: ({ used, slots }) => (
        <span>
          <meter min={0} max={slots} value={Math.min(used, slots)} aria-hidden /> {say("inUse", { used, limit: slots })}
        </span>
      ),
    },
    {
      key: "waiting",
      title: say("waiting"),
      width: "110px",
      cell: ({ waiting }) => waiting,
      sortBy: ({ waiting }) => waiting,
    },
    {
      key: "holders",
      title: say("holders"),
      width: "minmax(240px, 2fr)",
      cell: ({ holders }) =>
        holders.length === 0 ? <span className="muted">{say("none")}</span> : <Holders holders={holders} />,
    },
  ];
  return <DataTable label={say("pools")} rows={pools} columns={columns} rowKey={({ name }) => name} rowHeight={54} />;
}

function Work({
  title,
  work,
  count,
}: {
  readonly title: string;
  readonly work: readonly QueuedWork[];
  readonly count: number;
}) {
  const say = useQueueWords();
  if (count === 0) return null;
  const columns: readonly Column<QueuedWork>[] = [
    { key: "what", title: say("what"), width: "minmax(180px, 1fr)", cell: (each) => <Name work={each} /> },
    { key: "priority", title: say("priority"), width: "110px", cell: ({ priority }) => priority },
    { key: "queued", title: say("queued"), width: "150px", cell: ({ queuedAtMs }) => <Ago atMs={queuedAtMs} /> },
    {
      key: "waits",
      title: say("waitsFor"),
      width: "minmax(320px, 3fr)",
      cell: ({ waitsFor }) => <WaitText reason={waitsFor} />,
    },
  ];
  return (
    <Panel title={title} icon="clock" flush>
      <DataTable
        label={title}
        rows={work}
        columns={columns}
        rowKey={({ stepRunId, pipelineRunId }) => stepRunId ?? pipelineRunId}
        rowHeight={54}
      />
      {count > work.length && <p className="muted">{say("more", { count: count - work.length })}</p>}
    </Panel>
  );
}

function Name({ work }: { readonly work: QueuedWork }) {
  const { pipelineRunId, stepRunId, pipeline, partition, step, matrix } = work;
  const which = matrix ?? (step === undefined ? partition : undefined);
  return (
    <Link to={stepRunId === undefined ? address.run(pipelineRunId) : address.stepRun(pipelineRunId, stepRunId)}>
      {step === undefined ? pipeline : `${pipeline}.${step}`}
      {which === undefined ? "" : ` (${which})`}
    </Link>
  );
}
