import { z } from "zod";
import { nearestName } from "#base";
import type { Problem } from "../step-kind.ts";
import { MEMORY, type Resources, toBytes } from "../resources.ts";
import type { StepDefinition } from "./definition.ts";
import type { KnownKind } from "./step-kinds.ts";

/** An executor of the project, as far as definitions are checked against it. */
export interface KnownExecutor {
  readonly name: string;
  /** Its processes run on other machines. */
  readonly isRemote: boolean;
}

export const executorKey = z
  .string()
  .min(1)
  .describe("Where its processes run: local, or an executor of esteira.yaml. Default: what esteira.yaml says.");

export const resourcesKeys = z
  .strictObject({
    cpus: z.int().min(1).max(100_000).optional().describe("Processors."),
    gpus: z.int().min(0).max(10_000).optional().describe("Graphics processors."),
    memory: z
      .string()
      .regex(MEMORY, 'expected a size such as "16 GB" or "500 MiB"')
      .optional()
      .describe('Memory: "16 GB". Its processes are ended when they take more, unless `limits` says otherwise.'),
  })
  .describe(
    "What its processes need: they start where and when it is free. A step that nobody can give what it asks does not run, and says who could.",
  );

/** The part of a step's keys that says where it runs. */
export interface PlacementKeys {
  readonly executor?: string | undefined;
  readonly resources?: z.infer<typeof resourcesKeys> | undefined;
}

/**
 * What is wrong with where a step is to run.
 *
 * @param executors of the project, without `local`; undefined: they are not known, and names are not checked
 */
export function placementProblems(
  { executor, resources }: PlacementKeys,
  known: KnownKind | undefined,
  executors: readonly KnownExecutor[] | undefined,
): readonly Problem[] {
  if (known === undefined) return [];
  const { kind } = known;
  const problems: Problem[] = [];
  if (kind.workspace === undefined) {
    const hint = "Leave it out: run, node, python and notebook steps have processes of their own.";
    for (const [path, value] of [
      ["executor", executor],
      ["resources", resources],
    ] as const)
      if (value !== undefined)
        problems.push({ path: [path], message: `a ${kind.name} step is computed by the engine itself`, hint });
    return problems;
  }
  const problem = executor === undefined ? undefined : executorProblem(executor, kind, executors);
  return problem === undefined ? [] : [{ ...problem, path: ["executor"] }];
}

function executorProblem(
  name: string,
  kind: KnownKind["kind"],
  executors: readonly KnownExecutor[] | undefined,
): Omit<Problem, "path"> | undefined {
  const unknown = unknownExecutor(name, executors);
  if (unknown !== undefined) return unknown;
  const isRemote = executors?.some((one) => one.name === name && one.isRemote) ?? false;
  return isRemote && kind.travels !== true
    ? {
        message: `a ${kind.name} step runs on the engine's own machine, and "${name}" is others`,
        hint: "Use executor: local; run, node and python steps can run there.",
      }
    : undefined;
}

/** That there is no such executor; undefined when there is one, or when they are not known. */
export function unknownExecutor(
  name: string,
  executors: readonly KnownExecutor[] | undefined,
): Omit<Problem, "path"> | undefined {
  if (executors === undefined || name === "local" || executors.some((one) => one.name === name)) return undefined;
  const names = ["local", ...executors.map((one) => one.name)];
  const near = nearestName(name, names);
  return {
    message: `there is no executor "${name}"`,
    hint:
      near !== undefined && near !== "local"
        ? `Did you mean "${near}"?`
        : `Declare it under executors in esteira.yaml. There are: ${names.join(", ")}.`,
  };
}

/** Where a step runs, as its definition keeps it. What a pipeline says counts for steps that can go there. */
export function toPlacement(
  { executor, resources }: PlacementKeys,
  known: KnownKind,
  pipeline: { readonly executor: string | undefined; readonly executors: readonly KnownExecutor[] | undefined },
): Pick<StepDefinition, "executor" | "resources"> {
  const place = executor ?? (canRunOn(pipeline.executor, known, pipeline.executors) ? pipeline.executor : undefined);
  const asked = resources === undefined ? undefined : toResources(resources);
  return {
    ...(place === undefined ? {} : { executor: place }),
    ...(asked === undefined || Object.keys(asked).length === 0 ? {} : { resources: asked }),
  };
}

function canRunOn(
  name: string | undefined,
  { kind }: KnownKind,
  executors: readonly KnownExecutor[] | undefined,
): boolean {
  if (name === undefined || kind.workspace === undefined) return false;
  return kind.travels === true || executors?.some((one) => one.name === name && one.isRemote) !== true;
}

function toResources({ cpus, gpus, memory }: NonNullable<PlacementKeys["resources"]>): Resources {
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(memory === undefined ? {} : { memoryBytes: toBytes(memory) }),
  };
}
