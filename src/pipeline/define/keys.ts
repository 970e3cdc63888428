import { z } from "zod";
import { MISSED_TICK_RULES, PULL_REQUEST_ACTIONS } from "./definition.ts";
import { deadlineKey, stepDeadlineKey } from "./deadlines.ts";
import { DURATION } from "./duration.ts";
import { networkKey } from "./network.ts";
import { sensorKeys } from "./sensors.ts";
import { partitionByKeys, partitionsKeys } from "./partitions.ts";
import { executorKey, resourcesKeys } from "./placement.ts";
import { retrainingKeys } from "./retraining.ts";

const duration = z
  .union([z.number().min(0), z.string().regex(DURATION, "expected a duration such as 90, 500ms, 30s, 10m, 2h or 1d")])
  .describe("Seconds, or a number with ms, s, m, h or d.");
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const names = z.union([z.string(), z.array(z.string())]);
const concurrency = z.union([
  z.int().min(1),
  z.strictObject({
    group: z.string().min(1).optional().describe("Name shared by all that count together."),
    limit: z.int().min(1).describe("How many at once."),
  }),
]);
const priority = z.int().min(-1000).max(1000).optional();
const matrixEntry = z.record(z.string(), scalar);

const retry = z.union([
  z.int().min(0).max(100),
  z.strictObject({
    times: z.int().min(0).max(100).describe("Further attempts after the first."),
    delay: z
      .union([duration, z.array(duration).min(1)])
      .optional()
      .describe("Wait before each further attempt, or a list of waits; default 1s."),
    backoff: z
      .number()
      .min(1)
      .max(100)
      .optional()
      .describe("Factor on the last delay for each further attempt; default 1."),
    jitter: z.number().min(0).max(1).optional().describe("Ratio by which a delay may vary, 0 to 1; default 0."),
    on: names.optional().describe("Only on these: error codes, transient, timeout, exit N, signal NAME."),
  }),
]);

/** Keys that every step has, whatever its kind. */
export const stepKeys = z.strictObject({
  description: z.string().optional(),
  needs: names.optional().describe("Steps that must succeed before; those it reads from are found by themselves."),
  params: z.record(z.string(), z.unknown()).optional().describe("Params of this step; values may be ${{ params.x }}."),
  retry: retry.optional().describe("Further attempts after a failure."),
  timeout: duration.optional().describe("Ends an attempt, with all its processes, after this time."),
  deadline: stepDeadlineKey.optional(),
  matrix: z
    .record(z.string(), z.union([z.array(scalar).min(1), z.array(matrixEntry)]))
    .optional()
    .describe("Runs the step once per combination; include and exclude add and remove combinations."),
  for_each: z
    .union([
      z.string(),
      z.array(z.unknown()).min(1).max(10_000),
      z.strictObject({
        items: z.union([z.string(), z.array(z.unknown()).min(1).max(10_000)]).optional(),
        lines: z.string().optional(),
        files: names.optional(),
      }),
    ])
    .optional()
    .describe(
      "Runs the step once per item, known when the run gets there: a list, ${{ steps.x.outputs.y }} that holds a JSON list, { lines: … } of an output, or { files: GLOB }. The item is ${{ item }} and ESTEIRA_ITEM.",
    ),
  max_parallel: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("How many combinations of its matrix, or items, of one run may be at work at once."),
  fail_fast: z
    .boolean()
    .optional()
    .describe("true: when one combination or item has failed for good, the others are cancelled. Default: they go on."),
  outputs: names
    .optional()
    .describe("Names of the outputs that it must write to the file ESTEIRA_OUTPUT, as NAME=VALUE lines."),
  when: z
    .string()
    .optional()
    .describe(
      "Condition, for example ${{ params.full == true }}; when false the step is skipped. With success(), failure(), always() or cancelled() it also decides what happens after a failure.",
    ),
  concurrency: concurrency.optional().describe("How many step runs of the group may be at work at once."),
  pool: z
    .string()
    .min(1)
    .optional()
    .describe("Name of the pool of esteira.yaml whose slots it takes while it is at work."),
  slots: z.int().min(1).max(100_000).optional().describe("How many slots of its pool it takes; default 1."),
  priority: priority.describe(
    "Of steps that wait, those with the higher number begin first, -1000 to 1000; it is added to that of the pipeline. Default 0.",
  ),
  env: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe("Environment variables of its processes."),
  secrets: z
    .array(
      z.union([
        z.string(),
        z.strictObject({
          file: z
            .string()
            .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "expected a name of letters, digits and _")
            .describe("Name of a secret that stands in a file in memory; NAME_FILE says where. It is in no variable."),
        }),
      ]),
    )
    .optional()
    .describe(
      "Names of secrets put into the environment of its processes, or with { file: NAME } into files in memory; masked in its log.",
    ),
  isolation: z
    .enum(["user", "sandbox"])
    .optional()
    .describe(
      "Run its processes isolated at least so, or not at all. By default they are isolated as well as the machine can; which steps may have the machine is said in esteira.yaml.",
    ),
  network: networkKey,
  limits: z
    .strictObject({
      memory: z
        .string()
        .regex(/^\d+(\.\d+)?\s*(MiB|GiB)$/, 'expected a size such as "2 GiB" or "500 MiB"')
        .optional()
        .describe('Memory of all its processes together, without what they share: "2 GiB".'),
      processes: z.int().min(1).max(100_000).optional().describe("Processes that it may have at once."),
      files: z.int().min(16).max(1_000_000).optional().describe("Files that each of its processes may have open."),
    })
    .optional()
    .describe(
      "What its processes may take of the machine; one that takes more is ended. Default: what esteira.yaml says.",
    ),
  executor: executorKey.optional(),
  resources: resourcesKeys.optional(),
  partition_by: partitionByKeys.optional(),
  cache: z.boolean().optional().describe("false: never reuse an earlier result."),
});
export type StepKeys = z.infer<typeof stepKeys>;
export const STEP_KEYS: readonly string[] = Object.keys(stepKeys.shape);

const schedule = z.union([
  z.string(),
  z.strictObject({
    cron: z.string().describe("Five fields: minute hour day month weekday."),
    timezone: z.string().optional().describe("For example America/Sao_Paulo; default UTC."),
    missed: z
      .enum(MISSED_TICK_RULES)
      .optional()
      .describe("Ticks that passed while nothing ran: skip, once (default) or all."),
  }),
]);

const paramKeys = z.strictObject({
  type: z.enum(["string", "number", "boolean", "any"]).optional(),
  default: z.unknown().optional(),
  choices: z.array(scalar).optional(),
  description: z.string().optional(),
});

/** Keys of a pipeline file. */
export const pipelineKeys = z.strictObject({
  description: z.string().optional(),
  on: z
    .strictObject({
      manual: z.boolean().optional().describe("Always possible; may be written to say that nothing else starts it."),
      schedule: z
        .union([schedule, z.array(schedule)])
        .optional()
        .describe("Cron, with time zone and what to do with missed ticks."),
      data: names.optional().describe("Assets whose new version starts it; * stands for any text."),
      alert: names.optional().describe("Alerts that start it: <endpoint or dataset>.<monitor>, * stands for any text."),
      push: names.optional().describe("Branches whose push starts it."),
      pull_request: z
        .union([
          names,
          z.strictObject({
            branches: names.optional().describe("Branches that it is to be merged into; default all."),
            types: z
              .array(z.enum(PULL_REQUEST_ACTIONS))
              .min(1)
              .optional()
              .describe("opened, synchronize (new commits), reopened, closed; default all but closed."),
          }),
        ])
        .optional()
        .describe("Pull requests that start it, by the branch that they are to be merged into."),
      webhook: names
        .optional()
        .describe("Names of webhooks that start it, called by POST /hooks/NAME; * stands for any text."),
      ...sensorKeys,
    })
    .optional()
    .describe("What starts the pipeline."),
  params: z
    .record(z.string(), z.union([scalar, z.array(z.unknown()), paramKeys]))
    .optional()
    .describe("Name and default of each param; or type, default, choices."),
  retrain: retrainingKeys.optional(),
  partitions: partitionsKeys.optional(),
  executor: executorKey.describe("Where processes of its steps run, of those that can run there.").optional(),
  concurrency: concurrency
    .optional()
    .describe("How many pipeline runs may be at work at once; default 1 of this pipeline, or 1 of each partition."),
  priority: priority.describe(
    "Of runs and steps that wait, those with the higher number begin first, -1000 to 1000. Default 0.",
  ),
  deadline: deadlineKey.optional(),
  steps: z.record(z.string(), z.record(z.string(), z.unknown())).describe("Steps by the name of what they make."),
  finally: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe("Steps that run after all others, whatever happened: also after a failure or a cancel."),
});
export type PipelineKeys = z.infer<typeof pipelineKeys>;
