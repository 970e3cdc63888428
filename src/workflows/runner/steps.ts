import { chmod, writeFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { messageOf } from "#base";
import { holds, interpolate, interpolateText } from "../expression.ts";
import type { JobResult } from "../job-plan.ts";
import type { WorkflowStep } from "../workflow-file.ts";
import { asText } from "../json.ts";
import { runAction } from "./actions.ts";
import { type Frame, type JobState, scopeOf, type StepRecord } from "./job-state.ts";
import { findCommand } from "./processes.ts";
import { type CallEnd, callProcess, pathOf, type RunningStep } from "./step-process.ts";

/** Runs the steps of the job in order. @returns why it failed; empty when it did not */
export async function runSteps(job: JobState, frame: Frame, records: JobResult["steps"]): Promise<string> {
  let reason = "";
  for (const [index, step] of (job.plan.content.steps ?? []).entries()) {
    const place = `${job.plan.file}:${job.plan.lines[index] ?? 0}`;
    const name = titleOf(job, frame, step);
    const startedAt = performance.now();
    const { record, failure } = await runStep({ job, frame, step, env: {}, signal: undefined }, name);
    records.push({
      name: job.output.clean(name).slice(0, 500),
      outcome: record.outcome,
      conclusion: record.conclusion,
      durationMs: performance.now() - startedAt,
    });
    if (record.conclusion === "failure" && reason === "")
      reason = `step "${name}" (${place}): ${failure ?? "it failed"}`;
  }
  return reason;
}

/**
 * What is to be done at the end: the other way round, in a time of its own, however little the job has left.
 *
 * @returns why one of them failed
 */
export async function runPosts(job: JobState, records: JobResult["steps"]): Promise<string | undefined> {
  let failed: string | undefined;
  if (job.posts.length > 0 && !job.cancelled.aborted) job.signal = AbortSignal.timeout(CLEAN_UP_MS);
  for (let post = job.posts.pop(); post !== undefined; post = job.posts.pop()) {
    const startedAt = performance.now();
    let outcome: StepRecord["outcome"] = "success";
    try {
      if (!holds(post.condition, scopeOf(job, post.frame))) continue;
      job.output.say(`\n● Post ${post.name}`);
      await post.run();
    } catch (error) {
      outcome = "failure";
      failed ??= `after "${post.name}": ${messageOf(error)}`;
      job.output.say(`Error: ${messageOf(error)}`);
    }
    records.push({
      name: `Post ${post.name}`.slice(0, 500),
      outcome,
      conclusion: outcome,
      durationMs: performance.now() - startedAt,
    });
  }
  return failed;
}

/** How long what cleans up may take: GitHub's own limit after a cancel. */
export const CLEAN_UP_MS: number = 5 * 60_000;

function titleOf(job: JobState, frame: Frame, step: WorkflowStep): string {
  try {
    if (step.name !== undefined) return interpolateText(step.name, scopeOf(job, frame));
  } catch {
    return step.name ?? "";
  }
  return step.uses ?? `Run ${step.run?.trim().split("\n")[0] ?? ""}`;
}

/** Runs one step, if its condition holds, and lets the frame know. */
export async function runStep(
  running: RunningStep,
  title?: string,
): Promise<{ readonly record: StepRecord; readonly failure: string | undefined }> {
  const { job, frame, step } = running;
  const name = title ?? titleOf(job, frame, step);
  const { outcome, outputs, failure } = await attempt(running, name);
  const tolerated = outcome === "failure" && isTolerated(running);
  const record: StepRecord = { outputs, outcome, conclusion: tolerated ? "success" : outcome };
  if (record.conclusion === "failure") frame.status = "failure";
  if (step.id !== undefined) frame.steps[step.id] = record;
  return { record, failure };
}

function isTolerated({ job, frame, step, env }: RunningStep): boolean {
  const stated = step["continue-on-error"];
  if (stated === undefined) return false;
  const value = interpolate(stated, scopeOf(job, frame, env));
  return value === true || value === "true";
}

interface Attempted {
  readonly outcome: StepRecord["outcome"];
  readonly outputs: Readonly<Record<string, string>>;
  readonly failure?: string;
}

// oxlint-disable-next-line complexity -- one step, from its condition to its end
async function attempt(running: RunningStep, name: string): Promise<Attempted> {
  const { job, frame, step } = running;
  try {
    const env = { ...running.env, ...stepEnv(running) };
    if (!holds(step.if ?? "", scopeOf(job, frame, env))) return { outcome: "skipped", outputs: {} };
    job.output.say(`${frame.depth === 0 ? "\n" : ""}● ${name}`);
    const minutes = Number(interpolate(step["timeout-minutes"] ?? "0", scopeOf(job, frame, env)));
    const limit = minutes > 0 ? AbortSignal.timeout(minutes * 60_000) : undefined;
    const signal = running.signal ?? limit;
    const own = {
      ...running,
      env,
      signal: signal === undefined ? undefined : AbortSignal.any([signal, ...(limit === undefined ? [] : [limit])]),
    };
    const wasCancelled = job.cancelled.aborted;
    const ended = step.run === undefined ? await runAction(own) : await runScript(own, step.run);
    if (wasCancelled !== job.cancelled.aborted && ended.exitCode !== 0)
      return { outcome: "cancelled", outputs: ended.outputs };
    if (limit?.aborted === true) return failed(job, `it ran for more than ${minutes} minutes`, ended.outputs);
    return ended.exitCode === 0
      ? { outcome: "success", outputs: ended.outputs }
      : failed(job, `it ended with exit code ${ended.exitCode}`, ended.outputs);
  } catch (error) {
    return failed(job, messageOf(error), {});
  }
}

function failed(job: JobState, failure: string, outputs: Readonly<Record<string, string>>): Attempted {
  job.output.say(`Error: ${failure}`);
  return { outcome: "failure", outputs, failure };
}

function stepEnv({ job, frame, step, env }: RunningStep): Readonly<Record<string, string>> {
  if (step.env === undefined) return {};
  const scope = scopeOf(job, frame, env);
  if (typeof step.env === "string") {
    const value = interpolate(step.env, scope);
    return typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asText(one)]))
      : {};
  }
  return Object.fromEntries(Object.entries(step.env).map(([name, text]) => [name, interpolateText(text, scope)]));
}

/** How each shell is started: as GitHub starts it. */
const SHELLS: Readonly<Record<string, string>> = {
  bash: "bash --noprofile --norc -eo pipefail {0}",
  sh: "sh -e {0}",
  python: "python {0}",
  pwsh: "pwsh -command . '{0}'",
};
const ENDINGS: Readonly<Record<string, string>> = { python: ".py", pwsh: ".ps1" };

// oxlint-disable-next-line complexity -- defaults of three places
async function runScript(running: RunningStep, source: string): Promise<CallEnd> {
  const { job, frame, step, env } = running;
  const scope = scopeOf(job, frame, env);
  const script = interpolateText(source, scope);
  const { defaults, content, folders } = job.plan;
  const isOuter = frame.depth === 0;
  const stated = step.shell ?? (isOuter ? (content.defaults?.run?.shell ?? defaults?.run?.shell) : undefined);
  const shell = stated === undefined ? undefined : interpolateText(stated, scope).trim();
  const inside =
    step["working-directory"] ??
    (isOuter ? (content.defaults?.run?.["working-directory"] ?? defaults?.run?.["working-directory"]) : undefined);
  const folder = resolve(folders.workspace, inside === undefined ? "." : interpolateText(inside, scope));
  const kind = shell?.split(/\s+/)[0] ?? "";
  const file = join(folders.temporary, `script-${++job.counter}${ENDINGS[kind] ?? ".sh"}`);
  await writeFile(file, script.replaceAll("\r\n", "\n"));
  await chmod(file, 0o755);
  for (const line of script.trimEnd().split("\n").slice(0, 100)) job.output.say(`  ${line}`);
  return callProcess(running, { command: shellCommand(running, shell, file), folder });
}

function shellCommand(running: RunningStep, shell: string | undefined, file: string): readonly [string, ...string[]] {
  const path = pathOf(running.job);
  const usual = findCommand("bash", path) === undefined ? "sh -e {0}" : "bash -e {0}";
  const template = shell === undefined ? usual : (SHELLS[shell] ?? shell);
  if (!template.includes("{0}"))
    throw new Error(
      `the shell "${shell ?? ""}" is unknown: expected ${Object.keys(SHELLS).join(", ")} or a command with {0}`,
    );
  const [program = "sh", ...args] = template.split(/\s+/).map((part) => part.replace("{0}", file));
  // Many machines have Python 3 under its full name alone.
  const found = findCommand(program, path) ?? (program === "python" ? findCommand("python3", path) : undefined);
  if (found === undefined && !isAbsolute(program))
    throw new Error(`the shell ${program} is not on this machine; searched: ${path}`);
  return [found ?? program, ...args];
}
