import { join, resolve } from "node:path";
import { asText } from "../json.ts";
import type { WorkflowStep } from "../workflow-file.ts";
import { createCommandFiles } from "./file-commands.ts";
import type { Frame, JobState } from "./job-state.ts";
import type { Said } from "./output.ts";
import { runProcess } from "./processes.ts";

/** What one step works with. */
export interface RunningStep {
  readonly job: JobState;
  readonly frame: Frame;
  readonly step: WorkflowStep;
  /** Of the step alone, and of the action that it is part of. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** Where a process of a step runs, and what it says. */
export interface StepCall {
  readonly command: readonly [string, ...string[]];
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly states?: Readonly<Record<string, string>>;
}

export interface CallEnd {
  readonly exitCode: number;
  readonly outputs: Readonly<Record<string, string>>;
  readonly states: Readonly<Record<string, string>>;
}

export function pathOf(job: JobState): string {
  return [...job.path.toReversed(), job.env["PATH"] ?? job.base["PATH"] ?? ""].filter((one) => one !== "").join(":");
}

/** Everything that a process of a step sees. */
export function environmentOf({ job, frame, env }: Pick<RunningStep, "job" | "frame" | "env">): Record<string, string> {
  const { github, plan } = job;
  const text = (name: string): string => asText(github[name]);
  const { workspace, temporary, tools } = plan.folders;
  const given: Record<string, string> = {
    GITHUB_ACTIONS: "true",
    GITHUB_WORKSPACE: workspace,
    GITHUB_EVENT_PATH: join(temporary, "event.json"),
    GITHUB_ACTION: frame.actionPath === undefined ? "__run" : "__action",
    ...(frame.actionPath === undefined ? {} : { GITHUB_ACTION_PATH: frame.actionPath }),
    RUNNER_OS: "Linux",
    RUNNER_ARCH: process.arch === "arm64" ? "ARM64" : "X64",
    RUNNER_NAME: "esteira",
    RUNNER_ENVIRONMENT: "self-hosted",
    RUNNER_TEMP: temporary,
    RUNNER_TOOL_CACHE: tools,
    RUNNER_WORKSPACE: resolve(workspace, ".."),
    RUNNER_TRACKING_ID: job.trackingId,
  };
  for (const name of GITHUB_VARIABLES) given[`GITHUB_${name.toUpperCase()}`] = text(name);
  return { ...job.base, CI: "true", ...job.env, ...env, ...given, PATH: pathOf(job) };
}

const GITHUB_VARIABLES = [
  "actor",
  "actor_id",
  "api_url",
  "base_ref",
  "event_name",
  "graphql_url",
  "head_ref",
  "job",
  "ref",
  "ref_name",
  "ref_protected",
  "ref_type",
  "repository",
  "repository_id",
  "repository_owner",
  "repository_owner_id",
  "retention_days",
  "run_attempt",
  "run_id",
  "run_number",
  "server_url",
  "sha",
  "triggering_actor",
  "workflow",
  "workflow_ref",
  "workflow_sha",
] as const;

/** Runs a process of a step, and takes over what it writes into the files of commands. */
export async function callProcess(running: RunningStep, call: StepCall): Promise<CallEnd> {
  const { job } = running;
  const files = await createCommandFiles(job.plan.folders.temporary, String(++job.counter));
  const said: Said = { outputs: {}, states: {}, refused: undefined };
  const environment = { ...environmentOf(running), ...call.environment, ...files.variables };
  const { exitCode } = await runProcess(job, {
    command: call.command,
    folder: call.folder,
    environment,
    said,
    signal: running.signal,
  });
  const written = await files.read();
  addToEnv(job, written.env);
  job.path.push(...written.path);
  job.summary += written.summary === "" ? "" : `${written.summary.trimEnd()}\n`;
  if (said.refused !== undefined) throw new Error(said.refused);
  return {
    exitCode,
    outputs: { ...said.outputs, ...written.outputs },
    states: { ...said.states, ...written.states },
  };
}

/** What a step may not set for those behind it: it says who they are, or changes what every program does. */
const KEPT_NAMES = /^(GITHUB_|RUNNER_|NODE_OPTIONS$|ESTEIRA_|LD_PRELOAD$)/;

export function addToEnv(job: JobState, env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (KEPT_NAMES.test(name)) job.output.say(`Warning: ${name} cannot be set for the steps that follow.`);
    else if (name === "PATH") job.env["PATH"] = value;
    else job.env[name] = value;
  }
}
