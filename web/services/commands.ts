import type { EndpointParams, NewApproval, NewPipelineRun, QuarantineDiscard, Rollback } from "#api";
import { call } from "./api.ts";

/** What the pages ask the server to do. All throw ProblemError. */
export const commands = {
  runPipeline: (name: string, body: NewPipelineRun) => call("createPipelineRun", { params: { name }, body }),
  pausePipeline: (name: string) => call("pausePipeline", { params: { name }, body: {} }),
  unpausePipeline: (name: string) => call("unpausePipeline", { params: { name } }),
  cancelRun: (id: string) => call("cancelPipelineRun", { params: { id } }),
  resumeRun: (id: string) => call("resumePipelineRun", { params: { id }, body: {} }),
  retryStepRuns: (id: string, stepRuns: readonly string[]) =>
    call("resumePipelineRun", { params: { id }, body: { stepRuns } }),
  makePartitions: (name: string, partitions: readonly string[]) =>
    call("createBackfill", { params: { name }, body: { partitions, all: true } }),
  /** Id of the first step run of a step; undefined where the run has none. */
  findStepRun: async (id: string, step: string) =>
    (await call("listStepRuns", { params: { id }, query: { step, limit: 1 } })).items[0]?.id,
  acknowledgeRun: (id: string) => call("acknowledgePipelineRun", { params: { id } }),
  acknowledgeAlert: (id: string) => call("acknowledgeAlert", { params: { id } }),
  replayQuarantine: (name: string) => call("replayQuarantine", { params: { name } }),
  discardQuarantine: (name: string, body: QuarantineDiscard) => call("discardQuarantine", { params: { name }, body }),
  rollBack: (body: Rollback) => call("rollBack", { body }),
  promoteTrial: (params: EndpointParams) => call("promoteTrial", { params, body: {} }),
  abortTrial: (params: EndpointParams) => call("abortTrial", { params, body: {} }),
  decide: (body: NewApproval) => call("createApproval", { body }),
} as const;
