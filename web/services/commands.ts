import type {
  Acknowledged,
  Approval,
  DiscardedQuarantine,
  NewApproval,
  NewPipelineRun,
  QuarantineDiscard,
  ReplayedQuarantine,
  Rollback,
} from "#api";
import { path, post } from "./api.ts";

/** What the pages ask the server to do. All throw ProblemError. */
export const commands = {
  runPipeline: (name: string, body: NewPipelineRun): Promise<Acknowledged> => post(path`/pipelines/${name}/runs`, body),
  cancelRun: (id: string): Promise<Acknowledged> => post(path`/pipeline-runs/${id}/cancel`),
  resumeRun: (id: string): Promise<Acknowledged> => post(path`/pipeline-runs/${id}/resume`),
  acknowledgeRun: (id: string): Promise<Acknowledged> => post(path`/pipeline-runs/${id}/acknowledge`),
  acknowledgeAlert: (id: string): Promise<Acknowledged> => post(path`/alerts/${id}/acknowledge`),
  replayQuarantine: (name: string): Promise<ReplayedQuarantine> => post(path`/datasets/${name}/quarantine/replay`),
  discardQuarantine: (name: string, body: QuarantineDiscard): Promise<DiscardedQuarantine> =>
    post(path`/datasets/${name}/quarantine/discard`, body),
  rollBack: (body: Rollback): Promise<Acknowledged> => post("/releases/rollback", body),
  decide: (body: NewApproval): Promise<Approval> => post("/approvals", body),
} as const;
