import type { WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
import { chunksOf, type GraphStep, readRunGraph, recountRun, stepsBehind } from "./run-graph.ts";
import { admitPipelineRuns, appendRunEvent, queueReadySteps, startPipelineRun } from "./settle-pipeline-run.ts";
import { LISTED_AGAIN } from "./step-result.ts";
import type { StepRunStatus } from "./tables.ts";

const KEPT: readonly StepRunStatus[] = ["succeeded", "running", "waiting"];

const RESET = {
  reason: null,
  error: null,
  finished_at_ms: null,
  queued_at_ms: null,
  ready_at_ms: null,
  failure_count: 0,
  lost_count: 0,
  cached: 0,
};

export interface Resume {
  readonly id: string;
  readonly actor: string;
  readonly atMs: number;
  /** Also run this step and everything behind it again. */
  readonly from?: string | undefined;
  /** Of what did not succeed, only these steps, and what waits for them. Default: all. */
  readonly steps?: readonly string[] | undefined;
  /** Of these steps, only these step runs: combinations of a matrix, or items. */
  readonly stepRuns?: readonly string[] | undefined;
  /** A repaired definition with the same steps and edges. */
  readonly definitionDigest?: string | undefined;
}

/**
 * Puts what failed, was cancelled, skipped or interrupted back to pending, and queues what can start. What succeeded is
 * kept, except from `from` on. Attempts keep their numbers, retries start anew.
 *
 * @returns the number of step runs that will run again; undefined when there is no such run
 */
export async function resumePipelineRun(transaction: WriteTransaction, resume: Resume): Promise<number | undefined> {
  const run = await lockPipelineRun(transaction, resume.id);
  if (run === undefined) return undefined;
  const graph = await readRunGraph(transaction, run.id);
  const all = narrowTo(instancesToReset(graph, resume.from), graph, resume);
  const relisted = new Set(itemsListedAgain(graph, new Set(all)));
  for (const some of chunksOf([...relisted])) {
    await transaction
      .updateTable("step_run")
      .set({ ...RESET, status: "skipped", reason: LISTED_AGAIN })
      .where("id", "in", some)
      .execute();
  }
  const ids = all.filter((id) => !relisted.has(id));
  for (const some of chunksOf(ids)) {
    await transaction
      .updateTable("step_run")
      .set({ ...RESET, status: "pending" })
      .where("id", "in", some)
      .execute();
  }
  const reset = all.length;
  await recountRun(transaction, run.id);
  if (reset === 0 && run.status !== "interrupted") return 0;
  const active = run.status === "running" || run.status === "waiting";
  const changed = {
    status: active ? ("running" as const) : ("queued" as const),
    cancel_requested: 0,
    finished_at_ms: null,
    error: null,
    blocked: null,
    ...(resume.definitionDigest === undefined ? {} : { definition_digest: resume.definitionDigest }),
  };
  await transaction.updateTable("pipeline_run").set(changed).where("id", "=", run.id).execute();
  await appendRunEvent(transaction, run, { what: "resumed", atMs: resume.atMs, actor: resume.actor });
  if (active) await queueReadySteps(transaction, run.id, resume.atMs);
  else if (run.concurrency_group === null) await startPipelineRun(transaction, { ...run, ...changed }, resume.atMs);
  else await admitPipelineRuns(transaction, { project: run.project, group: run.concurrency_group, atMs: resume.atMs });
  return reset;
}

/** What of it was asked for: what waits for these steps goes on when they do. */
function narrowTo(
  ids: readonly string[],
  graph: ReadonlyMap<string, GraphStep>,
  { steps, stepRuns }: Pick<Resume, "steps" | "stepRuns">,
): readonly string[] {
  if (steps === undefined && stepRuns === undefined) return ids;
  const single = new Set(stepRuns);
  const ofRuns = [...graph.values()].filter(({ instances }) => instances.some(({ id }) => single.has(id)));
  const named = new Set(steps);
  const behind = stepsBehind(graph, [...named, ...ofRuns.map(({ step }) => step)]);
  const wanted = new Set(
    [...graph.values()].flatMap(({ step, instances }) => {
      const isWhole = named.has(step) || (behind.has(step) && !ofRuns.some((one) => one.step === step));
      return instances.filter(({ id }) => isWhole || single.has(id)).map(({ id }) => id);
    }),
  );
  return ids.filter((id) => wanted.has(id));
}

/** Where the items of a step are listed again, they wait for that: which of them run is not known before. */
function itemsListedAgain(graph: ReadonlyMap<string, GraphStep>, reset: ReadonlySet<string>): readonly string[] {
  return [...graph.values()].flatMap(({ forEach, instances }) => {
    const listing = instances.find(({ matrixIndex }) => matrixIndex === 0);
    if (!forEach || listing === undefined || !reset.has(listing.id)) return [];
    return instances.filter(({ id, status }) => id !== listing.id && status !== "running").map(({ id }) => id);
  });
}

/**
 * What runs again: all that did not succeed, and with `from` that step and everything behind it. A step whose own
 * condition decided by what came before is asked again when any of that runs again. What a verdict holds back stays
 * skipped: the verdict stands.
 */
function instancesToReset(graph: ReadonlyMap<string, GraphStep>, from: string | undefined): readonly string[] {
  const named = from === undefined ? new Set<string>() : stepsBehind(graph, [from]);
  const resetBy = ({ step, instances }: GraphStep, again: ReadonlySet<string>) =>
    instances.filter(({ status }) => (again.has(step) ? status !== "running" : !KEPT.includes(status)));
  const heldBack = new Set<string>();
  for (const each of graph.values()) {
    const isRefusal = each.outcome === "blocked" && resetBy(each, named).length === 0;
    if (isRefusal || heldBack.has(each.step))
      for (const dependent of each.dependents)
        if (graph.get(dependent)?.ownCondition === 0 && !named.has(dependent)) heldBack.add(dependent);
  }
  const free = [...graph.values()].filter(({ step }) => !heldBack.has(step));
  const changed = free.filter((each) => resetBy(each, named).length > 0).map(({ step }) => step);
  const asked = [...stepsBehind(graph, changed)].filter((step) => (graph.get(step)?.ownCondition ?? 0) > 0);
  const again = new Set([...named, ...stepsBehind(graph, asked)]);
  return free.flatMap((each) => resetBy(each, again).map(({ id }) => id));
}
