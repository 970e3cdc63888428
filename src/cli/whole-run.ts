import type { PipelineRunDetail } from "#api";
import { listAll } from "./list-all.ts";
import type { CliSession } from "./session.ts";

/** A pipeline run with all its step runs, also where the API answers them in pages. */
export async function readWholeRun(call: CliSession["call"], id: string): Promise<PipelineRunDetail> {
  const run = await call("getPipelineRun", { params: { id } });
  if (run.nextStepRuns === undefined) return run;
  const stepRuns = await listAll((page) => call("listStepRuns", { params: { id }, query: page }));
  return { ...run, stepRuns, nextStepRuns: undefined };
}
