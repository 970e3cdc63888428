import { type Debugged, type DebugPlace, debugStepRun } from "#app";
import { type Command, commonOptions, type CommandContext, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { tellIsolation } from "../../isolation-note.ts";
import { withProject } from "../../session.ts";
import { readWholeRun } from "../../whole-run.ts";
import { latestRun } from "./latest-run.ts";
import { findItem, onlyStepRun } from "./step-run-of.ts";

const EXIT_INTERRUPTED = 130;
const EXIT_FAILED = 1;
const { project, store } = commonOptions;

export const command: Command = {
  usage: "debug RUN STEP [--item ITEM] [--apply] [-- COMMAND…]",
  summary: "Open a shell where a step of a pipeline run works, to see why it failed",
  description:
    "Makes the step's workspace again, with the project's files as they are now, and starts a shell in it, or COMMAND: with the isolation, variables, inputs, params and secrets that the next attempt would have, and the step's own Python first in PATH. ESTEIRA_COMMAND holds what the step would run. Files that are changed there are listed at the end; --apply copies them into the project, and esteira retry RUN then goes on. What is written is no result of the step, and what is logged to MLflow stays in the workspace, which goes when the shell ends. Only for who may run pipelines; the audit log says who opened it. Without a terminal, give a COMMAND: it reads the standard input. Exit code: that of the shell or COMMAND.",
  options: {
    project,
    store,
    item: { type: "string", value: "ITEM", help: "Of a step with for_each or a matrix, this item (matrix: n=2)." },
    apply: { type: "boolean", help: "Copy the files that were changed in the workspace into the project." },
  },
  examples: [
    { line: "esteira debug latest train --apply", does: "Fix it in the workspace, and take the fix into the project" },
    { line: "esteira debug 01JXAMPLE train -- python -m pdb train.py", does: "Another command than a shell" },
    { line: "esteira debug 01JXAMPLE work --item data/one.csv", does: "One item of a step with for_each" },
  ],
  positionals: { least: 2, most: 1000 },
  run: (context, options, [given = "", step = "", ...words]) =>
    withProject(context, options, async (session) => {
      const { call, platform, identity } = session;
      const { terminal } = context;
      const isInteractive = process.stdin.isTTY;
      const [program, ...args] = words;
      if (program === undefined && !isInteractive)
        throw usageWrong({
          usage: command.usage,
          reason: "There is no terminal to open a shell in: give a command behind --",
        });
      await platform.registerProject(identity.name);
      const run = await readWholeRun(call, given === "latest" ? await latestRun(session, command.usage) : given);
      const item = textOption(options, "item");
      const { id } =
        item === undefined
          ? onlyStepRun(run, step, command.usage)
          : findItem(run, { step, item, usage: command.usage });
      await tellIsolation(terminal, platform);
      const ending = followSignals(context, isInteractive);
      try {
        const debugged = await debugStepRun(platform, {
          identity,
          stepRunId: id,
          command: program === undefined ? undefined : [program, ...args],
          environment: shellEnvironment(context, step),
          isInteractive,
          signal: ending.signal,
          log: (text) => terminal.note(text.trimEnd()),
          apply: options["apply"] === true,
          tell: (place) => tellPlace(context, place),
        });
        tellChanges(context, debugged, { run: run.id, projectFolder: platform.config.folder });
        return ending.signal.aborted ? EXIT_INTERRUPTED : (debugged.exitCode ?? EXIT_FAILED);
      } finally {
        ending.stop();
      }
    }),
};

/** Keys of the terminal, Ctrl-C among them, are for who works in it: what ends it is its own end, or this process's. */
function followSignals(
  { signal }: CommandContext,
  isInteractive: boolean,
): { readonly signal: AbortSignal; readonly stop: () => void } {
  if (!isInteractive) return { signal, stop: () => undefined };
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const pass = (): void => undefined;
  const followed = { SIGINT: pass, SIGQUIT: pass, SIGTERM: end, SIGHUP: end };
  const each = Object.entries(followed);
  for (const [name, listener] of each) process.on(name, listener);
  return {
    signal: ending.signal,
    stop: () => {
      for (const [name, listener] of each) process.off(name, listener);
    },
  };
}

function shellEnvironment({ settings }: CommandContext, step: string): Readonly<Record<string, string>> {
  const kept = ["TERM", "COLORTERM"].flatMap((name) => {
    const value = settings.variable(name);
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(kept), PS1: `esteira ${step}:\\W$ ` };
}

function tellPlace({ terminal }: CommandContext, place: DebugPlace): void {
  const { pipeline, step, folder, command: own, secrets, elsewhere, isPushed } = place;
  terminal.note(terminal.say("debugOpened", { step, pipeline, folder }));
  const line = "shell" in own ? own.shell : own.join(" ");
  terminal.note(terminal.say("debugCommand", { command: line.trim() }));
  if (secrets.length > 0) terminal.note(terminal.say("debugSecrets", { secrets: secrets.join(", ") }));
  if (elsewhere !== undefined)
    terminal.note(terminal.style("yellow", terminal.say("debugElsewhere", { executor: elsewhere })));
  if (isPushed) terminal.note(terminal.style("yellow", terminal.say("debugPushed")));
}

function tellChanges(
  { terminal }: CommandContext,
  { taken, left, keptIn }: Debugged,
  { run, projectFolder }: { readonly run: string; readonly projectFolder: string },
): void {
  if (taken.length > 0)
    terminal.note(
      `${terminal.say("debugTaken", { files: taken.join(", ") })} ${terminal.say("debugRetry", { id: run })}`,
    );
  if (keptIn !== undefined)
    terminal.note(terminal.say("debugLeft", { files: left.join(", "), folder: keptIn, project: projectFolder }));
}
