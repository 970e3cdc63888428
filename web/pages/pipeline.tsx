import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { NewPipelineRun, PipelineDetail, PipelineStep } from "#api";
import { valueText } from "../models/format.ts";
import { lastStepState } from "../models/run.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { CommandButton } from "../ui/command-button.tsx";
import { Graph } from "../ui/graph.tsx";
import { Icon } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Empty, Page, Panel, Read } from "../ui/page.tsx";
import { RunTable } from "../ui/run-table.tsx";
import { RetrainingPanel } from "../ui/retraining.tsx";
import { PauseButton, PausedNote, SensorsPanel } from "../ui/schedules.tsx";
import { useSearchValue } from "../ui/search-value.ts";
import { StateBadge } from "../ui/state.tsx";
import { stepEdges, stepNode } from "../ui/step-node.tsx";
import { type Column, DataTable } from "../ui/table.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Ago, Copy, Facts } from "../ui/text.tsx";
import { TestHistoryTab, useTestWords } from "../ui/test-history.tsx";
import { TriggerList } from "../ui/trigger-list.tsx";

const PartitionGrid = lazy(() => import("../ui/partition-grid.tsx"));

/** More steps than this are listed, not drawn. */
const LARGEST_GRAPH = 300;

export function PipelinePage() {
  const { t } = useLanguage();
  const say = useTestWords();
  const { name } = useParams({ strict: false }) as { name: string };
  const pipeline = useQuery(queries.pipeline(name));
  return (
    <Page
      title={name}
      crumbs={[{ label: t("nav.pipelines"), to: address.pipelines() }]}
      subtitle={pipeline.data !== undefined && <Subtitle pipeline={pipeline.data} />}
      actions={
        pipeline.data !== undefined && (
          <>
            <PauseButton pipeline={pipeline.data} />
            <RunButton pipeline={pipeline.data} />
          </>
        )
      }
    >
      <Read result={pipeline}>
        {(data) => (
          <>
            <GraphPanel pipeline={data} />
            {data.hasPartitions === true && (
              <Suspense fallback={null}>
                <PartitionGrid pipeline={data.name} />
              </Suspense>
            )}
            <SensorsPanel pipeline={data} />
            <RetrainingPanel pipeline={data.name} />
            <Tabs
              label={data.name}
              tabs={[
                { key: "runs", label: t("pipeline.runs"), content: () => <Runs name={name} /> },
                { key: "tests", label: say("tab"), content: () => <TestHistoryTab pipeline={name} /> },
                ...(data.definition === undefined
                  ? []
                  : [
                      {
                        key: "definition",
                        label: t("pipeline.definition"),
                        content: () => <Definition pipeline={data} />,
                      },
                    ]),
              ]}
            />
          </>
        )}
      </Read>
    </Page>
  );
}

function Subtitle({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const { t, format } = useLanguage();
  return (
    <>
      {pipeline.description !== undefined && <span>{pipeline.description}</span>}
      <TriggerList triggers={pipeline.triggers} />
      <PausedNote pipeline={pipeline} />
      {pipeline.nextAtMs !== undefined && <span>{t("trigger.next", { time: format.moment(pipeline.nextAtMs) })}</span>}
    </>
  );
}

function GraphPanel({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const { t } = useLanguage();
  const [selected, select] = useSearchValue("step");
  if (pipeline.steps.length > LARGEST_GRAPH)
    return <StepsPanel pipeline={pipeline} selected={selected} onSelect={select} />;
  const step = pipeline.steps.find((each) => each.name === selected);
  const outside = [...new Set(pipeline.externalAssets.map(({ asset }) => asset))];
  const nodes = [
    ...outside.map((asset) => ({
      id: `outside ${asset}`,
      className: "graph-node-outside load-data",
      content: (
        <OutsideNode asset={asset} pipeline={pipeline.externalAssets.find((each) => each.asset === asset)?.pipeline} />
      ),
    })),
    ...pipeline.steps.map((each) =>
      stepNode({
        name: each.name,
        kind: each.kind,
        load: each.load,
        status: lastStepState(each),
        cached: each.lastCached,
        note: each.hasMatrix ? `${each.kind} · ${t("pipeline.matrix")}` : undefined,
      }),
    ),
  ];
  const edges = [
    ...stepEdges(pipeline.edges),
    ...pipeline.externalAssets.map(({ asset, readBy }) => ({ from: `outside ${asset}`, to: readBy })),
  ];
  return (
    <Panel title={t("pipeline.graph")} icon="pipeline" flush>
      <Graph
        label={t("pipeline.graph")}
        nodes={nodes}
        edges={edges}
        selected={selected}
        onSelect={(id) => id.startsWith("outside ") || select(id === selected ? undefined : id)}
      />
      {step !== undefined && <StepFacts pipeline={pipeline.name} step={step} />}
    </Panel>
  );
}

/** Too many steps to be drawn: as a list. */
function StepsPanel({
  pipeline,
  selected,
  onSelect,
}: {
  readonly pipeline: PipelineDetail;
  readonly selected: string | undefined;
  readonly onSelect: (step: string | undefined) => void;
}) {
  const { t } = useLanguage();
  const step = pipeline.steps.find((each) => each.name === selected);
  const columns: readonly Column<PipelineStep>[] = [
    {
      key: "name",
      title: t("step.name"),
      width: "minmax(180px, 2fr)",
      sortBy: (each) => each.name,
      cell: (each) => (
        <button
          type="button"
          className="plain-button"
          aria-pressed={each.name === selected}
          onClick={() => onSelect(each.name === selected ? undefined : each.name)}
        >
          {each.name}
        </button>
      ),
    },
    { key: "kind", title: t("step.kind"), width: "120px", cell: (each) => each.kind, sortBy: (each) => each.kind },
    {
      key: "last",
      title: t("step.last"),
      width: "160px",
      cell: (each) =>
        each.lastStatus === undefined ? (
          t("pipeline.never")
        ) : (
          <StateBadge state={lastStepState(each) ?? "none"} cached={each.lastCached === true} />
        ),
      sortBy: (each) => lastStepState(each),
    },
    {
      key: "time",
      title: t("run.time"),
      width: "150px",
      cell: (each) => <Ago atMs={each.lastAtMs} />,
      sortBy: (each) => each.lastAtMs,
    },
  ];
  return (
    <Panel title={t("pipeline.graph")} icon="pipeline" flush>
      <p className="panel-body muted">{t("pipeline.graphTooLarge", { count: LARGEST_GRAPH })}</p>
      <DataTable label={t("pipeline.graph")} rows={pipeline.steps} columns={columns} rowKey={(each) => each.name} />
      {step !== undefined && <StepFacts pipeline={pipeline.name} step={step} />}
    </Panel>
  );
}

function OutsideNode({ asset, pipeline }: { readonly asset: string; readonly pipeline: string | undefined }) {
  const { t } = useLanguage();
  return (
    <>
      <span className="graph-line graph-name">
        <Icon name="dataset" size={14} />
        <span>{asset}</span>
      </span>
      <span className="graph-line graph-sub">
        <span>{pipeline === undefined ? t("pipeline.outside") : t("pipeline.from", { pipeline })}</span>
      </span>
    </>
  );
}

function StepFacts({ pipeline, step }: { readonly pipeline: string; readonly step: PipelineStep }) {
  const { t, name } = useLanguage();
  return (
    <div className="panel-body step-facts">
      <Facts
        columns={3}
        items={[
          [t("step.name"), <b key="name">{step.name}</b>],
          [t("step.kind"), step.kind],
          [t("step.load"), name("load", step.load)],
          [t("step.does"), step.description ?? "–"],
          [t("step.reads"), step.reads.join(", ") || "–"],
          [
            t("step.makes"),
            step.makes.map(({ asset, kind }) => `${asset} (${name("assetKind", kind)})`).join(", ") || "–",
          ],
          ...(step.when === undefined && step.isFinal !== true
            ? []
            : [
                [
                  t("step.when"),
                  [
                    ...(step.isFinal === true ? [t("step.final")] : []),
                    ...(step.when === undefined ? [] : [step.when]),
                  ].join(" · "),
                ] as const,
              ]),
          ...(step.from === undefined
            ? []
            : [
                [
                  t("pipeline.definition"),
                  [step.from, ...step.from.uses]
                    .map((at) => `${"part" in at ? at.part : at.file}:${at.line}`)
                    .join(" ← "),
                ] as const,
              ]),
          [
            t("step.last"),
            step.lastStatus === undefined ? (
              t("pipeline.never")
            ) : (
              <StateBadge key="state" state={lastStepState(step) ?? "none"} cached={step.lastCached === true} />
            ),
          ],
          [t("run.time"), <Ago key="time" atMs={step.lastAtMs} />],
        ]}
      />
      <StepRunButton pipeline={pipeline} step={step.name} />
    </div>
  );
}

function StepRunButton({ pipeline, step }: { readonly pipeline: string; readonly step: string }) {
  const { t } = useLanguage();
  const navigate = useNavigate();
  return (
    <div className="form-actions">
      <CommandButton
        size="xs"
        label={t("step.runFrom")}
        icon="resume"
        action="run"
        run={() => commands.runPipeline(pipeline, { from: step })}
        done={t("run.started")}
        onDone={({ id }) => void navigate({ to: address.run(id) })}
      />
      <CommandButton
        size="xs"
        label={t("step.runOnly")}
        icon="play"
        action="run"
        run={() => commands.runPipeline(pipeline, { only: step })}
        done={t("run.started")}
        onDone={({ id }) => void navigate({ to: address.run(id) })}
      />
    </div>
  );
}

function RunButton({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const { t } = useLanguage();
  const navigate = useNavigate();
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const form = (
    <>
      <p>{t("run.confirm", { pipeline: pipeline.name, count: pipeline.stepCount })}</p>
      {pipeline.params.map((param) => (
        <label key={param.name} className="label">
          {param.name}
          <input
            className="field"
            value={values[param.name] ?? valueText(param.default)}
            onChange={(event) => setValues({ ...values, [param.name]: event.target.value })}
          />
        </label>
      ))}
    </>
  );
  return (
    <CommandButton
      label={t("run.run")}
      icon="play"
      variant="filled"
      action="run"
      confirm={{ title: t("run.run.title", { pipeline: pipeline.name }), content: form }}
      run={() => commands.runPipeline(pipeline.name, paramsOf(values))}
      done={t("run.started")}
      onDone={({ id }) => void navigate({ to: address.run(id) })}
    />
  );
}

/** What was typed, as JSON where it is JSON, else as text. */
function paramsOf(values: Readonly<Record<string, string>>): NewPipelineRun {
  const params = Object.entries(values).map(([name, text]): [string, unknown] => {
    try {
      return [name, JSON.parse(text) as unknown];
    } catch {
      return [name, text];
    }
  });
  return params.length === 0 ? {} : { params: Object.fromEntries(params) };
}

function Runs({ name }: { readonly name: string }) {
  const { t } = useLanguage();
  const { result, more } = useList(queries.pipelineRuns({ pipeline: name }));
  return (
    <Read result={result}>
      {(runs) =>
        runs.length === 0 ? (
          <Empty
            icon="play"
            title={t("runs.empty.title")}
            text={t("runs.empty.text")}
            command={`esteira run ${name}`}
          />
        ) : (
          <RunTable runs={runs} hasPipeline={false} more={more} />
        )
      }
    </Read>
  );
}

function Definition({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const { t } = useLanguage();
  return (
    <Panel
      title={pipeline.file ?? t("pipeline.definition")}
      icon="file"
      actions={<Copy text={pipeline.definition ?? ""} />}
    >
      <pre className="code-block" tabIndex={0}>
        {pipeline.definition}
      </pre>
      <p className="muted" style={{ marginTop: 10 }}>
        {t("pipeline.definitionNote")}
      </p>
    </Panel>
  );
}
