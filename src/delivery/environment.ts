import { nearestName } from "#base";
import { environmentUnknown } from "./errors.ts";
import type { EnvironmentRules } from "./ports.ts";

/** Name of the environment whose models carry the alias `champion`. */
export const PRODUCTION = "production";

/** One environment of the project, from `esteira.yaml`. */
export interface Environment extends EnvironmentRules {
  readonly name: string;
}

/** @throws DELIVERY_ENVIRONMENT_UNKNOWN with the nearest name */
export function findEnvironment(environments: readonly Environment[], name: string): Environment {
  const found = environments.find((environment) => environment.name === name);
  if (found !== undefined) return found;
  const known = environments.map((environment) => environment.name);
  throw environmentUnknown({ environment: name, known, nearest: nearestName(name, known) });
}
