import type { Json } from "#base";
import type { ReadTransaction } from "#metadata-store";
import { listStepResults, type StepResult } from "#metadata-store/engine";
import { findStep, type StepDefinition } from "#pipeline";
import type { RunningAttempt } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";

/** What `${{ steps.NAME.outputs }}` and `${{ steps.NAME.items }}` are. */
interface ReadResult {
  /** Of a step of several step runs, each output is the list of theirs, in the order of the items. */
  readonly outputs: Readonly<Record<string, Json>>;
  readonly items?: Json;
}

/** Results of steps of a run. `asked`: each step with the names of the outputs that are read of it. */
export async function readResults(
  transaction: ReadTransaction,
  pipelineRunId: string,
  asked: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, ReadResult>> {
  const steps = [...asked.keys()];
  const found = Map.groupBy(await listStepResults(transaction, { pipelineRunId, steps }), ({ step }) => step);
  return new Map([...asked].map(([step, outputs]) => [step, combine(found.get(step) ?? [], outputs)]));
}

function combine(results: readonly StepResult[], asked: readonly string[]): ReadResult {
  const [only] = results;
  // No item gave nothing: each output is the list of none.
  if (only === undefined) return { outputs: Object.fromEntries(asked.map((name) => [name, []])), items: [] };
  if (only.matrix === undefined) return { outputs: only.outputs };
  const names = new Set(results.flatMap(({ outputs }) => Object.keys(outputs)));
  return {
    outputs: Object.fromEntries([...names].map((name) => [name, results.map(({ outputs }) => outputs[name] ?? null)])),
    items: results.map(({ matrix, status, outputs }) => ({
      item: matrix?.["item"] ?? matrix ?? null,
      status,
      outputs,
    })),
  };
}

/** What the steps gave that a step waits for, as its processes read it from their context. */
export async function readNeeded(
  { store }: EngineParts,
  { claimed, definition }: RunningAttempt,
  step: StepDefinition,
): Promise<Readonly<Record<string, Json>>> {
  const asked = new Map<string, readonly string[]>();
  for (const name of step.needs) {
    const { outputs, forEach, matrix } = findStep(definition, name) ?? {};
    if (outputs !== undefined || forEach !== undefined || matrix !== undefined) asked.set(name, outputs ?? []);
  }
  if (asked.size === 0) return {};
  const results = await store.read((transaction) => readResults(transaction, claimed.pipelineRunId, asked));
  return Object.fromEntries([...results].map(([name, result]) => [name, { ...result }]));
}
