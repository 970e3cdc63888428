import type { PipelineRunStatus, PipelineRunSummary, PipelineSummary, StepRun } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatDuration, formatStatus, formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { type CliSession, withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { waitText } from "../../wait-text.ts";
import { readWholeRun } from "../../whole-run.ts";

const UNFINISHED: readonly PipelineRunStatus[] = ["running", "queued", "waiting", "interrupted"];

export const command: Command = {
  usage: "status [RUN] [STEP]",
  summary: "Show pipelines, their latest runs, and every run that is not finished",
  options: commonOptions,
  examples: [
    { line: "esteira status", does: "Every pipeline with its latest run, and older ones that are not finished" },
    { line: "esteira status 01JXAMPLE", does: "One pipeline run with its steps" },
    { line: "esteira status 01JXAMPLE work", does: "One step with each of its items or combinations" },
  ],
  positionals: { least: 0, most: 2 },
  run: (context, options, [id, step]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      if (id !== undefined) {
        const run = await readWholeRun(call, id);
        if (options["json"] === true) return terminal.printJson(run);
        terminal.print(
          [runStatus(terminal, run), run.pipeline, terminal.style("dim", run.id), run.blocked ?? whyOf(terminal, run)]
            .filter((part) => part !== "")
            .join("  "),
        );
        if (step !== undefined && run.stepRuns.every((each) => each.step !== step))
          throw usageWrong({ usage: command.usage, reason: `The run has no step ${JSON.stringify(step)}` });
        for (const line of step === undefined ? sumsOf(run.stepRuns) : []) terminal.print(line);
        return terminal.table([
          [
            terminal.say("step"),
            terminal.say("kind"),
            terminal.say("status"),
            terminal.say("duration"),
            terminal.say("why"),
          ],
          ...chosen(run.stepRuns, step).map((step) => [
            step.matrix === undefined ? step.step : `${step.step} (${step.matrix})`,
            step.kind,
            step.status === "running"
              ? runStatus(terminal, { ...run, status: step.status })
              : formatStatus(terminal, step.status, step.cached ? terminal.say("cached") : step.status),
            step.startedAtMs === undefined || step.endedAtMs === undefined
              ? ""
              : formatDuration(step.endedAtMs - step.startedAtMs),
            step.error?.message ?? step.gate?.reason ?? waitOf(step) ?? step.reason ?? "",
          ]),
        ]);
      }
      const items = await listAll((page) => call("listPipelines", { query: page }));
      const unfinished = await listUnfinished(call);
      if (options["json"] === true)
        return terminal.printJson(
          items.map((item) => ({
            ...item,
            unfinishedRuns: unfinished.filter(({ pipeline }) => pipeline === item.name),
          })),
        );
      if (items.length === 0) return terminal.print(terminal.say("noPipelines"));
      printRuns(
        terminal,
        items.map(({ name, lastRun }) => ({ name, run: lastRun })),
      );
      const shown = new Set(items.map(({ lastRun }) => lastRun?.id));
      const others = unfinished.filter(({ id }) => !shown.has(id));
      if (others.length > 0) {
        terminal.print(`\n${terminal.say("unfinished")}`);
        printRuns(
          terminal,
          others.map((run) => ({ name: run.pipeline, run })),
        );
      }
      if (items.every(({ lastRun }) => lastRun === undefined)) terminal.print(terminal.say("nothingYet"));
    }),
};

function waitOf({ waitsFor }: StepRun): string | undefined {
  return waitsFor === undefined ? undefined : waitText(waitsFor);
}

/** More step runs of a step than a person reads are told as numbers, and those that ask for a look one by one. */
const MOST_SHOWN = 20;
const QUIET: readonly string[] = ["succeeded", "pending", "queued", "cancelled", "skipped"];

function chosen(stepRuns: readonly StepRun[], step: string | undefined): readonly StepRun[] {
  if (step !== undefined) return stepRuns.filter((each) => each.step === step);
  const many = manyOf(stepRuns);
  const loud = new Map<string, number>();
  return stepRuns.filter((each) => {
    if (!many.has(each.step)) return true;
    if (QUIET.includes(each.status)) return false;
    const shown = (loud.get(each.step) ?? 0) + 1;
    loud.set(each.step, shown);
    return shown <= MOST_SHOWN;
  });
}

function manyOf(stepRuns: readonly StepRun[]): ReadonlyMap<string, readonly StepRun[]> {
  return new Map([...Map.groupBy(stepRuns, ({ step }) => step)].filter(([, of]) => of.length > MOST_SHOWN + 1));
}

/** `work  9,990 succeeded, 10 failed` */
function sumsOf(stepRuns: readonly StepRun[]): readonly string[] {
  return [...manyOf(stepRuns)].map(([step, of]) => {
    const items = of.filter(({ matrix }) => matrix !== undefined);
    const counts = [...Map.groupBy(items, ({ status, cached }) => (cached ? "cached" : status))];
    return `${step}  ${counts.map(([status, { length }]) => `${length} ${status}`).join(", ")}`;
  });
}

/** Newest first. */
async function listUnfinished(call: CliSession["call"]): Promise<readonly PipelineRunSummary[]> {
  const pages = await Promise.all(
    UNFINISHED.map((status) => listAll((page) => call("listPipelineRuns", { query: { ...page, status } }))),
  );
  return pages.flat().toSorted((left, right) => (left.id < right.id ? 1 : -1));
}

/** A run whose engine is gone does not run, whatever its record says. */
function runStatus(
  terminal: Terminal,
  { status, isAbandoned }: Pick<PipelineRunSummary, "status" | "isAbandoned">,
): string {
  return isAbandoned === true
    ? formatStatus(terminal, "interrupted", terminal.say("abandoned"))
    : formatStatus(terminal, status);
}

function whyOf(
  terminal: Terminal,
  { id, isAbandoned, reason }: Pick<PipelineRunSummary, "id" | "isAbandoned" | "reason">,
): string {
  return isAbandoned === true ? terminal.say("engineGone", { id }) : (reason ?? "");
}

function printRuns(
  terminal: Terminal,
  rows: readonly { readonly name: string; readonly run: PipelineSummary["lastRun"] }[],
): void {
  terminal.table([
    [
      terminal.say("pipeline"),
      terminal.say("status"),
      terminal.say("started"),
      terminal.say("duration"),
      terminal.say("run"),
      terminal.say("why"),
    ],
    ...rows.map(({ name, run }) => [
      name,
      run === undefined ? "–" : runStatus(terminal, run),
      run?.startedAtMs === undefined ? "" : formatTime(run.startedAtMs),
      run?.startedAtMs === undefined || run.endedAtMs === undefined
        ? ""
        : formatDuration(run.endedAtMs - run.startedAtMs),
      terminal.style("dim", run?.id ?? ""),
      run === undefined ? "" : whyOf(terminal, run),
    ]),
  ]);
}
