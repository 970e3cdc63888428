import { type FilePosition, type Json, type LocatedProblem, parseYaml, type YamlDocument } from "#base";
import { type ParamDefinition, type TriggerDefinition, USUAL_PULL_REQUEST_ACTIONS } from "./definition.ts";
import { deadlineProblems } from "./deadlines.ts";
import { type PipelineKeys, pipelineKeys } from "./keys.ts";
import { type PartitionsDefinition, partitionsProblems, toPartitions } from "./partitions.ts";
import { placeIn, placeProblem, placeProblems } from "./place-problems.ts";
import { describeUses, type StepOrigin } from "./step-origin.ts";
import { type RetrainingDefinition, retrainingProblems, toRetraining } from "./retraining.ts";
import { SENSOR_KINDS, toSensors } from "./sensors.ts";
import { scheduleProblem } from "./schedule-expression.ts";
import { explainIssues, type JsonSchema, toInputSchema } from "./schema-problems.ts";
import type { Problem } from "../step-kind.ts";

/** A pipeline file whose outer keys were read; its steps are still as written. */
export interface ParsedPipeline {
  readonly name: string;
  readonly yaml: YamlDocument;
  readonly description: string | undefined;
  readonly on: TriggerDefinition;
  readonly params: Readonly<Record<string, ParamDefinition>>;
  readonly retrain: RetrainingDefinition | undefined;
  readonly partitions: PartitionsDefinition | undefined;
  readonly concurrency: PipelineKeys["concurrency"];
  readonly priority: number | undefined;
  readonly executor: string | undefined;
  readonly deadline: string | number | undefined;
  /** Those of `steps` and those of `finally`, by name. */
  readonly steps: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  /** Names of the steps that stand in `finally`. */
  readonly finalSteps: ReadonlySet<string>;
  readonly stepNames: ReadonlySet<string>;
  /** Of steps that come from a part. */
  readonly origins: ReadonlyMap<string, StepOrigin>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;
let schema: JsonSchema | undefined;

/** Reads one file of `pipelines/`; the pipeline is undefined when its outer shape is wrong. */
export function parsePipeline(
  file: string,
  text: string,
): { readonly pipeline: ParsedPipeline | undefined; readonly problems: readonly LocatedProblem[] } {
  const { document: yaml, problems: unreadable } = parseYaml(text, file);
  if (unreadable.length > 0) return { pipeline: undefined, problems: unreadable };
  const checked = pipelineKeys.safeParse(yaml.value);
  if (!checked.success) {
    schema ??= toInputSchema(pipelineKeys);
    return {
      pipeline: undefined,
      problems: placeProblems(yaml, [], explainIssues(checked.error.issues, schema, yaml.value)),
    };
  }
  const keys = checked.data;
  const name = file.replace(/^.*\//, "").replace(/\.ya?ml$/, "");
  const on = toTriggers(keys);
  const params = Object.fromEntries(
    Object.entries(keys.params ?? {}).map(([key, value]) => [key, toParam(value as Json)]),
  );
  const problems = [
    ...nameProblems(name, keys),
    ...scheduleProblems(keys, on),
    ...paramProblems(params),
    ...problemsOfPartitions(keys),
    ...retrainingProblems(keys.retrain, { on, params, isPartitioned: keys.partitions !== undefined }),
    ...deadlineProblems(keys.deadline, "pipeline"),
  ];
  const final = (keys.finally ?? {}) as ParsedPipeline["steps"];
  const steps = {
    ...(keys.steps as ParsedPipeline["steps"]),
    ...Object.fromEntries(Object.entries(final).filter(([step]) => !Object.hasOwn(keys.steps, step))),
  };
  return {
    pipeline: {
      name,
      yaml,
      description: keys.description,
      on,
      params,
      retrain: keys.retrain === undefined ? undefined : toRetraining(keys.retrain),
      partitions: keys.partitions === undefined ? undefined : toPartitions(keys.partitions),
      concurrency: keys.concurrency,
      priority: keys.priority,
      executor: keys.executor,
      deadline: keys.deadline,
      steps,
      finalSteps: new Set(Object.keys(final).filter((step) => !Object.hasOwn(keys.steps, step))),
      stepNames: new Set(Object.keys(steps)),
      origins: new Map(),
    },
    problems: placeProblems(yaml, [], problems),
  };
}

/** Where a step stands in its file. */
function placeOfStep(pipeline: ParsedPipeline, step: string): readonly [string, string] {
  return [pipeline.finalSteps.has(step) ? "finally" : "steps", step];
}

/** Where a step, or what stands at a path in it, is written: in its pipeline, or in the part that it comes from. */
export function placeInStep(
  pipeline: ParsedPipeline,
  step: string,
  path: readonly (string | number)[],
  isKey: boolean,
): FilePosition {
  const origin = pipeline.origins.get(step);
  return origin?.placeOf(path, isKey) ?? placeIn(pipeline.yaml, [...placeOfStep(pipeline, step), ...path], isKey);
}

/** Gives problems of a step their place; those of a part say where it is used. */
export function placeStepProblems(
  pipeline: ParsedPipeline,
  step: string,
  problems: readonly Problem[],
): readonly LocatedProblem[] {
  const origin = pipeline.origins.get(step);
  if (origin?.isBroken === true) return [];
  return problems.map((problem) => {
    const placed = placeProblem(problem, (path, isKey) => placeInStep(pipeline, step, path, isKey));
    return origin === undefined ? placed : { ...placed, message: `${placed.message} (${describeUses(origin.uses)})` };
  });
}

function nameProblems(name: string, keys: PipelineKeys): readonly Problem[] {
  const hint = "Letters, digits, _ . and -, beginning with a letter or _, at most 100.";
  const problems: Problem[] = NAME.test(name) ? [] : [{ path: [], message: `"${name}" cannot name a pipeline`, hint }];
  const steps = Object.keys(keys.steps);
  if (steps.length === 0)
    problems.push({ path: ["steps"], message: "the pipeline has no step", hint: "Add one below steps." });
  for (const step of steps)
    if (!NAME.test(step)) problems.push({ path: ["steps", step], message: `"${step}" cannot name a step`, hint });
  for (const step of Object.keys(keys.finally ?? {})) {
    if (!NAME.test(step)) problems.push({ path: ["finally", step], message: `"${step}" cannot name a step`, hint });
    if (Object.hasOwn(keys.steps, step))
      problems.push({
        path: ["finally", step],
        message: `"${step}" stands in steps and in finally`,
        hint: "Rename one of the two.",
      });
  }
  return problems;
}

function toTriggers(keys: PipelineKeys): TriggerDefinition {
  const on = keys.on ?? {};
  const sensors = toSensors(on);
  const list = <Value>(value: Value | Value[] | undefined): Value[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value];
  return {
    schedules: list(on.schedule).map((one) => {
      const stated = typeof one === "string" ? { cron: one } : one;
      return { cron: stated.cron, timezone: stated.timezone ?? "UTC", missed: stated.missed ?? "once" };
    }),
    data: list(on.data),
    alert: list(on.alert),
    push: list(on.push),
    webhook: list(on.webhook),
    ...(on.pull_request === undefined ? {} : { pullRequest: toPullRequests(on.pull_request) }),
    ...(sensors.length === 0 ? {} : { sensors }),
  };
}

function toPullRequests(
  stated: NonNullable<NonNullable<PipelineKeys["on"]>["pull_request"]>,
): NonNullable<TriggerDefinition["pullRequest"]> {
  const { branches = "*", types = USUAL_PULL_REQUEST_ACTIONS } =
    typeof stated === "string" || Array.isArray(stated) ? { branches: stated } : stated;
  return { branches: [branches].flat(), types };
}

function scheduleProblems(keys: PipelineKeys, on: TriggerDefinition): readonly Problem[] {
  return on.schedules.flatMap((schedule, index) => {
    const problem = scheduleProblem(schedule);
    if (problem === undefined) return [];
    return [{ ...problem, path: ["on", "schedule", ...(Array.isArray(keys.on?.schedule) ? [index] : [])] }];
  });
}

function problemsOfPartitions({ partitions, on }: PipelineKeys): readonly Problem[] {
  if (partitions === undefined) return [];
  const unclear = (["data", "alert", "push", "pull_request", "webhook", ...SENSOR_KINDS] as const).filter(
    (kind) => on?.[kind] !== undefined,
  );
  return [
    ...partitionsProblems(partitions).map((problem) => ({ ...problem, path: ["partitions", ...problem.path] })),
    ...unclear.map((kind) => ({
      path: ["on", kind],
      message: `a trigger by ${kind} does not say which partition it means`,
      hint: "A pipeline with partitions is started by a schedule, which runs the one that has just ended, or by hand.",
    })),
  ];
}

function toParam(value: Json): ParamDefinition {
  type Stated = Omit<ParamDefinition, "type"> & { readonly type?: ParamDefinition["type"] };
  const stated: Stated =
    typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Stated) : { default: value };
  const sample = stated.default ?? stated.choices?.[0];
  const inferred =
    typeof sample === "string" || typeof sample === "number" || typeof sample === "boolean"
      ? (typeof sample as "string" | "number" | "boolean")
      : "any";
  return { ...stated, type: stated.type ?? inferred };
}

function paramProblems(params: Readonly<Record<string, ParamDefinition>>): readonly Problem[] {
  return Object.entries(params).flatMap(([name, param]): Problem[] => {
    if (param.default === undefined) return [];
    if (param.type !== "any" && typeof param.default !== param.type) {
      return [
        {
          path: ["params", name],
          message: `the default of "${name}" is a ${typeof param.default}, expected a ${param.type}`,
        },
      ];
    }
    if (param.choices !== undefined && !param.choices.includes(param.default)) {
      return [
        {
          path: ["params", name],
          message: `the default of "${name}" is not one of its choices: ${param.choices.map((choice) => JSON.stringify(choice)).join(", ")}`,
        },
      ];
    }
    return [];
  });
}
