import { z } from "zod";
import { nearestName } from "#base";
import type { Json } from "#base";
import type { Problem } from "../step-kind.ts";
import type { ParamDefinition, TriggerDefinition } from "./definition.ts";
import { DURATION, toMilliseconds } from "./duration.ts";

/** So much within any period of this length. */
export interface RetrainingLimit {
  readonly amount: number;
  readonly periodMs: number;
}

/** When a pipeline that alerts, data or a schedule start really trains again. */
export interface RetrainingDefinition {
  /** Runs that it starts by itself. */
  readonly atMost?: RetrainingLimit;
  /** Time of the attempts of those runs, in ms. */
  readonly budget?: RetrainingLimit;
  /** In place of the defaults of the pipeline's params. */
  readonly params?: Readonly<Record<string, Json>>;
}

/** Ways to start that a policy rules. A person, a push, a webhook or a file that came is not held back. */
export const RETRAINING_TRIGGERS = ["alert", "data", "schedule"] as const;
export type RetrainingTrigger = (typeof RETRAINING_TRIGGERS)[number];

const PERIOD = DURATION.source.slice(1, -1);
const AT_MOST = /^([1-9]\d{0,5}) per (.+)$/;
const BUDGET = /^(.+) per (.+)$/;
const isDuration = (text: string | undefined): text is string =>
  text !== undefined && DURATION.test(text) && toMilliseconds(text) > 0;

/** Keys of `retrain` in a pipeline file. */
export const retrainingKeys = z
  .strictObject({
    at_most: z
      .string()
      .refine((text) => isDuration(AT_MOST.exec(text)?.[2]), "expected a number and a time, such as `1 per 7d`")
      .meta({ pattern: `^[1-9]\\d{0,5} per ${PERIOD}$` })
      .optional()
      .describe("How many runs alerts, data and schedules start in any period of this length: `1 per 7d`."),
    budget: z
      .string()
      .refine((text) => {
        const [, spent, period] = BUDGET.exec(text) ?? [];
        return isDuration(spent) && isDuration(period);
      }, "expected two times, such as `2h per 30d`")
      .meta({ pattern: `^${PERIOD} per ${PERIOD}$` })
      .optional()
      .describe("Time that the steps of those runs may take in any period of this length: `2h per 30d`."),
    params: z
      .record(z.string(), z.json())
      .optional()
      .describe("Params of those runs, in place of their defaults: the window of data, for example."),
  })
  .describe(
    "A policy for training again: runs that alerts, data or a schedule start come no more often and cost no more than this, and not while there is nothing new to read.",
  );
type RetrainingKeys = z.infer<typeof retrainingKeys>;

/** What the keys mean. Pure. */
export function toRetraining({ at_most: atMost, budget, params }: RetrainingKeys): RetrainingDefinition {
  const [, times = "", timesPeriod = ""] = AT_MOST.exec(atMost ?? "") ?? [];
  const [, spent = "", spentPeriod = ""] = BUDGET.exec(budget ?? "") ?? [];
  return {
    ...(atMost === undefined ? {} : { atMost: { amount: Number(times), periodMs: toMilliseconds(timesPeriod) } }),
    ...(budget === undefined
      ? {}
      : { budget: { amount: toMilliseconds(spent), periodMs: toMilliseconds(spentPeriod) } }),
    ...(params === undefined ? {} : { params }),
  };
}

/** What is wrong with a policy beside its form. Pure. */
export function retrainingProblems(
  retrain: RetrainingKeys | undefined,
  {
    on,
    params,
    isPartitioned,
  }: {
    readonly on: TriggerDefinition;
    readonly params: Readonly<Record<string, ParamDefinition>>;
    readonly isPartitioned: boolean;
  },
): readonly Problem[] {
  if (retrain === undefined) return [];
  const problems: Problem[] = [];
  if (isPartitioned)
    problems.push({
      path: ["retrain"],
      message: "a pipeline with partitions cannot have a policy for training again",
      hint: "Train in a pipeline of its own, which reads what the partitions made.",
    });
  if (on.alert.length + on.data.length + on.schedules.length === 0)
    problems.push({
      path: ["retrain"],
      message: "nothing starts this pipeline by itself, so the policy never acts",
      hint: "Say on: { alert: ENDPOINT.MONITOR }, { data: DATASET } or { schedule: CRON }.",
    });
  for (const [name, value] of Object.entries(retrain.params ?? {})) {
    const path = ["retrain", "params", name];
    const param = Object.hasOwn(params, name) ? params[name] : undefined;
    problems.push(
      ...(param === undefined ? unknownParam(name, params) : wrongValue(param, value)).map((problem) => ({
        ...problem,
        path,
      })),
    );
  }
  return problems;
}

function unknownParam(name: string, params: object): readonly Omit<Problem, "path">[] {
  const nearest = nearestName(name, Object.keys(params));
  const hint = nearest === undefined ? "Declare it below params." : `Did you mean "${nearest}"?`;
  return [{ message: `the pipeline has no param "${name}"`, hint }];
}

function wrongValue({ type, choices }: ParamDefinition, value: unknown): readonly Omit<Problem, "path">[] {
  if (type !== "any" && typeof value !== type)
    return [{ message: `found ${JSON.stringify(value)}, expected a ${type}` }];
  const isChoice = choices === undefined || choices.some((choice) => choice === value);
  const expected = (choices ?? []).map((choice) => JSON.stringify(choice)).join(", ");
  return isChoice ? [] : [{ message: `found ${JSON.stringify(value)}, expected one of ${expected}` }];
}
