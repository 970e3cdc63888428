import type { MetadataStore } from "#metadata-store";
import { listPipelineRuns, listTestedStepRuns, type StepRun, type TestResults } from "#metadata-store/engine";

/** Tests of one step run. */
export interface TestRun extends Omit<TestResults, "failures" | "flaky"> {
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly step: string;
  readonly matrix: StepRun["matrix"];
  readonly status: StepRun["status"];
  /** Of a pushed commit. */
  readonly commit: string | undefined;
  readonly atMs: number;
  readonly durationMs: number | undefined;
  /** Failed in an attempt before, and not in the last one. */
  readonly flaky: number;
}

/** A test that failed at least once. */
export interface UnsteadyTest {
  readonly name: string;
  readonly step: string;
  /** Step runs in which it failed to the end, and in which only a further attempt passed. */
  readonly failed: number;
  readonly retried: number;
  /** Step runs of its step, all combinations. */
  readonly of: number;
  /** It passed where it had failed: in a further attempt, or in another run of the same commit. */
  readonly isFlaky: boolean;
  readonly isFailing: boolean;
  readonly lastAtMs: number;
  readonly lastStepRunId: string;
  readonly lastPipelineRunId: string;
  /** What it said last; undefined for one that only a further attempt passed. */
  readonly message: string | undefined;
}

/** How the tests of a pipeline went. */
export interface TestHistory {
  /** Pipeline runs that were looked at. */
  readonly looked: number;
  /** Oldest first. */
  readonly runs: readonly TestRun[];
  /** What fails now, then what is flaky, then by the number of failures. */
  readonly tests: readonly UnsteadyTest[];
}

type Tested = Awaited<ReturnType<typeof listTestedStepRuns>>["tested"][number];

/** How the tests of a pipeline went in its last runs, as their reports say. */
export async function readTestHistory(
  store: MetadataStore,
  query: { readonly project: string; readonly pipeline: string; readonly runs: number },
): Promise<TestHistory> {
  return store.read(async (transaction) => {
    const runs = await listPipelineRuns(transaction, { ...query, limit: query.runs });
    const commits = new Map(runs.map(({ id, source }) => [id, source?.commit]));
    const { tested, whole } = await listTestedStepRuns(
      transaction,
      runs.map(({ id }) => id),
    );
    return {
      looked: whole.length,
      runs: tested.map((each) => toTestRun(each, commits.get(each.stepRun.pipelineRunId))),
      tests: findUnsteady(tested, commits),
    };
  });
}

function toTestRun({ stepRun, results }: Tested, commit: string | undefined): TestRun {
  const { id, pipelineRunId, step, matrix, status, startedAtMs, finishedAtMs, queuedAtMs } = stepRun;
  const { tests, failed, skipped, excused, flaky } = results;
  return {
    stepRunId: id,
    pipelineRunId,
    step,
    matrix,
    status,
    commit,
    atMs: startedAtMs ?? queuedAtMs ?? 0,
    durationMs: startedAtMs === undefined || finishedAtMs === undefined ? undefined : finishedAtMs - startedAtMs,
    tests,
    failed,
    skipped,
    excused,
    flaky: flaky.length,
  };
}

function findUnsteady(
  tested: readonly Tested[],
  commits: ReadonlyMap<string, string | undefined>,
): readonly UnsteadyTest[] {
  const byStep = Map.groupBy(tested, ({ stepRun }) => stepRun.step);
  const unsteady = [...byStep.values()].flatMap((all) => findUnsteadyOf(all, commits));
  return unsteady.sort(
    (left, right) =>
      Number(right.isFailing) - Number(left.isFailing) ||
      Number(right.isFlaky) - Number(left.isFlaky) ||
      right.failed + right.retried - left.failed - left.retried ||
      left.name.localeCompare(right.name),
  );
}

/** Of the step runs of one step. */
function findUnsteadyOf(
  all: readonly Tested[],
  commits: ReadonlyMap<string, string | undefined>,
): readonly UnsteadyTest[] {
  const found = new Map<string, UnsteadyTest>();
  const latest = all.at(-1)?.stepRun.pipelineRunId;
  for (const { stepRun, results } of all) {
    const messages = new Map(results.failures.map(({ name, message }) => [name, message]));
    for (const name of new Set([...messages.keys(), ...results.flaky])) {
      const isFailed = messages.has(name);
      const before = found.get(name) ?? { failed: 0, retried: 0, isFlaky: false, message: undefined };
      found.set(name, {
        name,
        step: stepRun.step,
        failed: before.failed + Number(isFailed),
        retried: before.retried + Number(!isFailed),
        of: all.length,
        isFlaky: before.isFlaky || !isFailed || passedElsewhere(all, { stepRun, name }, commits),
        isFailing: isFailed && stepRun.pipelineRunId === latest,
        lastAtMs: stepRun.startedAtMs ?? 0,
        lastStepRunId: stepRun.id,
        lastPipelineRunId: stepRun.pipelineRunId,
        message: messages.get(name) ?? before.message,
      });
    }
  }
  return [...found.values()];
}

/** Whether another run of the same commit and combination named all that failed, and not this test. */
function passedElsewhere(
  all: readonly Tested[],
  of: { readonly stepRun: StepRun; readonly name: string },
  commits: ReadonlyMap<string, string | undefined>,
): boolean {
  const commit = commits.get(of.stepRun.pipelineRunId);
  if (commit === undefined) return false;
  return all.some(
    ({ stepRun, results }) =>
      stepRun.id !== of.stepRun.id &&
      stepRun.matrixIndex === of.stepRun.matrixIndex &&
      commits.get(stepRun.pipelineRunId) === commit &&
      results.tests > 0 &&
      results.failures.length === results.failed &&
      !results.failures.some(({ name }) => name === of.name),
  );
}
