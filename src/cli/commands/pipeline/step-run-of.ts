import type { PipelineRunDetail, StepRun } from "#api";
import { usageWrong } from "../../errors.ts";

/** @throws CLI_USAGE_WRONG with the steps that there are */
export function assertStep({ stepRuns }: PipelineRunDetail, name: string, usage: string): void {
  if (stepRuns.some(({ step }) => step === name)) return;
  throw usageWrong({
    usage,
    reason: `The run has no step ${JSON.stringify(name)}; it has ${[...new Set(stepRuns.map(({ step }) => step))].join(", ")}`,
  });
}

/** An item by itself, or a combination as it is shown: `n=2`. @throws CLI_USAGE_WRONG */
export function findItem(
  { id, stepRuns }: PipelineRunDetail,
  { step, item, usage }: { readonly step: string; readonly item: string; readonly usage: string },
): StepRun {
  const found = stepRuns.find((each) => each.step === step && (each.matrix === item || each.matrix === `item=${item}`));
  if (found !== undefined) return found;
  throw usageWrong({
    usage,
    reason: `Step ${JSON.stringify(step)} has no item ${JSON.stringify(item)}; see them with: esteira status ${id} ${step}`,
  });
}

/**
 * The one step run of a step, else its one that failed.
 *
 * @throws CLI_USAGE_WRONG when it has several
 */
export function onlyStepRun(run: PipelineRunDetail, step: string, usage: string): StepRun {
  assertStep(run, step, usage);
  const all = run.stepRuns.filter((each) => each.step === step);
  const items = all.filter(({ matrix }) => matrix !== undefined);
  const [first, ...others] = items.length > 0 ? items : all;
  if (first !== undefined && others.length === 0) return first;
  const failed = items.filter(({ status }) => status === "failed");
  const [bad, ...more] = failed;
  if (bad !== undefined && more.length === 0) return bad;
  const some = (failed.length > 0 ? failed : items).slice(0, 5).map(({ matrix }) => matrix?.replace(/^item=/, ""));
  throw usageWrong({
    usage,
    reason: `Step ${JSON.stringify(step)} has ${items.length} items, ${failed.length} of them failed: name one with --item, as ${some.join(", ")}`,
  });
}
