import type { Generated } from "kysely";

export interface EventTables {
  event: {
    sequence: Generated<number>;
    at_ms: number;
    project: string;
    /** What happened: `pipeline_run.finished`, `asset_version.made`, `approval.given`, … */
    type: string;
    subject_kind: string;
    subject: string;
    /** Who caused it: a user name, or `engine`. */
    actor: string;
    /** JSON */
    data: string;
  };
}
