import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { findWorkflows, workflowCannotRun, workflowUnknown } from "#app";
import { formatProblems, messageOf } from "#base";
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
import { type CliSession, withProject } from "../../session.ts";
import { watch } from "../pipeline/run.ts";
import { isCalled } from "./printable.ts";

export const command: Command = {
  usage: "workflow run WORKFLOW [--event NAME] [--payload FILE] [--input k=v] [--job JOB] [--strict]",
  summary: "Run a GitHub workflow",
  description:
    "The same as run with the workflow's pipeline, told of an event. What cannot run here is named before anything starts. Exit codes as for run.",
  options: {
    ...commonOptions,
    event: {
      type: "string",
      value: "NAME",
      help: "What it is told that happened: push, pull_request, workflow_dispatch, …",
    },
    payload: { type: "string", value: "FILE", help: "JSON file with github.event." },
    ref: { type: "string", value: "REF", help: "What github.ref says; default the branch of the work tree." },
    base: {
      type: "string",
      value: "BRANCH",
      help: "Of a pull request: the branch that it goes to; default the main one.",
    },
    head: { type: "string", value: "BRANCH", help: "Of a pull request: the branch that it comes from." },
    input: {
      type: "string",
      multiple: true,
      value: "NAME=VALUE",
      help: "An input of workflow_dispatch; may be repeated.",
    },
    strict: { type: "boolean", help: "Start nothing when jobs of it would be left out." },
    job: { type: "string", value: "JOB", help: "Run this job alone; what it needs counts as done." },
  },
  examples: [
    { line: "esteira workflow run ci.yml", does: "Runs .github/workflows/ci.yml on the work tree" },
    { line: "esteira workflow run ci.yml --event pull_request --head feature", does: "As if a pull request had come" },
    { line: "esteira workflow run release.yml --input version=1.2.0", does: "With an input of workflow_dispatch" },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [wanted = ""]) =>
    withProject(context, options, async (session) => {
      const { platform, identity } = session;
      const { pipeline, eventParam } = await findPipeline(session, wanted, options["strict"] === true);
      await platform.registerProject(identity.name);
      await tellIsolation(context.terminal, platform);
      const event = await readEvent(context, options);
      const { id } = await session.call("createPipelineRun", {
        params: { name: pipeline },
        body: {
          params: {
            ...readParams(textOptions(options, "input"), command.usage),
            ...(event === undefined ? {} : { [eventParam]: event }),
          },
          only: textOption(options, "job"),
        },
      });
      return watch(session, context, { id, asJson: options["json"] === true });
    }),
};

async function findPipeline(
  { platform }: CliSession,
  wanted: string,
  isStrict: boolean,
): Promise<{ readonly pipeline: string; readonly eventParam: string }> {
  const all = await findWorkflows(platform);
  const found = all.find((one) => isCalled(one, wanted));
  if (found === undefined) throw workflowUnknown({ workflow: wanted, known: all.map(({ file }) => file) });
  const reasons = found.problems.length > 0 ? found.problems : found.leftOut;
  if (found.pipeline === undefined || (isStrict && reasons.length > 0))
    throw workflowCannotRun({
      workflow: found.file,
      text:
        reasons.length > 0
          ? formatProblems(reasons)
          : `${found.file}:1:1  it is started by other workflows alone: on names only workflow_call`,
    });
  return { pipeline: found.pipeline.name, eventParam: found.eventParam };
}

async function readEvent({ workingFolder }: CommandContext, options: OptionValues): Promise<object | undefined> {
  const name = textOption(options, "event");
  const file = textOption(options, "payload");
  const stated = {
    ref: textOption(options, "ref"),
    base_ref: textOption(options, "base"),
    head_ref: textOption(options, "head"),
  };
  if (name === undefined && file === undefined && Object.values(stated).every((value) => value === undefined))
    return undefined;
  return {
    name,
    ...stated,
    ...(file === undefined ? {} : { payload: await readPayload(resolve(workingFolder, file)) }),
  };
}

async function readPayload(file: string): Promise<unknown> {
  try {
    const value = JSON.parse(await readFile(file, "utf8")) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw new Error("it holds no map");
  } catch (error) {
    throw usageWrong({ usage: command.usage, reason: `--payload ${file}: ${messageOf(error)}` });
  }
}
