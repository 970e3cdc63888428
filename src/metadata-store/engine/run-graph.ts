import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { StepRunStatus } from "./tables.ts";

const NAMES_PER_QUERY = 1000;
const OPEN: ReadonlySet<StepRunStatus> = new Set<StepRunStatus>(["pending", "queued", "running", "waiting"]);

/** A step of a pipeline run with its instances, as a change of the whole run looks at it. */
export interface GraphStep {
  readonly step: string;
  readonly dependents: readonly string[];
  readonly outcome: string | null;
  readonly ownCondition: number;
  /** Its first instance lists the others. */
  readonly forEach: boolean;
  readonly instances: readonly { readonly id: string; readonly status: StepRunStatus; readonly matrixIndex: number }[];
}

/** The steps of a pipeline run by name, in the order of the graph: two statements, whatever their number. */
export async function readRunGraph(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<ReadonlyMap<string, GraphStep>> {
  const steps = await transaction
    .selectFrom("run_step")
    .select(["step", "dependents", "outcome", "own_condition", "for_each"])
    .where("pipeline_run_id", "=", pipelineRunId)
    .orderBy("position")
    .execute();
  const rows = await transaction
    .selectFrom("step_run")
    .select(["id", "step", "status", "matrix_index as matrixIndex"])
    .where("pipeline_run_id", "=", pipelineRunId)
    .execute();
  const instances = Map.groupBy(rows, ({ step }) => step);
  return new Map(
    steps.map(({ step, dependents, outcome, own_condition: ownCondition, for_each: forEach }) => [
      step,
      {
        step,
        dependents: JSON.parse(dependents) as string[],
        outcome,
        ownCondition,
        forEach: forEach === 1,
        instances: instances.get(step) ?? [],
      },
    ]),
  );
}

/** The steps that can be reached from some, these included. */
export function stepsBehind(graph: ReadonlyMap<string, GraphStep>, from: Iterable<string>): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...from];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (reached.has(step)) continue;
    reached.add(step);
    for (const dependent of graph.get(step)?.dependents ?? []) open.push(dependent);
  }
  return reached;
}

/**
 * Counts anew what each step waits for, from the rows as they are: the counters follow the rows, never the other way
 * round.
 */
export async function recountRun(transaction: WriteTransaction, pipelineRunId: string): Promise<void> {
  const graph = await readRunGraph(transaction, pipelineRunId);
  const remaining = new Map(
    [...graph.values()].map(({ step, instances }) => [step, instances.filter(({ status }) => OPEN.has(status)).length]),
  );
  const pending = new Map<string, number>();
  for (const { step, dependents } of graph.values()) {
    if ((remaining.get(step) ?? 0) === 0) continue;
    for (const dependent of dependents) pending.set(dependent, (pending.get(dependent) ?? 0) + 1);
  }
  const outcomes = new Map([...graph.values()].map((step) => [step.step, outcomeSoFar(step)]));
  const alike = Map.groupBy(
    graph.keys(),
    (step) => `${remaining.get(step) ?? 0} ${pending.get(step) ?? 0} ${outcomes.get(step) ?? ""}`,
  );
  for (const steps of alike.values()) {
    const [first = ""] = steps;
    const count = remaining.get(first) ?? 0;
    const counters = {
      remaining: count,
      pending: pending.get(first) ?? 0,
      ...(count > 0 ? { outcome: outcomes.get(first) ?? null, reason: null } : {}),
    };
    for (const names of chunksOf(steps))
      await transaction
        .updateTable("run_step")
        .set(counters)
        .where("pipeline_run_id", "=", pipelineRunId)
        .where("step", "in", names)
        .execute();
  }
}

/** The worst end among the instances of a step that have ended. */
function outcomeSoFar({ outcome, instances }: GraphStep): string | null {
  const ended = new Set(instances.map(({ status }) => status as string));
  const worst = ["failed", "cancelled"].find((status) => ended.has(status));
  return worst ?? (outcome === "blocked" && ended.has("succeeded") ? outcome : null);
}

/** Parts of a list that fit one statement. */
export function* chunksOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += NAMES_PER_QUERY) yield items.slice(start, start + NAMES_PER_QUERY);
}
