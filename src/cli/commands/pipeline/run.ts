import type { PipelineRunDetail, PipelineRunStatus, PipelineRunSummary } from "#api";
import { findPartitions, type RunAhead } from "#app";
import { artifactOptions, readArtifactPlaces } from "../../artifact-root.ts";
import {
  type Command,
  commonOptions,
  type CommandContext,
  type OptionValues,
  textOption,
  textOptions,
} from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { tellIsolation } from "../../isolation-note.ts";
import { readParams } from "../../params.ts";
import { backfillOptions, readBackfill, startBackfill } from "../backfill/start-backfill.ts";
import { createRunView } from "../../run-view.ts";
import { listAll } from "../../list-all.ts";
import { type CliSession, withProject } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { readWholeRun } from "../../whole-run.ts";

const EXIT_FAILED = 1;
const EXIT_WAITING = 3;
const EXIT_INTERRUPTED = 130;

export const command: Command = {
  usage:
    "run PIPELINE [--partition NAME] [--priority N] [--param k=v] [--from STEP] [--only STEP] | run PIPELINE --partition A..B [--dry-run] [--all] [--max-parallel N] [--fail-fast] | run --resume [RUN]",
  summary: "Run a pipeline, or finish one",
  description:
    "Steps whose declaration, code, environment, inputs and params are unchanged are not run again, except the one that --from or --only names. Exit code 0: succeeded (a refused verdict included), 1: failed, 3: waits for an approval, 130: interrupted. Several partitions are a backfill: what `esteira backfill` says holds for them, and --from, --only and --priority do not.",
  options: {
    ...commonOptions,
    from: {
      type: "string",
      value: "STEP",
      help: "Start here: this step runs again, and what follows it runs where its inputs have changed.",
    },
    only: { type: "string", value: "STEP", help: "Run this step alone, again." },
    partition: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "What to make of a pipeline with partitions: 2026-01-31, a key, FIRST..LAST, or a list: A,B,C; may be repeated.",
    },
    ...backfillOptions,
    priority: {
      type: "string",
      value: "N",
      help: "Instead of the pipeline's, -1000 to 1000: of runs and steps that wait, the higher begins first.",
    },
    ...artifactOptions,
    resume: {
      type: "boolean",
      help: "Finish a run that failed, was cancelled or interrupted: what succeeded is kept.",
    },
  },
  examples: [
    { line: "esteira run flights", does: "Runs pipelines/flights.yaml and shows its steps" },
    { line: "esteira run delay --param max_depth=8", does: "With another value for one param" },
    {
      line: "esteira run flights --from flights",
      does: "This step again, and what follows where that makes a difference",
    },
    { line: "esteira run flights --partition 2026-01-31", does: "Makes one day of a pipeline with daily partitions" },
    {
      line: "esteira run flights --partition 2026-01-01..2026-01-31 --dry-run",
      does: "What lacks of a month, how long that takes, and who reads it",
    },
    { line: "esteira run --resume", does: "Finishes the newest run that did not end well" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [name]) =>
    withProject(
      context,
      options,
      async (session) => {
        await session.platform.registerProject(session.identity.name);
        if (options["resume"] !== true && name !== undefined && (await isBackfill(session, name, options)))
          return startBackfill(session, context, {
            pipeline: name,
            body: readBackfill(options, command.usage),
            asJson: options["json"] === true,
            isDryRun: options["dry-run"] === true,
          });
        await tellIsolation(context.terminal, session.platform);
        const id = options["resume"] === true ? await resume(session, name) : await submit(session, name, options);
        return watch(session, context, { id, asJson: options["json"] === true });
      },
      readArtifactPlaces(options, { workingFolder: context.workingFolder, usage: command.usage }),
    ),
};

async function submit({ call }: CliSession, pipeline: string | undefined, options: OptionValues): Promise<string> {
  if (pipeline === undefined)
    throw usageWrong({ usage: command.usage, reason: "Which pipeline? See them with: esteira status" });
  const { id } = await call("createPipelineRun", {
    params: { name: pipeline },
    body: {
      params: readParams(textOptions(options, "param"), command.usage),
      from: textOption(options, "from"),
      only: textOption(options, "only"),
      partition: textOptions(options, "partition")[0],
      priority: priorityOf(textOption(options, "priority")),
    },
  });
  return id;
}

const OF_ONE_RUN = ["from", "only", "priority"] as const;
const OF_SEVERAL = ["dry-run", "all", "max-parallel", "fail-fast"] as const;

/** Several partitions are one; so is a question what would be made. */
async function isBackfill({ platform }: CliSession, pipeline: string, options: OptionValues): Promise<boolean> {
  const named = textOptions(options, "partition");
  const several = OF_SEVERAL.find((option) => options[option] !== undefined);
  if (named.length === 0) {
    if (several === undefined) return false;
    throw usageWrong({
      usage: command.usage,
      reason: `--${several} is for several partitions: name them with --partition, or: esteira backfill ${pipeline}`,
    });
  }
  const found = await findPartitions(platform, { pipeline, partitions: named });
  if (found.length === 1 && several === undefined) return false;
  const ofOne = OF_ONE_RUN.find((option) => options[option] !== undefined);
  if (ofOne === undefined) return true;
  throw usageWrong({ usage: command.usage, reason: `--${ofOne} is for one partition, and these are ${found.length}` });
}

function priorityOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?\d{1,4}$/.test(text) && Math.abs(Number(text)) <= 1000) return Number(text);
  throw usageWrong({
    usage: command.usage,
    reason: `--priority is a whole number from -1000 to 1000, not ${JSON.stringify(text)}`,
  });
}

const RESUMABLE: readonly PipelineRunStatus[] = ["interrupted", "failed", "cancelled"];
const UNFINISHED: readonly PipelineRunStatus[] = [...RESUMABLE, "queued"];

/** A run that an engine left behind when it died is still called running: working on it finishes it. */
async function resume({ call }: CliSession, given: string | undefined): Promise<string> {
  const run =
    given === undefined ? await newestUnfinished(call) : await call("getPipelineRun", { params: { id: given } });
  if (RESUMABLE.includes(run.status)) await call("resumePipelineRun", { params: { id: run.id }, body: {} });
  return run.id;
}

async function newestUnfinished(call: CliSession["call"]): Promise<PipelineRunSummary> {
  const newest = await Promise.all(
    UNFINISHED.map(async (status) => (await call("listPipelineRuns", { query: { status, limit: 1 } })).items),
  );
  const running = await listAll((page) => call("listPipelineRuns", { query: { ...page, status: "running" } }));
  // A run that a living engine works on is not ours to finish.
  const abandoned = running.filter(({ isAbandoned }) => isAbandoned === true);
  const [found] = [...newest.flat(), ...abandoned].toSorted((left, right) => (left.id < right.id ? 1 : -1));
  if (found !== undefined) return found;
  const [waiting] = (await call("listPipelineRuns", { query: { status: "waiting", limit: 1 } })).items;
  throw usageWrong({
    usage: command.usage,
    reason:
      waiting === undefined
        ? "No pipeline run is left to finish: each has ended well, or an engine works on it"
        : `No pipeline run can go on: ${waiting.id} of ${waiting.pipeline} waits; what for: esteira approval list`,
  });
}

/** Shows a run until it ends or waits, and gives its exit code. */
export async function watch(
  session: CliSession,
  { terminal, signal }: CommandContext,
  { id, asJson }: { readonly id: string; readonly asJson: boolean },
): Promise<number> {
  const { platform, call } = session;
  const view = asJson ? undefined : createRunView(terminal);
  // What goes wrong with it is told when the platform is closed.
  const interrupt = (): void => void platform.engine.stop({ interrupt: true }).catch(() => {});
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) interrupt();
  await platform.engine.runToEnd(id, view?.show, {
    untilWaiting: true,
    onAhead: (ahead) => tellAhead(terminal, ahead),
  });
  const run = await readWholeRun(call, id);
  if (asJson) terminal.printJson(run);
  else view?.end(run);
  return exitCode(run, signal.aborted);
}

function tellAhead(terminal: Terminal, { run: { id, pipeline }, worker }: RunAhead): void {
  terminal.note(
    worker === undefined
      ? terminal.say("runAhead", { id, pipeline })
      : terminal.say("runAheadElsewhere", { id, pipeline, ...worker }),
  );
}

function exitCode(run: PipelineRunDetail, wasInterrupted: boolean): number {
  if (run.status === "succeeded") return 0;
  if (wasInterrupted || run.status === "interrupted") return EXIT_INTERRUPTED;
  return run.status === "waiting" ? EXIT_WAITING : EXIT_FAILED;
}
