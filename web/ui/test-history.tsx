import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { TestRun, UnsteadyTest } from "#api";
import { message } from "../messages/messages.ts";
import { testMessages } from "../messages/tests.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Empty, Panel, Read } from "./page.tsx";
import { ShownOf } from "./shown-of.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago } from "./text.tsx";

type Say = (key: keyof (typeof testMessages)["en"], params?: Readonly<Record<string, string | number>>) => string;

export function useTestWords(): Say {
  const { language } = useLanguage();
  return (key, params = {}) => message({ language, messages: testMessages[language] }, key, params);
}

/** How the tests of a pipeline went, run by run, and which of them do not hold. */
export function TestHistoryTab({ pipeline }: { readonly pipeline: string }) {
  const say = useTestWords();
  const history = useQuery(queries.testHistory(pipeline));
  return (
    <Read result={history}>
      {({ runs, tests, testCount, looked }) =>
        runs.length === 0 ? (
          <Empty icon="check" title={say("none")} text={say("noneText")} />
        ) : (
          <>
            <Panel title={say("chart", { count: Math.min(runs.length, BARS) })} icon="report">
              <Bars runs={runs.slice(-BARS)} />
              <p className="muted panel-note">{say("looked", { count: looked })}</p>
            </Panel>
            {tests.length === 0 ? <p>{say("steady")}</p> : <Unsteady tests={tests} />}
            <ShownOf shown={tests.length} total={testCount} />
          </>
        )
      }
    </Read>
  );
}

const BARS = 60;
const WIDTH = 720;
const HEIGHT = 96;

function Bars({ runs }: { readonly runs: readonly TestRun[] }) {
  const say = useTestWords();
  const most = Math.max(1, ...runs.map(({ tests }) => tests));
  const step = WIDTH / Math.max(runs.length, 20);
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={say("chart", { count: runs.length })}>
      {runs.map((run, index) => {
        const { tests, failed, flaky, excused, skipped } = run;
        const label = say("bar", { tests, failed, flaky: flaky + excused, skipped });
        const parts = [
          { count: tests - failed - flaky - excused - skipped, color: "var(--good)" },
          { count: skipped, color: "var(--line)" },
          { count: flaky + excused, color: "var(--waiting)" },
          { count: failed, color: "var(--bad)" },
        ].filter(({ count }) => count > 0);
        let top = HEIGHT;
        return (
          <a key={run.stepRunId} href={address.run(run.pipelineRunId)} aria-label={`${run.step}: ${label}`}>
            {parts.map(({ count, color }) => {
              // Of thousands of tests, one that failed is still seen.
              const height = Math.max(3, (count / most) * HEIGHT);
              top -= height;
              return (
                <rect
                  key={color}
                  x={index * step}
                  y={Math.max(0, top)}
                  width={step * 0.8}
                  height={height}
                  fill={color}
                />
              );
            })}
            <title>{`${run.step}${run.matrix === undefined ? "" : ` ${run.matrix}`}: ${label}`}</title>
          </a>
        );
      })}
    </svg>
  );
}

function Unsteady({ tests }: { readonly tests: readonly UnsteadyTest[] }) {
  const say = useTestWords();
  const columns: readonly Column<UnsteadyTest>[] = [
    {
      key: "name",
      title: say("name"),
      width: "minmax(220px, 2fr)",
      cell: ({ name }) => <b className="wrap">{name}</b>,
    },
    { key: "step", title: say("step"), width: "120px", cell: ({ step }) => step },
    {
      key: "state",
      title: "",
      width: "150px",
      cell: ({ isFailing, isFlaky }) => (
        <span className="chips">
          {isFailing && <span className="state tone-bad">{say("failing")}</span>}
          {isFlaky && <span className="state tone-waiting">{say("flaky")}</span>}
        </span>
      ),
    },
    {
      key: "failed",
      title: say("failed"),
      width: "150px",
      cell: ({ failed, of, retried }) => (
        <span>
          {say("times", { failed, of })}
          {retried > 0 && <span className="muted"> · {say("retried", { count: retried })}</span>}
        </span>
      ),
      sortBy: ({ failed }) => failed,
    },
    {
      key: "last",
      title: say("last"),
      width: "130px",
      cell: ({ lastAtMs, lastPipelineRunId }) => (
        <Link to={address.run(lastPipelineRunId)}>
          <Ago atMs={lastAtMs} />
        </Link>
      ),
      sortBy: ({ lastAtMs }) => lastAtMs,
    },
    { key: "said", title: say("said"), width: "minmax(160px, 2fr)", cell: (test) => test.message ?? "–" },
  ];
  return (
    <DataTable
      name="tests"
      label={say("tab")}
      rows={tests}
      columns={columns}
      rowKey={({ step, name }) => `${step} ${name}`}
      rowHeight={54}
    />
  );
}
