import { posix } from "node:path";
import { ACTION_FILES, readAction } from "./action-file.ts";
import {
  type ActionReference,
  actionName,
  builtinOf,
  mirrorFolder,
  mirrorHint,
  parseActionReference,
} from "./builtin-actions.ts";
import type { CheckContext } from "./check-workflow.ts";
import { findExpressions, interpolate } from "./expression.ts";
import { passedOver, startsDocker, worksOnGithub } from "./github-actions.ts";
import { asText } from "./json.ts";
import { findVersion, MACHINE_TOOLS } from "./machine-tools.ts";
import type { Combination } from "./matrix.ts";
import type { WorkflowStep } from "./workflow-file.ts";

/** Why a step's action cannot run here. */
export interface ActionProblem {
  readonly message: string;
  readonly hint?: string;
  /** Its work is done on GitHub: no other machine was meant. */
  readonly isElsewhere?: boolean;
  /** Repository that the mirror lacks, as `owner/name@ref`. */
  readonly missing?: string;
}

const DEEPEST_ACTION = 9;

/** What keeps the action of a step from running; looked for in the actions that it uses itself, too. */
export async function findActionProblem(
  uses: string,
  context: CheckContext,
  depth = 0,
): Promise<ActionProblem | undefined> {
  if (depth > DEEPEST_ACTION) return { message: `${uses}: actions use each other more than ${DEEPEST_ACTION} deep` };
  if (uses.startsWith("docker://")) return { message: `${uses} is an image: there are no containers here` };
  const name = actionName(uses);
  if (builtinOf(uses) !== undefined || passedOver(name) !== undefined) return undefined;
  if (uses.startsWith("./")) return findLocalProblem(uses, context, depth);
  if (startsDocker(name)) return { message: `${uses} starts Docker: there are no containers here` };
  const reference = parseActionReference(uses);
  if (reference === undefined) return { message: `"${uses}" names no action` };
  const found = await readFirst(mirrorFolder(reference), context.readMirrorFile);
  if (found !== undefined) return findFileProblem(uses, found, { context, depth });
  if (worksOnGithub(name)) return { message: `${uses} works on GitHub itself`, isElsewhere: true };
  return notThere(uses, reference, context);
}

function notThere(uses: string, reference: ActionReference, { settings }: CheckContext): ActionProblem {
  const missing = `${reference.repository}@${reference.ref}`;
  return settings.mirror === undefined
    ? {
        message: `the action ${uses} is not built in`,
        hint: `Name a folder, workflows: { mirror: FOLDER } in esteira.yaml. ${mirrorHint(reference)}`,
        missing,
      }
    : { message: `the action ${uses} is not built in, and not in the mirror`, hint: mirrorHint(reference), missing };
}

async function findLocalProblem(
  uses: string,
  context: CheckContext,
  depth: number,
): Promise<ActionProblem | undefined> {
  const folder = posix.normalize(uses).replace(/\/$/, "");
  if (folder === ".." || folder.startsWith("../")) return { message: `${uses} leads out of the project` };
  const found = await readFirst(folder, context.readProjectFile);
  if (found !== undefined) return findFileProblem(uses, found, { context, depth });
  return {
    message: `there is no action in ${uses}: expected ${ACTION_FILES.join(" or ")} in the project`,
    hint: "An action that a step makes before it is used is not found: write it into the repository.",
  };
}

interface FoundFile {
  readonly file: string;
  readonly text: string;
}

async function readFirst(
  folder: string,
  read: (path: string) => Promise<string | undefined>,
): Promise<FoundFile | undefined> {
  for (const name of ACTION_FILES) {
    const file = posix.join(folder, name);
    const text = await read(file);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

async function findFileProblem(
  uses: string,
  { file, text }: FoundFile,
  { context, depth }: { readonly context: CheckContext; readonly depth: number },
): Promise<ActionProblem | undefined> {
  const { action, problem } = readAction(text, file);
  if (problem !== undefined) return { message: problem };
  if (action.runs.using === "docker") return { message: `${uses} is a Docker action: there are no containers here` };
  if (action.runs.using !== "composite") return undefined;
  for (const step of action.runs.steps) {
    const inner = step.uses === undefined ? undefined : await findActionProblem(step.uses, context, depth + 1);
    if (inner !== undefined) return { ...inner, message: `${uses}: ${inner.message}` };
  }
  return undefined;
}

/** What a set-up action asks of the machine that is not there, for one combination of its job. */
export async function findToolProblem(
  step: WorkflowStep,
  combination: Combination | undefined,
  context: CheckContext,
): Promise<ActionProblem | undefined> {
  const builtin = builtinOf(step.uses ?? "");
  const tool = builtin === undefined ? undefined : MACHINE_TOOLS[builtin];
  if (tool === undefined) return undefined;
  const found = await context.toolVersions(tool);
  const versions = [...found.keys()];
  const wanted = wantedVersion(step, tool.versions, combination);
  if (versions.length === 0)
    return {
      message: `${step.uses ?? ""} needs ${tool.title}, which is not on this machine`,
      hint: `Install ${tool.title}: ${tool.command} is looked for in the search path.`,
    };
  const last = wanted
    ?.split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const lacking = last?.find((range) => findVersion(found, range) === undefined);
  return lacking === undefined
    ? undefined
    : {
        message: `${tool.title} ${lacking} is not on this machine: there is ${versions.join(", ")}`,
        hint: `Install it, or ask for a version that is there.`,
      };
}

/** The version that a step asks for, as far as it is known before the run. */
function wantedVersion(
  step: WorkflowStep,
  inputs: readonly string[],
  combination: Combination | undefined,
): string | undefined {
  const pinned = /^dtolnay\/rust-toolchain@(.+)$/i.exec(step.uses ?? "")?.[1];
  const stated =
    inputs.map((name) => step.with?.[name]).find((value) => value !== undefined && value !== "") ??
    (pinned === undefined || /^(master|v1|[0-9a-f]{40})$/.test(pinned) ? undefined : pinned);
  if (stated === undefined) return undefined;
  const asked = findExpressions(stated);
  if (asked.length === 0) return stated;
  const isKnown = asked.every(({ source }) =>
    [...source.replaceAll(/'[^']*'/g, "").matchAll(/(?<![.\w])([a-z_]\w*)\s*\./gi)].every(
      ([, name]) => name === "matrix",
    ),
  );
  if (!isKnown || combination === undefined) return undefined;
  try {
    return asText(interpolate(stated, { contexts: { matrix: combination } }));
  } catch {
    return undefined;
  }
}
