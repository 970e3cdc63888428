import { readFile, realpath } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { ACTION_FILES, type ActionFile, readAction } from "../action-file.ts";
import { actionName, builtinOf, mirrorFolder, parseActionReference } from "../builtin-actions.ts";
import { interpolate, interpolateText } from "../expression.ts";
import { passedOver } from "../github-actions.ts";
import { BUILTINS } from "./builtin/builtins.ts";
import { type Frame, scopeOf } from "./job-state.ts";
import { type CallEnd, callProcess, type RunningStep } from "./step-process.ts";

const DEEPEST_ACTION = 10;

/** Runs what `uses` names: an action that is built in, one of the repository, or one of the mirror. */
export async function runAction(running: RunningStep): Promise<CallEnd> {
  const { job, frame, step, env } = running;
  const uses = step.uses ?? "";
  const scope = scopeOf(job, frame, env);
  const given = Object.fromEntries(
    Object.entries(step.with ?? {}).map(([name, text]) => [name.toLowerCase(), interpolateText(text, scope)]),
  );
  for (const [name, value] of Object.entries(given))
    if (value !== "") job.output.say(`  ${name}: ${value.split("\n")[0] ?? ""}`);
  const builtin = builtinOf(uses);
  if (builtin !== undefined) {
    const outputs = await BUILTINS[builtin]({ ...running, inputs: given });
    return { exitCode: 0, outputs, states: {} };
  }
  const reason = passedOver(actionName(uses));
  if (reason !== undefined) {
    job.output.say(`${uses} does nothing here: ${reason}.`);
    return { exitCode: 0, outputs: {}, states: {} };
  }
  if (frame.depth >= DEEPEST_ACTION) throw new Error(`actions use each other more than ${DEEPEST_ACTION} deep`);
  const folder = await folderOf(running, uses);
  const action = await readActionAt(folder, uses);
  const inputs = withDefaults(action, given, running);
  if (action.runs.using === "composite") return runComposite(running, { action, folder, inputs });
  if (action.runs.using === "docker") throw new Error(`${uses} is a Docker action: there are no containers here`);
  return runJavaScript(running, { action: action.runs, folder, inputs, name: step.name ?? uses });
}

/** @throws when it lies elsewhere, by its path or by a link */
async function folderOf({ job }: RunningStep, uses: string): Promise<string> {
  if (uses.startsWith("./")) return insideOf(job.plan.folders.workspace, uses, `${uses} leads out of the repository`);
  const reference = parseActionReference(uses);
  if (reference === undefined) throw new Error(`"${uses}" names no action`);
  const { mirror } = job.plan;
  if (mirror === undefined) throw new Error(`the action ${uses} is not built in, and there is no mirror of actions`);
  return insideOf(mirror, mirrorFolder(reference), `${uses} leads out of the mirror`);
}

/** Absolute path below a folder; what is not there yet is read later, and found missing. */
async function insideOf(folder: string, path: string, wrong: string): Promise<string> {
  const whole = join(folder, path);
  const isBelow = (one: string, root: string): boolean => one === root || one.startsWith(root + sep);
  if (!isBelow(whole.replace(/\/$/, ""), folder)) throw new Error(wrong);
  const real = await realpath(whole).catch(() => undefined);
  if (real !== undefined && !isBelow(real, await realpath(folder))) throw new Error(wrong);
  return whole;
}

async function readActionAt(folder: string, uses: string): Promise<ActionFile> {
  for (const name of ACTION_FILES) {
    const text = await readFile(join(folder, name), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const { action, problem } = readAction(text, `${uses}/${name}`);
    if (problem !== undefined) throw new Error(problem);
    return action;
  }
  throw new Error(
    `there is no ${ACTION_FILES.join(" or ")} in ${uses}${uses.startsWith("./") ? ": is the repository checked out before this step?" : ""}`,
  );
}

function withDefaults(
  action: ActionFile,
  given: Readonly<Record<string, string>>,
  { job, frame, env }: RunningStep,
): Readonly<Record<string, string>> {
  const scope = scopeOf(job, frame, env);
  const inputs: Record<string, string> = { ...given };
  for (const [name, input] of Object.entries(action.inputs ?? {}))
    inputs[name.toLowerCase()] ??= interpolateText(input?.default ?? "", scope);
  return inputs;
}

async function runComposite(
  running: RunningStep,
  {
    action,
    folder,
    inputs,
  }: { readonly action: ActionFile; readonly folder: string; readonly inputs: Readonly<Record<string, string>> },
): Promise<CallEnd> {
  const { job, env, signal } = running;
  if (action.runs.using !== "composite") throw new Error("it is no composite action");
  const inner: Frame = {
    steps: {},
    status: "success",
    inputs,
    actionPath: folder,
    depth: running.frame.depth + 1,
  };
  for (const step of action.runs.steps) {
    if (step.run !== undefined && step.shell === undefined)
      throw new Error(`a step of ${action.name ?? "the action"} has no shell: steps of composite actions name theirs`);
    await job.runStep({ job, frame: inner, step, env, signal });
  }
  const scope = scopeOf(job, inner, env);
  const outputs = Object.fromEntries(
    Object.entries(action.outputs ?? {}).map(([name, output]) => [name, interpolateText(output?.value ?? "", scope)]),
  );
  return { exitCode: inner.status === "success" ? 0 : 1, outputs, states: {} };
}

type JavaScriptAction = Extract<ActionFile["runs"], { readonly main: string }>;

async function runJavaScript(
  running: RunningStep,
  facts: {
    readonly action: JavaScriptAction;
    readonly folder: string;
    readonly inputs: Readonly<Record<string, string>>;
    readonly name: string;
  },
): Promise<CallEnd> {
  const { job, frame } = running;
  const { action, folder, inputs, name } = facts;
  const environment = Object.fromEntries(
    Object.entries(inputs).map(([input, value]) => [`INPUT_${input.replaceAll(" ", "_").toUpperCase()}`, value]),
  );
  const inner: Frame = { ...frame, actionPath: folder };
  let states: Readonly<Record<string, string>> = {};
  const root = folder.startsWith(`${job.plan.folders.workspace}/`)
    ? job.plan.folders.workspace
    : (job.plan.mirror ?? folder);
  const call = async (file: string): Promise<CallEnd> => {
    const program = await insideOf(
      root,
      relative(root, join(folder, file)),
      `${file} leads out of the action's repository`,
    );
    const ended = await callProcess(
      { ...running, frame: inner },
      {
        command: [process.execPath, program],
        folder: job.plan.folders.workspace,
        environment: {
          ...environment,
          ...Object.fromEntries(Object.entries(states).map(([state, value]) => [`STATE_${state}`, value])),
        },
      },
    );
    states = { ...states, ...ended.states };
    return ended;
  };
  if (action.pre !== undefined && isWanted(action["pre-if"], running)) {
    const before = await call(action.pre);
    if (before.exitCode !== 0) return before;
  }
  const { post } = action;
  if (post !== undefined)
    job.posts.push({
      name,
      condition: action["post-if"] ?? "always()",
      frame,
      run: async () => {
        const { exitCode } = await call(post);
        if (exitCode !== 0) throw new Error(`it ended with exit code ${exitCode}`);
      },
    });
  return call(action.main);
}

function isWanted(condition: string | undefined, { job, frame, env }: RunningStep): boolean {
  if (condition === undefined) return true;
  const value = interpolate(condition.includes("${{") ? condition : `\${{ ${condition} }}`, scopeOf(job, frame, env));
  return value !== false && value !== "" && value !== null;
}
