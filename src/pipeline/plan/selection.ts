import type { Json } from "#base";
import type { ParamDefinition, PipelineDefinition, StepDefinition } from "../define/definition.ts";
import { paramMissing, paramUnknown, paramWrong, stepUnknown } from "../errors.ts";

/** Which steps of a pipeline run: all, those from one on, or only one. */
export interface Selection {
  readonly from?: string;
  readonly only?: string;
}

/** Why the cache is not asked for a step: it was named. What comes from it or goes to it is reused as ever. */
export function reasonToRunAgain(step: string, { from, only }: Selection): string | undefined {
  if (only === step) return "this step was asked for";
  return from === step ? "the run was asked for from this step on" : undefined;
}

/**
 * The steps of a selection, in order.
 *
 * @throws PIPELINE_STEP_UNKNOWN
 */
export function selectSteps(definition: PipelineDefinition, selection: Selection): readonly StepDefinition[] {
  const names = definition.steps.map((step) => step.name);
  for (const step of [selection.from, selection.only]) {
    if (step !== undefined && !names.includes(step))
      throw stepUnknown({ pipeline: definition.name, step, steps: names });
  }
  if (selection.only !== undefined) return definition.steps.filter((step) => step.name === selection.only);
  if (selection.from === undefined) return definition.steps;
  const kept = new Set([selection.from]);
  // Steps are in topological order: what a step needs was seen before it.
  for (const step of definition.steps) if (step.needs.some((need) => kept.has(need))) kept.add(step.name);
  return definition.steps.filter((step) => kept.has(step.name));
}

/**
 * Params of a run: defaults under what was given; text from a command line becomes the declared type.
 *
 * @throws PIPELINE_PARAM_UNKNOWN, PIPELINE_PARAM_MISSING, PIPELINE_PARAM_WRONG
 */
export function checkParams(
  definition: PipelineDefinition,
  given: Readonly<Record<string, unknown>>,
): Record<string, Json> {
  const known = Object.keys(definition.params);
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw paramUnknown({ pipeline: definition.name, param: name, params: known });
  }
  const params: Record<string, Json> = {};
  for (const [name, param] of Object.entries(definition.params)) {
    const value = given[name] ?? param.default;
    if (value === undefined) throw paramMissing({ pipeline: definition.name, param: name });
    params[name] = toParam(definition.name, name, param, value);
  }
  return params;
}

function toParam(pipeline: string, name: string, param: ParamDefinition, value: unknown): Json {
  const typed = convert(param.type, value);
  if (typed === undefined)
    throw paramWrong({ pipeline, param: name, found: JSON.stringify(value), expected: `a ${param.type}` });
  if (
    param.choices !== undefined &&
    !param.choices.some((choice) => JSON.stringify(choice) === JSON.stringify(typed))
  ) {
    throw paramWrong({
      pipeline,
      param: name,
      found: JSON.stringify(value),
      expected: `one of ${param.choices.map((choice) => JSON.stringify(choice)).join(", ")}`,
    });
  }
  return typed;
}

function convert(type: ParamDefinition["type"], value: unknown): Json | undefined {
  if (type === "any") return value as Json;
  if (typeof value === type) return value as Json;
  if (type === "string") return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
  if (typeof value !== "string") return undefined;
  if (type === "boolean") return value === "true" ? true : value === "false" ? false : undefined;
  const number = Number(value);
  return value.trim() !== "" && Number.isFinite(number) ? number : undefined;
}
