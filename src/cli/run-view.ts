import type { PipelineRunDetail } from "#api";
import type { RunProgress } from "#app";
import { formatCount, formatDuration, formatStatus } from "./format.ts";
import type { Terminal } from "./terminal.ts";

const STEPS_SHOWN = 40;
const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

type StepProgress = RunProgress["stepRuns"][number];

/** What a person sees while a pipeline run is at work, and its summary at the end. */
export interface RunView {
  readonly show: (progress: RunProgress) => void;
  end(run: PipelineRunDetail): void;
}

export function createRunView(terminal: Terminal): RunView {
  const announced = new Set<string>();
  const begun = new Set<string>();
  let frame = 0;
  let started = false;
  return {
    show(progress) {
      if (!started) {
        started = true;
        terminal.note(
          `${terminal.say("runStarted", { id: progress.run.id, pipeline: terminal.style("bold", progress.run.pipeline) })}`,
        );
      }
      frame++;
      if (terminal.isInteractive) terminal.draw(liveLines(terminal, progress, frame));
      else for (const step of progress.stepRuns) if (!isFirstLook(step, begun)) announce(terminal, step, announced);
    },
    end(run) {
      if (terminal.isInteractive) terminal.draw([]);
      terminal.endDrawing();
      printSummary(terminal, run);
    },
  };
}

function liveLines(terminal: Terminal, progress: RunProgress, frame: number): readonly string[] {
  const moving = progress.stepRuns.filter(
    ({ status }) => status === "running" || status === "waiting" || status === "failed",
  );
  const shown = progress.stepRuns.length <= STEPS_SHOWN ? progress.stepRuns : moving.slice(0, STEPS_SHOWN);
  const width = Math.max(...shown.map(({ step }) => step.length), 0);
  const lines = shown.map(
    (step) =>
      `  ${liveStatus(terminal, step, frame)} ${step.step.padEnd(width)}  ${terminal.style("dim", detailOf(step))}`,
  );
  const { counts } = progress;
  return progress.stepRuns.length <= STEPS_SHOWN
    ? lines
    : [
        ...lines,
        `  ${formatCount(counts.succeeded ?? 0)} of ${formatCount(Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0))}`,
      ];
}

function liveStatus(terminal: Terminal, step: StepProgress, frame: number): string {
  if (step.status === "running") return terminal.style("cyan", SPINNER[frame % SPINNER.length] ?? "");
  return formatStatus(terminal, step.status, "").trimEnd();
}

function detailOf(step: StepProgress): string {
  if (step.status === "running") {
    const since = step.startedAtMs === undefined ? "" : formatDuration(Date.now() - step.startedAtMs);
    const { progress } = step;
    return progress === undefined
      ? since
      : `${formatCount(progress.done)}${progress.total === undefined ? "" : ` of ${formatCount(progress.total)}`} ${progress.unit}, ${since}`;
  }
  if (step.cached) return `cached: ${step.reason ?? ""}`;
  if (step.status === "succeeded") return `${durationOf(step)}${factsOf(step)}`;
  return step.error?.message ?? step.reason ?? "";
}

/**
 * A step that has only just been taken may turn out to be skipped or cached: it is called running when it still is at
 * the second look.
 */
function isFirstLook(step: StepProgress, begun: Set<string>): boolean {
  if (step.status !== "running" || begun.has(step.id)) return false;
  begun.add(step.id);
  return true;
}

function announce(terminal: Terminal, step: StepProgress, announced: Set<string>): void {
  const key = `${step.id} ${step.status}`;
  if (announced.has(key) || step.status === "pending" || step.status === "queued") return;
  announced.add(key);
  terminal.note(
    `  ${formatStatus(terminal, step.status, step.cached ? terminal.say("cached") : step.status)}  ${step.step}  ${terminal.style("dim", step.status === "running" ? "" : detailOf(step))}`.trimEnd(),
  );
}

function durationOf(step: {
  readonly startedAtMs?: number | undefined;
  readonly finishedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
}): string {
  const end = step.finishedAtMs ?? step.endedAtMs;
  return step.startedAtMs === undefined || end === undefined ? "" : formatDuration(end - step.startedAtMs);
}

const SHOWN_FACTS = ["read", "published", "quarantined", "duplicates", "rows", "files"];

function factsOf(step: { readonly facts?: Readonly<Record<string, unknown>> | undefined }): string {
  const facts = SHOWN_FACTS.flatMap((name) =>
    typeof step.facts?.[name] === "number" ? [`${name} ${formatCount(step.facts[name])}`] : [],
  );
  const heldBack = step.facts?.["filesHeldBack"];
  if (typeof heldBack === "number" && heldBack > 0) facts.push(`files held back ${formatCount(heldBack)}`);
  return facts.length === 0 ? "" : `  ${facts.join(", ")}`;
}

function heldSomething(step: PipelineRunDetail["stepRuns"][number]): boolean {
  return !step.cached && ["quarantined", "filesHeldBack"].some((name) => Number(step.facts?.[name] ?? 0) > 0);
}

function printSteps(terminal: Terminal, run: PipelineRunDetail): void {
  const width = Math.max(...run.stepRuns.map(({ step }) => step.length), 0);
  for (const step of run.stepRuns.slice(0, STEPS_SHOWN)) {
    const detail =
      step.error?.message ??
      (step.status === "succeeded" && !step.cached
        ? `${durationOf(step)}${factsOf(step)}`
        : (step.gate?.reason ?? step.reason ?? ""));
    terminal.note(
      `  ${formatStatus(terminal, step.status, "").trimEnd()} ${step.step.padEnd(width)}  ${terminal.style("dim", step.cached ? terminal.say("cached") : detail)}`,
    );
  }
  const more = run.stepRuns.length - STEPS_SHOWN;
  if (more > 0)
    terminal.note(terminal.style("dim", `  ${terminal.say("moreSteps", { count: formatCount(more), id: run.id })}`));
}

function printSummary(terminal: Terminal, run: PipelineRunDetail): void {
  if (terminal.isInteractive) printSteps(terminal, run);
  const seconds =
    run.startedAtMs === undefined ? "0" : (((run.endedAtMs ?? Date.now()) - run.startedAtMs) / 1000).toFixed(1);
  const cached = run.stepRuns.filter((step) => step.cached).length;
  const ran = run.stepRuns.filter((step) => step.status === "succeeded" && !step.cached).length;
  const line = closingLine(terminal, run, { seconds, cached, ran });
  terminal.print(line);
  for (const step of run.stepRuns.filter(heldSomething))
    terminal.note(terminal.say("quarantineHint", { dataset: step.step }));
  const failed = run.stepRuns.find(({ status }) => status === "failed");
  if (failed?.error !== undefined) {
    terminal.note(
      `${terminal.style("red", failed.step)}: ${failed.error.message}${failed.error.hint === undefined ? "" : `\n  ${failed.error.hint}`}  ${terminal.style("dim", `[${failed.error.code}]`)}`,
    );
    terminal.note(terminal.say("logHint", { id: run.id, step: failed.step }));
  }
  if (run.status === "failed" || run.status === "cancelled") terminal.note(terminal.say("resumeHint", { id: run.id }));
}

function closingLine(
  terminal: Terminal,
  run: PipelineRunDetail,
  facts: { readonly seconds: string; readonly cached: number; readonly ran: number },
): string {
  switch (run.status) {
    case "succeeded":
      return run.blocked === undefined
        ? terminal.style("green", `✔ ${terminal.say("runSucceeded", facts)}`)
        : terminal.style("yellow", `✔ ${terminal.say("runBlocked", { ...facts, reason: run.blocked })}`);
    case "failed":
      return terminal.style("red", `✖ ${terminal.say("runFailed", facts)}`);
    case "cancelled":
      return terminal.style("yellow", `■ ${terminal.say("runCancelled", facts)}`);
    case "waiting":
      return terminal.style(
        "yellow",
        `⏸ ${terminal.say("runWaiting", { reason: run.stepRuns.find(({ gate }) => gate !== undefined)?.gate?.reason ?? "" })}`,
      );
    case "queued":
    case "running":
    case "interrupted":
      return terminal.style("yellow", `■ ${terminal.say("runInterrupted", { id: run.id })}`);
  }
}
