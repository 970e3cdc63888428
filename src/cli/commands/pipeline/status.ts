import type { PipelineRunStatus, PipelineRunSummary, PipelineSummary } from "#api";
import { type Command, commonOptions } from "../../command.ts";
import { formatDuration, formatStatus, formatTime } from "../../format.ts";
import { listAll } from "../../list-all.ts";
import { type CliSession, withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { readWholeRun } from "../../whole-run.ts";

const UNFINISHED: readonly PipelineRunStatus[] = ["running", "queued", "waiting", "interrupted"];

export const command: Command = {
  usage: "status [RUN]",
  summary: "Show pipelines, their latest runs, and every run that is not finished",
  options: commonOptions,
  examples: [
    { line: "esteira status", does: "Every pipeline with its latest run, and older ones that are not finished" },
    { line: "esteira status 01JXAMPLE", does: "One pipeline run with its steps" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [id]) =>
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
        return terminal.table([
          [
            terminal.say("step"),
            terminal.say("kind"),
            terminal.say("status"),
            terminal.say("duration"),
            terminal.say("why"),
          ],
          ...run.stepRuns.map((step) => [
            step.matrix === undefined ? step.step : `${step.step} (${step.matrix})`,
            step.kind,
            step.status === "running"
              ? runStatus(terminal, { ...run, status: step.status })
              : formatStatus(terminal, step.status, step.cached ? terminal.say("cached") : step.status),
            step.startedAtMs === undefined || step.endedAtMs === undefined
              ? ""
              : formatDuration(step.endedAtMs - step.startedAtMs),
            step.error?.message ?? step.gate?.reason ?? step.reason ?? "",
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
