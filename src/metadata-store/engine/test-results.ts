import { z } from "zod";
import type { ReadTransaction } from "../database.ts";
import { type StepRun, toStepRun } from "./list-step-runs.ts";

const failure = z.object({ name: z.string(), message: z.string().catch("") });
const results = z.object({
  tests: z.number(),
  failed: z.number(),
  skipped: z.number().catch(0),
  failures: z.array(failure).catch([]),
  /** Failed in an attempt before, and not in the last one. */
  flaky: z.array(z.string()).catch([]),
  /** Failed, and were said to be unreliable. */
  excused: z.number().catch(0),
});

/** What a step run says of its tests; failures are named up to a number, `failed` counts all. */
export type TestResults = z.output<typeof results>;

/** Undefined where the facts are of something else. */
export function toTestResults(facts: unknown): TestResults | undefined {
  const { data } = results.safeParse(facts);
  return data;
}

/**
 * The facts of a step run after one more attempt: tests that failed in an attempt before and do not fail now are named
 * as flaky.
 */
export function withFlakyTests(before: string | null, now: object): object {
  if (before === null) return now;
  const [earlier, later] = [toTestResults(JSON.parse(before)), toTestResults(now)];
  if (earlier === undefined || later === undefined) return now;
  const failing = new Set(later.failures.map(({ name }) => name));
  const once = new Set([...earlier.flaky, ...earlier.failures.map(({ name }) => name)]);
  const flaky = [...once].filter((name) => !failing.has(name)).sort();
  return flaky.length === 0 ? now : { ...now, flaky };
}

/**
 * The step runs of pipeline runs that said how their tests went, none that was reused. Oldest first.
 *
 * @returns at most 5,000, of the newest pipeline runs: `whole` are those of which there are all
 */
export async function listTestedStepRuns(
  transaction: ReadTransaction,
  pipelineRunIds: readonly string[],
): Promise<{
  readonly tested: readonly { readonly stepRun: StepRun; readonly results: TestResults }[];
  readonly whole: readonly string[];
}> {
  if (pipelineRunIds.length === 0) return { tested: [], whole: [] };
  const rows = await transaction
    .selectFrom("step_run")
    .selectAll()
    .where("pipeline_run_id", "in", pipelineRunIds)
    .where("cached", "=", 0)
    .where("facts", "like", '%"tests":%')
    .orderBy("pipeline_run_id", "desc")
    .orderBy("position", "desc")
    .orderBy("matrix_index", "desc")
    .limit(MOST_STEP_RUNS + 1)
    .execute();
  // Of the run in which the limit is reached some may be missing.
  const cut = rows.length > MOST_STEP_RUNS ? rows.at(-1)?.pipeline_run_id : undefined;
  const whole = pipelineRunIds.filter((id) => cut === undefined || id > cut);
  const known = new Set(whole);
  const tested = rows.flatMap((row) => {
    const stepRun = toStepRun(row);
    const found = known.has(stepRun.pipelineRunId) ? toTestResults(stepRun.facts) : undefined;
    return found === undefined ? [] : [{ stepRun, results: found }];
  });
  return { tested: tested.reverse(), whole };
}

const MOST_STEP_RUNS = 5000;
