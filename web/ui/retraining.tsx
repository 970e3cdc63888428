import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { RetrainingPolicy, RetrainingDecision, RetrainingLimit, RetrainingReason } from "#api";
import { message } from "../messages/messages.ts";
import { retrainingMessages } from "../messages/retraining.ts";
import { address } from "../routes/address.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { type Column, DataTable } from "./table.tsx";
import { Ago, Facts } from "./text.tsx";

type Say = (key: keyof (typeof retrainingMessages)["en"], params?: Readonly<Record<string, string>>) => string;

function useWords(): Say {
  const { language } = useLanguage();
  return (key, params = {}) => message({ language, messages: retrainingMessages[language] }, key, params);
}

/** The policy of a pipeline for training again: how it stands, when it may next, and what was decided why. */
export function RetrainingPanel({ pipeline }: { readonly pipeline: string }) {
  const say = useWords();
  const retrainings = useQuery(queries.retrainings());
  const found = retrainings.data?.pipelines.find((each) => each.pipeline === pipeline);
  if (found === undefined) return null;
  return (
    <Panel title={say("title")} icon="clock">
      <Standing retraining={found} />
      {found.decisions.length > 0 && <Decisions decisions={found.decisions} />}
    </Panel>
  );
}

function Standing({ retraining }: { readonly retraining: RetrainingPolicy }) {
  const say = useWords();
  const { format } = useLanguage();
  const reasonOf = useReason();
  const { atMost, budget, params, reasons, nextAtMs, waiting } = retraining;
  const per = (limit: RetrainingLimit, show: (value: number) => string): string =>
    say("per", { used: show(limit.used), amount: show(limit.amount), period: format.duration(limit.periodMs) });
  return (
    <Facts
      items={[
        ...(atMost === undefined ? [] : [[say("atMost"), per(atMost, String)] as const]),
        ...(budget === undefined ? [] : [[say("budget"), per(budget, format.duration)] as const]),
        ...Object.entries(params).map(([name, value]) => [`${say("params")}: ${name}`, JSON.stringify(value)] as const),
        [say("now"), reasons.length === 0 ? say("may") : reasons.map(reasonOf).join("; ")],
        ...(nextAtMs === undefined ? [] : [[say("next"), format.dateTime(nextAtMs)] as const]),
        ...waiting.map(
          ({ on, subject, atMs }) =>
            [say("waiting", { cause: `${on} ${subject}` }), <Ago key={atMs} atMs={atMs} />] as const,
        ),
      ]}
    />
  );
}

function useReason(): (reason: RetrainingReason) => string {
  const say = useWords();
  const { format } = useLanguage();
  return ({ kind, untilMs, since = [] }) => {
    const at = untilMs === undefined ? "" : format.dateTime(untilMs);
    const versions = since.map(({ asset, version }) => `${asset}@v${version}`).join(", ");
    return say(kind === "budget" ? "overBudget" : kind, { at, versions });
  };
}

function Decisions({ decisions }: { readonly decisions: readonly RetrainingDecision[] }) {
  const say = useWords();
  const columns: readonly Column<RetrainingDecision>[] = [
    { key: "at", title: say("at"), width: "140px", cell: ({ atMs }) => <Ago atMs={atMs} /> },
    {
      key: "causes",
      title: say("askedBy"),
      width: "minmax(160px, 1fr)",
      cell: ({ causes }) => [...new Set(causes.map(({ on, subject }) => `${on} ${subject}`))].join(", "),
    },
    {
      key: "decided",
      title: say("decided"),
      width: "minmax(240px, 2fr)",
      cell: (decision) => <Decided decision={decision} />,
    },
  ];
  return (
    <DataTable
      label={say("title")}
      rows={decisions}
      columns={columns}
      rowKey={({ atMs, decided }) => `${atMs} ${decided}`}
      rowHeight={54}
    />
  );
}

function Decided({ decision }: { readonly decision: RetrainingDecision }) {
  const say = useWords();
  const reasonOf = useReason();
  const { decided, pipelineRunId, models = [], why } = decision;
  const reasons = decision.reasons.map(reasonOf).join("; ");
  if (decided === "withdrawn") return <span>{say(why ?? "alerts_closed")}</span>;
  if (decided !== "started" || pipelineRunId === undefined)
    return <span>{say(decided === "skipped" ? "skipped" : "waited", { reasons })}</span>;
  const made = models.map(({ asset, version, isNew }) =>
    say(isNew ? "made" : "reused", { model: `${asset}@v${version}` }),
  );
  return (
    <span>
      <Link to={address.run(pipelineRunId)}>{say("started")}</Link>
      {made.length === 0 ? "" : `: ${made.join(", ")}`}
    </span>
  );
}
