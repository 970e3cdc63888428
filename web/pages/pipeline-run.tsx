import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link, useParams } from "@tanstack/react-router";
import type { PipelineRunDetail, StepRun, StepRunStatus } from "#api";
import { isOver, runActions, runState, stepProgress, stepState } from "../models/run.ts";
import { valueText } from "../models/format.ts";
import { address } from "../routes/address.ts";
import { ProblemError } from "../services/api.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { CommandButton } from "../ui/command-button.tsx";
import { Graph } from "../ui/graph.tsx";
import { Icon } from "../ui/icon.tsx";
import { useLanguage } from "../ui/language.tsx";
import { useList } from "../ui/list-page.ts";
import { Drawer } from "../ui/overlay.tsx";
import { Page, Panel, Problem, Read } from "../ui/page.tsx";
import { useOpened, useSearchChoice } from "../ui/search-value.ts";
import { StepOutcomes } from "../ui/run-progress.tsx";
import { StateBadge } from "../ui/state.tsx";
import { loadOfKind, stepEdges, stepNode } from "../ui/step-node.tsx";
import { StepRunFacts } from "../ui/step-run-facts.tsx";
import { Ago, Command, Copy, Digest, Facts, Figure, RunDuration } from "../ui/text.tsx";
import { TimelineView } from "../ui/timeline.tsx";

const RunGrid = lazy(() => import("../ui/run-grid.tsx"));

const LARGEST_GRAPH = 150;
/** From here on the timeline can be filtered. */
const MANY_STEPS = 15;

export function PipelineRunPage() {
  const { t } = useLanguage();
  const { id } = useParams({ strict: false }) as { id: string };
  const run = useQuery({
    ...queries.pipelineRun(id),
    refetchInterval: ({ state }) => (state.data !== undefined && isOver(state.data.status) ? false : 5000),
  });
  return (
    <Page
      title={run.data === undefined ? t("run.title") : <RunTitle run={run.data} />}
      plainTitle={`${run.data?.pipeline ?? ""} ${id.slice(-6)}`}
      crumbs={[
        { label: t("nav.pipelines"), to: address.pipelines() },
        ...(run.data === undefined ? [] : [{ label: run.data.pipeline, to: address.pipeline(run.data.pipeline) }]),
      ]}
      subtitle={run.data !== undefined && <RunSubtitle run={run.data} />}
      actions={run.data !== undefined && <RunActions run={run.data} />}
    >
      <Read result={run} lines={7}>
        {(data) => <RunBody run={data} />}
      </Read>
    </Page>
  );
}

function RunTitle({ run }: { readonly run: PipelineRunDetail }) {
  return (
    <span className="title-with-state">
      {run.pipeline} <span className="mono muted">{run.id.slice(-10)}</span> <StateBadge state={runState(run)} />
    </span>
  );
}

function RunSubtitle({ run }: { readonly run: PipelineRunDetail }) {
  const { t, name } = useLanguage();
  return (
    <>
      <span>
        {[name("cause", run.trigger.on), run.trigger.subject].filter((part) => part !== undefined).join(" · ")}
      </span>
      <span>{t("run.by", { actor: run.actor })}</span>
      <Ago atMs={run.startedAtMs ?? run.queuedAtMs} />
      {run.commit !== undefined && (
        <span className="chips">
          <Icon name="commit" size={14} /> <Digest digest={run.commit.id} />{" "}
          {run.commit.dirty && <span className="chip">{t("commit.dirty")}</span>}
        </span>
      )}
      <span>
        <code>{run.id}</code> <Copy text={run.id} />
      </span>
    </>
  );
}

function RunActions({ run }: { readonly run: PipelineRunDetail }) {
  const { t } = useLanguage();
  const { canCancel, canResume } = runActions(run.status);
  return (
    <>
      {canResume && (
        <CommandButton
          label={run.status === "failed" ? t("run.retry") : t("run.resume")}
          icon="resume"
          variant="filled"
          action="run"
          run={() => commands.resumeRun(run.id)}
          done={t("run.resumed")}
        />
      )}
      {canCancel && (
        <CommandButton
          label={t("run.cancel")}
          icon="stop"
          variant="danger"
          action="cancel"
          run={() => commands.cancelRun(run.id)}
          done={t("run.cancelAsked")}
          confirm={{ title: t("run.cancel.title"), content: <p>{t("run.cancel.text")}</p> }}
        />
      )}
    </>
  );
}

function RunBody({ run }: { readonly run: PipelineRunDetail }) {
  const { t } = useLanguage();
  const [selected, select] = useOpened("step");
  const [state, setState] = useSearchChoice("state", STEP_STATES);
  const { stepRuns, more } = useStepRuns(run, state);
  const current = useSelected(run, stepRuns, selected);
  const states = stepStates(run);
  return (
    <>
      <RunError run={run} onSelect={select} />
      <AbandonedNote run={run} />
      {run.blocked !== undefined && (
        <div className="note tone-waiting">
          <Icon name="approval" size={16} />
          <span>
            <b>{t("run.blocked")}</b> {run.blocked}
          </span>
        </div>
      )}
      <WaitingNotes run={run} />
      <RunFigures run={run} />
      <ParamsPanel params={run.params} />
      {run.stepRunCount > MANY_STEPS && (
        <Suspense fallback={null}>
          <RunGrid run={run} onOpen={select} />
        </Suspense>
      )}
      <Panel
        title={t("run.timeline")}
        icon="clock"
        flush
        actions={
          states.length > 1 &&
          run.stepRunCount > MANY_STEPS && <StateFilter states={states} value={state} onChange={setState} />
        }
      >
        <TimelineView run={{ ...run, stepRuns }} selected={selected} onSelect={select} />
        {more !== undefined && (
          <MoreSteps
            shown={stepRuns.length}
            total={state === undefined ? run.stepRunCount : (run.steps[state as StepRun["status"]] ?? 0)}
            more={more}
          />
        )}
      </Panel>
      <StepGraph run={run} selected={current?.step} onSelect={select} />
      <Drawer
        opened={current !== undefined}
        onClose={() => select(undefined)}
        position="right"
        size="min(860px, 100vw)"
        title={current === undefined ? "" : <DrawerTitle stepRun={current} state={stepState(current, run)} />}
        closeButtonProps={{ "aria-label": t("shell.close") }}
      >
        {current !== undefined && <StepRunFacts stepRun={current} run={run} />}
      </Drawer>
    </>
  );
}

/** What went wrong, with the way to the step where it did. */
function RunError({
  run,
  onSelect,
}: {
  readonly run: PipelineRunDetail;
  readonly onSelect: (id: string | undefined) => void;
}) {
  const { t } = useLanguage();
  const failed = run.stepRuns.find(({ status }) => status === "failed");
  if (run.error === undefined) return null;
  return (
    <Problem
      error={new ProblemError(0, failed?.error ?? run.error)}
      {...(failed === undefined ? {} : { action: { label: t("run.toStep"), run: () => onSelect(failed.id) } })}
    />
  );
}

/** Why a run that is called running stands still, and what makes it go on. */
function AbandonedNote({ run }: { readonly run: PipelineRunDetail }) {
  const { t } = useLanguage();
  if (run.isAbandoned !== true) return null;
  return (
    <div className="note tone-bad" role="status">
      <Icon name="alert" size={16} />
      <span>
        <b>{t("state.abandoned")}.</b> {t("run.abandoned")} <Command text={`esteira run --resume ${run.id}`} />
      </span>
    </div>
  );
}

function RunFigures({ run }: { readonly run: PipelineRunDetail }) {
  const { t } = useLanguage();
  const { total } = stepProgress(run);
  return (
    <div className="figures">
      <Figure label={t("run.steps")} name="run.steps" value={total}>
        <span className="figure-small">
          <StepOutcomes run={run} />
        </span>
      </Figure>
      <Figure
        label={t("run.duration")}
        name="run.duration"
        value={
          run.startedAtMs === undefined || run.endedAtMs === undefined ? undefined : run.endedAtMs - run.startedAtMs
        }
      >
        <RunDuration run={run} />
      </Figure>
      <Figure label={t("run.versionsMade")} name="run.versionsMade" value={run.versionsMade}>
        {run.versionsMade}
      </Figure>
      <RowsFigure rows={run.rowsMade} />
    </div>
  );
}

function StepGraph({
  run,
  selected,
  onSelect,
}: {
  readonly run: PipelineRunDetail;
  readonly selected: string | undefined;
  readonly onSelect: (id: string | undefined) => void;
}) {
  const { t } = useLanguage();
  const steps = graphSteps(run.stepRuns);
  if (steps.length > LARGEST_GRAPH || run.nextStepRuns !== undefined)
    return <p className="muted">{t("pipeline.graphTooLarge", { count: LARGEST_GRAPH })}</p>;
  return (
    <Panel title={t("pipeline.graph")} icon="pipeline" flush>
      <Graph
        label={t("pipeline.graph")}
        nodes={steps.map((step) =>
          stepNode({
            name: step.step,
            kind: step.kind,
            load: loadOfKind(step.kind),
            status: stepState(step, run),
            cached: step.cached,
          }),
        )}
        edges={stepEdges(
          run.edges,
          new Set(run.stepRuns.filter((step) => stepState(step, run) === "running").map(({ step }) => step)),
        )}
        selected={selected}
        onSelect={(step) => onSelect(run.stepRuns.find((each) => each.step === step)?.id)}
      />
    </Panel>
  );
}

/** How many step runs there are beyond those shown. */
interface MoreStepRuns {
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly load: () => void;
}

/** The step runs to show, of one state or of all; of a run with more than one answer holds, page after page. */
function useStepRuns(
  run: PipelineRunDetail,
  state: StepRunStatus | undefined,
): { readonly stepRuns: readonly StepRun[]; readonly more: MoreStepRuns | undefined } {
  const isLarge = run.nextStepRuns !== undefined;
  const { result, more } = useList({ ...queries.stepRuns(run.id, { status: state }), enabled: isLarge });
  const own = state === undefined ? run.stepRuns : run.stepRuns.filter(({ status }) => status === state);
  return isLarge ? { stepRuns: result.data ?? own, more } : { stepRuns: own, more: undefined };
}

/** The chosen step run, also when it is not among those read so far. */
function useSelected(
  run: PipelineRunDetail,
  stepRuns: readonly StepRun[],
  selected: string | undefined,
): StepRun | undefined {
  const known = stepRuns.find(({ id }) => id === selected) ?? run.stepRuns.find(({ id }) => id === selected);
  const { result } = useList({
    ...queries.stepRuns(run.id, { stepRun: selected }),
    enabled: selected !== undefined && known === undefined && run.nextStepRuns !== undefined,
  });
  return known ?? (selected === undefined ? undefined : result.data?.[0]);
}

const STEP_STATES = [
  "pending",
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "skipped",
  "cancelled",
] as const satisfies readonly StepRunStatus[];

/** The states that the run's steps are in, by the server's counts. */
function stepStates(run: PipelineRunDetail): readonly string[] {
  return STEP_STATES.filter((state) => (run.steps[state] ?? 0) > 0);
}

function MoreSteps({
  shown,
  total,
  more,
}: {
  readonly shown: number;
  readonly total: number;
  readonly more: MoreStepRuns;
}) {
  const { t, format } = useLanguage();
  return (
    <div className="toolbar">
      <span className="muted">{t("run.stepsShown", { shown: format.number(shown), total: format.number(total) })}</span>
      {more.hasMore && (
        <button type="button" className="plain-button" disabled={more.isLoading} onClick={more.load}>
          {t("table.more")}
        </button>
      )}
    </div>
  );
}

/** With what the run was started, declared defaults included. */
function ParamsPanel({ params }: { readonly params: PipelineRunDetail["params"] }) {
  const { t } = useLanguage();
  const entries = Object.entries(params);
  if (entries.length === 0) return null;
  return (
    <Panel title={t("run.params")} icon="features">
      <Facts
        columns={3}
        items={entries.map(([key, value]) => [key, <code key={key}>{valueText(value) || "–"}</code>] as const)}
      />
    </Panel>
  );
}

/** Finds the few that failed among many. */
function StateFilter({
  states,
  value,
  onChange,
}: {
  readonly states: readonly string[];
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
}) {
  const { t, name } = useLanguage();
  return (
    <select
      className="field"
      aria-label={t("run.status")}
      value={value ?? ""}
      onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value)}
    >
      <option value="">{t("run.allStatuses")}</option>
      {states.map((each) => (
        <option key={each} value={each}>
          {name("state", each)}
        </option>
      ))}
    </select>
  );
}

function RowsFigure({ rows }: { readonly rows: number }) {
  const { t, format } = useLanguage();
  return rows === 0 ? null : (
    <Figure label={t("run.rows")} name="run.rows" value={rows}>
      {format.number(rows)}
    </Figure>
  );
}

function DrawerTitle({ stepRun, state }: { readonly stepRun: StepRun; readonly state: string }) {
  return (
    <span className="title-with-state">
      <b>{stepRun.step}</b> {stepRun.matrix !== undefined && <span className="chip">{stepRun.matrix}</span>}{" "}
      <StateBadge state={state} cached={stepRun.cached} />
    </span>
  );
}

function WaitingNotes({ run }: { readonly run: PipelineRunDetail }) {
  const { t } = useLanguage();
  const waiting = useStepRuns((run.steps.waiting ?? 0) === 0 ? { ...run, nextStepRuns: undefined } : run, "waiting");
  return waiting.stepRuns
    .filter(({ gate, status }) => gate !== undefined && status === "waiting")
    .map(({ id, step, gate }) => (
      <div key={id} className="note tone-waiting">
        <Icon name="pause" size={16} />
        <span>
          <b>{t("run.waitsAt", { step })}</b> {gate?.reason}{" "}
          {gate?.key.startsWith("approval:") === true && <Link to={address.approvals()}>{t("run.toApprovals")}</Link>}
        </span>
      </div>
    ));
}

/** One node per step: of a fan-out, the step run that most needs looking at. */
function graphSteps(stepRuns: readonly StepRun[]): readonly StepRun[] {
  const urgency = ["failed", "running", "waiting", "queued", "pending", "cancelled", "skipped", "succeeded"];
  const groups = Map.groupBy(stepRuns, ({ step }) => step);
  return [...groups.values()].flatMap((group) =>
    group.toSorted((left, right) => urgency.indexOf(left.status) - urgency.indexOf(right.status)).slice(0, 1),
  );
}
