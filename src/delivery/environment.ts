import { nearestName } from "#base";
import { environmentUnknown } from "./errors.ts";
import { type IsolationDemand, isPreviewEnvironment, type PipelineDefinition } from "#pipeline";
import type { EnvironmentRules } from "./ports.ts";

/** Name of the environment whose models carry the alias `champion`. */
export const PRODUCTION = "production";

/** One environment of the project, from `esteira.yaml`. */
export interface Environment extends EnvironmentRules {
  readonly name: string;
  /** What works for it runs in a sandbox, or does not run; what was made with less is not deployed. Default false. */
  readonly sandbox?: boolean;
}

/** What an environment requires of every process that works for it; undefined when nothing. */
export function isolationOf({ name, sandbox }: Environment): IsolationDemand | undefined {
  return sandbox === true ? { atLeast: "sandbox", requiredBy: `environment "${name}"` } : undefined;
}

/**
 * How the processes of a pipeline's steps must be isolated: as an environment asks that it deploys to.
 * A step whose environment is known only when it runs counts as one that deploys to all of them.
 */
export function isolationOfPipeline(
  pipeline: PipelineDefinition,
  environments: readonly Environment[],
): IsolationDemand | undefined {
  const targets = pipeline.steps
    .filter(({ kind }) => kind === "deploy")
    .flatMap(({ declaration }) => [declaration["to"]].flat().map(String));
  const deployed = environments.filter(({ name }) =>
    targets.some((target) => target === name || target.includes("${{")),
  );
  const strict = deployed.find(({ sandbox }) => sandbox === true);
  return strict === undefined ? undefined : isolationOf(strict);
}

/** What the processes of models must have: one serves every environment that has its version. */
export function isolationOfModels(environments: readonly Environment[]): IsolationDemand | undefined {
  return environments.map(isolationOf).find((demand) => demand !== undefined);
}

/** Nobody approves a preview; it asks for a sandbox where any environment does. */
function previewEnvironment(environments: readonly Environment[], name: string): Environment {
  const isSandboxed = environments.some(({ sandbox }) => sandbox === true);
  return { name, approvals: 0, bind: "version", ...(isSandboxed ? { sandbox: true } : {}) };
}

/** @throws DELIVERY_ENVIRONMENT_UNKNOWN with the nearest name */
export function findEnvironment(environments: readonly Environment[], name: string): Environment {
  const found = environments.find((environment) => environment.name === name);
  if (found !== undefined) return found;
  if (isPreviewEnvironment(name)) return previewEnvironment(environments, name);
  const known = environments.map((environment) => environment.name);
  throw environmentUnknown({ environment: name, known, nearest: nearestName(name, known) });
}
