import type { Json } from "#base";
import { type ClaimedStepRun, getRunOutcomes, getStepFacts } from "#metadata-store/engine";
import {
  findExpressions,
  findStep,
  ownConditionOf,
  parseCondition,
  parseExpression,
  type Partition,
  partitionOf,
  partitionScope,
  pathsOf,
  type Scope,
  STATUS,
  type StatusFunction,
  type StepDefinition,
  stepsReadBy,
} from "#pipeline";
import type { RunningAttempt } from "./attempt.ts";
import type { EngineParts } from "./engine-parts.ts";
import { outputMissing } from "./errors.ts";
import { readResults } from "./step-results.ts";

/** A condition that names the item is asked of each, any other once for all of them. */
export function asksNow(
  when: string,
  { lists, isItem }: { readonly lists: boolean; readonly isItem: boolean },
): boolean {
  if (!lists && !isItem) return true;
  return pathsOf(parseCondition(when)).some(([root]) => root === "item") ? isItem : lists;
}

/** What the expressions of a step see. */
export async function buildScope(
  parts: EngineParts,
  { claimed, definition }: RunningAttempt,
  step: StepDefinition,
): Promise<Scope> {
  const expressions = findExpressions({
    declaration: step.declaration,
    params: step.params,
    env: step.env,
    forEach: step.forEach ?? null,
  } as unknown as Json).map(({ source }) => parseExpression(source));
  const needed = expressions.flatMap(pathsOf);
  if (step.when !== undefined) expressions.push(parseCondition(step.when));
  const read = expressions.flatMap(pathsOf);
  const steps = [...new Set(expressions.flatMap(stepsReadBy))];
  const asked = new Map(
    steps
      .filter((name) => read.some((path) => readsResults(path, name)))
      .map((name) => [name, [...outputsReadOf(name, read), ...(findStep(definition, name)?.outputs ?? [])]]),
  );
  const status = ownConditionOf(step) === 0 ? undefined : await readStatus(parts, { claimed, definition }, step);
  const { facts, results } = await parts.store.read(async (transaction) => ({
    facts: await getStepFacts(transaction, { pipelineRunId: claimed.pipelineRunId, steps }),
    results: await readResults(transaction, claimed.pipelineRunId, asked),
  }));
  assertGiven(step, needed, { facts, results });
  return {
    params: claimed.params as Record<string, Json>,
    ...itemOrMatrix(step, claimed),
    ...scopeOfPartition(partitionOfRun({ claimed, definition })),
    steps: Object.fromEntries(
      [...facts].map(([name, { status, facts: known }]) => [
        name,
        { status, facts: known as Json, ...results.get(name) },
      ]),
    ),
    trigger: {
      ...(claimed.trigger.cause as Record<string, Json>),
      kind: claimed.trigger.kind,
      subject: claimed.trigger.subject ?? null,
    },
    run: { id: claimed.pipelineRunId, actor: claimed.actor },
    project: parts.project,
    ...(status === undefined ? {} : { [STATUS]: status }),
  };
}

/** The partition that a run makes, as the definition that it is pinned to declares it. */
export function partitionOfRun({
  claimed,
  definition,
}: Pick<RunningAttempt, "claimed" | "definition">): Partition | undefined {
  return definition.partitions === undefined || claimed.partition === undefined
    ? undefined
    : partitionOf(definition.partitions, claimed.partition);
}

function scopeOfPartition(partition: Partition | undefined): Scope {
  return partition === undefined ? {} : { partition: partitionScope(partition) };
}

/** A path that leads to outputs or items of a step. */
function readsResults([root, of, fact]: readonly string[], step: string): boolean {
  return root === "steps" && of === step && fact !== "status" && fact !== "facts";
}

function outputsReadOf(step: string, read: readonly (readonly string[])[]): readonly string[] {
  return read.flatMap(([root, of, fact, output]) =>
    root === "steps" && of === step && fact === "outputs" && output !== undefined ? [output] : [],
  );
}

/** A combination of the matrix, or the item; neither while the items are listed. */
function itemOrMatrix({ forEach }: StepDefinition, { matrix: stored }: ClaimedStepRun): Scope {
  const matrix = (stored ?? {}) as Record<string, Json>;
  if (forEach === undefined) return { matrix };
  return stored === undefined ? { matrix: {} } : { matrix: {}, item: matrix["item"] ?? null };
}

/** An output that an expression names and its step did not give is a mistake, not an empty text. */
function assertGiven(
  step: StepDefinition,
  needed: readonly (readonly string[])[],
  {
    facts,
    results,
  }: {
    readonly facts: Awaited<ReturnType<typeof getStepFacts>>;
    readonly results: Awaited<ReturnType<typeof readResults>>;
  },
): void {
  for (const [root, name = "", fact, output] of needed) {
    if (root !== "steps" || fact !== "outputs" || output === undefined || facts.get(name)?.status !== "succeeded")
      continue;
    const { outputs = {} } = results.get(name) ?? {};
    if (!Object.hasOwn(outputs, output))
      throw outputMissing({ step: name, output, given: Object.keys(outputs), reader: step.name });
  }
}

/** `success()`: all that the step waits for succeeded. `failure()`: something before it failed, however far back. */
async function readStatus(
  parts: EngineParts,
  { claimed, definition }: Pick<RunningAttempt, "claimed" | "definition">,
  step: StepDefinition,
): Promise<Readonly<Record<StatusFunction, boolean>>> {
  const { outcomes, isCancelled } = await parts.store.read((transaction) =>
    getRunOutcomes(transaction, claimed.pipelineRunId),
  );
  const before = new Set(step.needs);
  for (const name of before) for (const need of findStep(definition, name)?.needs ?? []) before.add(need);
  const failure = [...before].some((name) => outcomes.get(name) === "failed");
  return {
    always: true,
    cancelled: isCancelled,
    failure,
    success: !isCancelled && step.needs.every((need) => !outcomes.has(need)),
  };
}

export function itemOf(step: StepDefinition, claimed: ClaimedStepRun): { readonly item?: Json } {
  const { item } = itemOrMatrix(step, claimed);
  return item === undefined ? {} : { item };
}

export function indexOfItem({ forEach }: StepDefinition, { matrixIndex }: ClaimedStepRun): string | undefined {
  return forEach === undefined ? undefined : String(matrixIndex);
}
