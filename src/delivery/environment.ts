import { nearestName } from "#base";
import { environmentUnknown } from "./errors.ts";
import type { PipelineDefinition } from "#pipeline";
import type { EnvironmentRules } from "./ports.ts";

/** Name of the environment whose models carry the alias `champion`. */
export const PRODUCTION = "production";

/** One environment of the project, from `esteira.yaml`. */
export interface Environment extends EnvironmentRules {
  readonly name: string;
  /** Processes that work for it run in a sandbox, or not at all. Default false. */
  readonly sandbox?: boolean;
}

/** What is told of an environment that requires a sandbox; undefined when it does not. */
export function sandboxRequirement({ name, sandbox }: Environment): string | undefined {
  return sandbox === true ? `environment "${name}"` : undefined;
}

/**
 * What requires that the processes of a pipeline's steps run in a sandbox: the first environment it deploys to that
 * does.
 * A step whose environment is known only when it runs counts as one that deploys to all of them.
 */
export function sandboxRequirementOf(
  pipeline: PipelineDefinition,
  environments: readonly Environment[],
): string | undefined {
  const targets = pipeline.steps
    .filter(({ kind }) => kind === "deploy")
    .flatMap(({ declaration }) => [declaration["to"]].flat().map(String));
  const strict = environments.filter(
    ({ name, sandbox }) => sandbox === true && targets.some((target) => target === name || target.includes("${{")),
  );
  return strict[0] === undefined ? undefined : sandboxRequirement(strict[0]);
}

/** @throws DELIVERY_ENVIRONMENT_UNKNOWN with the nearest name */
export function findEnvironment(environments: readonly Environment[], name: string): Environment {
  const found = environments.find((environment) => environment.name === name);
  if (found !== undefined) return found;
  const known = environments.map((environment) => environment.name);
  throw environmentUnknown({ environment: name, known, nearest: nearestName(name, known) });
}
