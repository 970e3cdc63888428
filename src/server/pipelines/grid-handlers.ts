import { GRID_ID_LENGTH, GRID_LETTERS, type GridState, type StateGrid } from "#api";
import type { Platform } from "#app";
import {
  findPipelineRun,
  listPartitionSteps,
  listStepStates,
  type PartitionSteps,
  type StepState,
} from "#metadata-store/engine";
import { listPartitions } from "#pipeline";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { resourceMissing } from "../errors.ts";

/** Of a step with several step runs, the state that most needs looking at. */
const URGENCY: readonly GridState[] = [
  "failed",
  "running",
  "waiting",
  "queued",
  "pending",
  "cancelled",
  "skipped",
  "succeeded",
  "cached",
];
const NO_ID = " ".repeat(GRID_ID_LENGTH);

/** Steps by items or partitions, for pages that draw thousands of cells. */
export function createGridHandlers({
  store,
  project,
  engine,
}: Platform): Pick<ApiHandlers, "getPipelineRunGrid" | "getPartitionGrid"> {
  return {
    getPipelineRunGrid: ({ params }) =>
      store.read(async (transaction) => {
        const run = await findPipelineRun(transaction, params.id);
        if (run?.project !== project) throw resourceMissing({ kind: "pipeline run", key: params.id });
        return toRunGrid(await listStepStates(transaction, run.id));
      }),
    getPartitionGrid: async ({ params }) => {
      const known = await engine.backfills.known(params.name);
      const found = await store.read((transaction) =>
        listPartitionSteps(transaction, { project, pipeline: params.name }),
      );
      const names = known.definition.partitions === undefined ? [] : listPartitions(known).map(({ name }) => name);
      return toPartitionGrid(
        found,
        known.definition.steps.map(({ name }) => name),
        names,
      );
    },
  };
}

function toRunGrid(stepRuns: readonly StepState[]): StateGrid {
  const steps = [...Map.groupBy(stepRuns, ({ step }) => step)].map(([step, all]) => {
    const items = all.filter(({ isItem }) => isItem);
    const cells = items.length > 0 ? items : all;
    return {
      step,
      states: cells.map((cell) => letterOf(stateOf(cell))).join(""),
      ids: cells.map(({ id }) => id.padEnd(GRID_ID_LENGTH)).join(""),
    };
  });
  return { steps, columns: [], pipelineRuns: "" };
}

function toPartitionGrid(
  found: readonly PartitionSteps[],
  steps: readonly string[],
  names: readonly string[],
): StateGrid {
  const places = new Map(names.map((name, place) => [name, place]));
  const runs = Array.from(names, () => NO_ID);
  const rows = new Map(steps.map((step) => [step, Array.from<GridState>({ length: names.length }).fill("missing")]));
  for (const run of found) {
    const place = places.get(run.partition);
    if (place === undefined) continue;
    runs[place] = run.pipelineRunId.padEnd(GRID_ID_LENGTH);
    for (const each of run.steps) {
      const row = rows.get(each.step);
      if (row !== undefined) row[place] = moreUrgent(row[place], stateOf(each));
    }
  }
  return {
    steps: [...rows].map(([step, row]) => ({ step, states: row.map(letterOf).join(""), ids: "" })),
    columns: names,
    pipelineRuns: runs.join(""),
  };
}

function stateOf({ status, cached }: Pick<StepState, "status" | "cached">): GridState {
  return cached && status === "succeeded" ? "cached" : status;
}

function moreUrgent(one: GridState | undefined, other: GridState): GridState {
  return one === undefined || one === "missing" || URGENCY.indexOf(other) < URGENCY.indexOf(one) ? other : one;
}

const letterOf = (state: GridState): string => GRID_LETTERS[state];
