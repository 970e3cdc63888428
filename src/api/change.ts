/**
 * One message of the event stream: something changed, read it again. Sent as SSE event `change` with the id `sequence`.
 */
export interface Change {
  readonly sequence: number;
  /** `<noun>.<past participle>`: `step_run.succeeded`. */
  readonly type: string;
  readonly subjectKind: string;
  readonly subject: string;
  readonly atMs: number;
  readonly pipelineRunId?: string | undefined;
}
