import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isEsteiraError, messageOf } from "#base";
import { interpolateAll, interpolateText } from "../expression.ts";
import type { JobPlan, JobResult } from "../job-plan.ts";
import { asText } from "../json.ts";
import { type Frame, type JobState, scopeOf } from "./job-state.ts";
import { createOutput } from "./output.ts";
import { killTracked } from "./processes.ts";
import { startServices } from "./services.ts";
import { CLEAN_UP_MS, runPosts, runStep, runSteps } from "./steps.ts";

/** Variables of the attempt that steps of a workflow do not get: they speak to the platform. */
const OWN_VARIABLES = /^(ESTEIRA_(?!ATTEMPT_ID$|ENGINE$)|MLFLOW_)/;
const LONGEST_REASON = 2000;
const LARGEST_OUTPUT = 1_048_576;

/** Runs the steps of a job and leaves its result. @returns the exit code of the runner */
export async function runJob(
  plan: JobPlan,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const controller = new AbortController();
  const annotations: JobResult["annotations"] = [];
  const output = createOutput((text) => void process.stdout.write(text), annotations);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    output.say(`The job has run for more than ${plan.timeoutMs / 60_000} minutes and is ended.`);
    controller.abort();
  }, plan.timeoutMs);
  process.once("SIGTERM", () => controller.abort());
  const { secrets, base } = divide(plan, environment);
  for (const value of Object.values(secrets)) if (value !== "") output.mask(value);
  const job: JobState = {
    plan,
    output,
    base,
    env: {},
    path: [],
    secrets: {},
    github: { ...plan.contexts.github, token: secrets["GITHUB_TOKEN"] ?? "" },
    services: {},
    posts: [],
    artifacts: [],
    caches: [],
    annotations,
    summary: "",
    coverage: undefined,
    signal: controller.signal,
    cancelled: controller.signal,
    trackingId: `esteira_${randomUUID()}`,
    counter: 0,
    runStep,
  };
  // What asks for it runs after a cancel, and has this long in all.
  const cleanUp = new AbortController();
  let cleanUpTimer: NodeJS.Timeout | undefined;
  controller.signal.addEventListener("abort", () => {
    job.signal = cleanUp.signal;
    cleanUpTimer = setTimeout(() => cleanUp.abort(), CLEAN_UP_MS);
  });
  const frame: Frame = { steps: {}, status: "success", depth: 0 };
  const steps: JobResult["steps"] = [];
  let reason = "";
  let services: Awaited<ReturnType<typeof startServices>> | undefined;
  try {
    await writeFile(join(plan.folders.temporary, "event.json"), JSON.stringify(plan.contexts.github["event"] ?? {}));
    await giveGitAnIdentity(base);
    const known = { ...job, secrets: mapSecrets(job, secrets) };
    Object.assign(job.env, readEnv(known, frame, plan.env));
    Object.assign(job.env, readEnv(known, frame, plan.content.env));
    Object.assign(job, { secrets: known.secrets });
    services = await startServices(job, frame);
    reason = await runSteps(job, frame, steps);
  } catch (error) {
    frame.status = "failure";
    reason ||= messageOf(error);
    output.say(`Error: ${messageOf(error)}`);
  }
  clearTimeout(timer);
  const failedPost = await runPosts(job, steps);
  if (failedPost !== undefined && frame.status === "success") {
    frame.status = "failure";
    reason = failedPost;
  }
  const outputs = readOutputs(job, frame);
  await services?.stop();
  clearTimeout(cleanUpTimer);
  await killTracked(job.trackingId);
  const isCancelled = controller.signal.aborted;
  const result: JobResult = {
    format: "job-result/1",
    result: isCancelled ? "cancelled" : frame.status,
    reason: output
      .clean(
        isLate
          ? `it ran for more than ${plan.timeoutMs / 60_000} minutes`
          : isCancelled
            ? "it was ended from outside"
            : reason,
      )
      .slice(0, LONGEST_REASON),
    outputs,
    steps,
    // What was masked later stands in none of the earlier ones.
    annotations: annotations.map((one) => ({ ...one, message: output.clean(one.message) })),
    summary: output.clean(job.summary).slice(0, LARGEST_OUTPUT),
    artifacts: job.artifacts,
    caches: job.caches,
    ...(job.coverage === undefined ? {} : { coverage: job.coverage }),
  };
  await writeFile(`${plan.result}.part`, JSON.stringify(result));
  await rename(`${plan.result}.part`, plan.result);
  return result.result === "success" ? 0 : 1;
}

/** What is secret, and what every process has. */
function divide(
  plan: JobPlan,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly secrets: Record<string, string>; readonly base: Record<string, string> } {
  const secrets: Record<string, string> = {};
  const base: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    if (plan.secrets.includes(name)) secrets[name.toUpperCase()] = value;
    else if (!OWN_VARIABLES.test(name)) base[name] = value;
  }
  return { secrets, base };
}

/** What a called workflow sees of its caller's secrets. */
function mapSecrets(job: JobState, secrets: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let known = secrets;
  for (const map of job.plan.secretMaps) {
    if (map === "inherit") continue;
    const scope = { contexts: { ...job.plan.contexts, github: job.github, secrets: known } };
    const { GITHUB_TOKEN: token } = known;
    known = {
      ...Object.fromEntries(
        Object.entries(map).map(([name, text]) => [name.toUpperCase(), interpolateText(text, scope)]),
      ),
      // Every job has it, also one of a workflow that is called.
      ...(token === undefined ? {} : { GITHUB_TOKEN: token }),
    };
  }
  for (const value of Object.values(known)) if (value !== "") job.output.mask(value);
  return known;
}

function readEnv(job: JobState, frame: Frame, stated: JobPlan["env"]): Readonly<Record<string, string>> {
  if (stated === undefined) return {};
  const value = interpolateAll(stated, scopeOf(job, frame));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asText(one)]));
}

/** Outputs of the job. One that holds a secret is left out: it would stand in the records of the run. */
function readOutputs(job: JobState, frame: Frame): Record<string, string> {
  const outputs: Record<string, string> = {};
  for (const [name, text] of Object.entries(job.plan.content.outputs ?? {})) {
    try {
      const value = interpolateText(text, scopeOf(job, frame));
      if (job.output.isSecret(value)) job.output.say(`Warning: the output ${name} is left out: it may hold a secret.`);
      else outputs[name] = value.slice(0, LARGEST_OUTPUT);
    } catch (error) {
      job.output.say(`Error: output ${name}: ${messageOf(error)}`);
      frame.status = "failure";
      if (!isEsteiraError(error)) throw error;
    }
  }
  return outputs;
}

/** The checkout belongs to another user of the machine; commits need a name. */
async function giveGitAnIdentity(base: Readonly<Record<string, string>>): Promise<void> {
  const home = base["HOME"];
  if (home === undefined) return;
  await mkdir(home, { recursive: true });
  await writeFile(join(home, ".gitconfig"), "[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n");
}
